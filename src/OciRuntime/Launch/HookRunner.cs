using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// Runs hooks on the host's side: in list order, state on stdin, the first failure ends it (runtime-spec config.md, "POSIX-platform
/// Hooks"). Those in the container are run by its init.
/// </summary>
internal sealed class HookRunner(ContainerState state, Interruption? interruption)
{
    /// <summary>Runs the hooks of one list, in the bundle's directory as runc does.</summary>
    /// <exception cref="OciException">A hook failed; the message names it and has what it printed.</exception>
    public void Run(string kind, Hook[] hooks, ContainerStatus status)
    {
        if (hooks.Length == 0) return;
        using HookOutput output = new(state.Annotations);
        for (int i = 0; i < hooks.Length; i++) Run(kind, i, hooks[i], status, state.Bundle, output);
    }

    /// <summary>The hooks of one list in words.</summary>
    public static List<RuntimeAction> Words(string kind, Hook[] hooks)
    {
        List<RuntimeAction> words = [];
        for (int i = 0; i < hooks.Length; i++) words.Add(new(hooks[i].Words(kind), $"/hooks/{kind}/{i}"));
        return words;
    }

    /// <summary>
    /// poststop: every hook runs, and failures are only reported (runtime-spec runtime.md, "Delete"). Nothing interrupts them either: they
    /// undo what other hooks did.
    /// </summary>
    public static void RunPoststop(ContainerState state, Action<string> warn)
    {
        if (state.Poststop.Length == 0) return;
        HookRunner runner = new(state, null);
        using HookOutput? output = OpenOutput(state, warn);
        for (int i = 0; i < state.Poststop.Length; i++)
        {
            try
            {
                // In the caller's directory: the bundle may be gone by now.
                runner.Run("poststop", i, state.Poststop[i], ContainerStatus.Stopped, null, output);
            }
            catch (OciException e)
            {
                warn(e.Message);
            }
        }
    }

    /// <summary>A file for the output that cannot be opened is no reason to leave undone what poststop hooks undo.</summary>
    private static HookOutput? OpenOutput(ContainerState state, Action<string> warn)
    {
        try
        {
            return new HookOutput(state.Annotations);
        }
        catch (OciException e)
        {
            warn(e.Message);
            return null;
        }
    }

    private void Run(string kind, int index, Hook hook, ContainerStatus status, string? directory, HookOutput? output)
    {
        using TraceSpan span = Timeline.IsOn ? Timeline.Span(hook.Words(kind), $"/hooks/{kind}/{index}") : default;
        // A file for each: what one hook, or a daemon it left, reads does not move the next one's position.
        using Fd input = MemoryFile.Create(StateDocument.ForHooks(state, status));
        HelperResult result = HelperProcess.Run(
            new HelperProgram
            {
                Path = hook.Path,
                Arguments = hook.Args.Length > 0 ? hook.Args : [hook.Path],
                Environment = hook.Env,
                Input = input.Number,
                Stdout = output?.Stdout ?? -1,
                Stderr = output?.Stderr ?? -1,
                TimeoutSeconds = hook.Timeout ?? 0,
                Directory = directory,
            },
            interruption);
        if (!result.Succeeded) throw new OciException($"error running {kind} hook #{index}: {hook.Path}: {Explain(result, hook)}");
    }

    private static string Explain(HelperResult result, Hook hook)
    {
        if (result.Errno != 0) return ErrnoText.Full(result.Errno);
        string end = result.TimedOut ? $"hook ran past specified timeout of {hook.Timeout}.0s" : result.Status.ToString();
        return result.Output.Length == 0 ? end : $"{end}, output: {result.Output}";
    }
}
