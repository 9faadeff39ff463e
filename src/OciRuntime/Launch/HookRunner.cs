using System.Buffers;
using System.Text.Json;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Runs hooks on the host's side: in list order, state on stdin, the first failure ends it (runtime-spec config.md, "POSIX-platform Hooks").</summary>
internal sealed class HookRunner(ContainerState state, Interruption interruption)
{
    /// <summary>Runs hooks in the runtime's namespaces.</summary>
    /// <exception cref="OciException">A hook failed; the message names it and has what it printed.</exception>
    public void Run(string kind, Hook[] hooks, ContainerStatus status) => Run(kind, hooks, status, -1, 0, null);

    /// <summary>Runs hooks in a container's namespaces, with its root file system, still in the host's tree, as directory.</summary>
    public void RunInContainer(string kind, Hook[] hooks, ContainerStatus status, int pidfd, ulong namespaces) => Run(kind, hooks, status, pidfd, namespaces, state.Rootfs);

    /// <summary>poststop: every hook runs, and failures are only reported (runtime-spec runtime.md, "Delete").</summary>
    public void RunPoststop(Action<string> warn)
    {
        foreach (Hook hook in state.Poststop)
        {
            try
            {
                Run("poststop", [hook], ContainerStatus.Stopped);
            }
            catch (Exception e) when (e is OciException or InterruptedException)
            {
                // A signal ends the hook it interrupts, not the clean-up that the hook is a part of.
                warn(e.Message);
            }
        }
    }

    /// <summary>The state document as hooks get it.</summary>
    public static ReadOnlySpan<byte> Document(ContainerState state, ContainerStatus status)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter writer = new(buffer, ContainerState.Compact);
        StateDocument.Write(writer, state, status, owner: "");
        writer.Flush();
        return buffer.WrittenSpan;
    }

    private void Run(string kind, Hook[] hooks, ContainerStatus status, int pidfd, ulong namespaces, string? directory)
    {
        if (hooks.Length == 0) return;
        using Fd input = MemoryFile.Create(Document(state, status));
        for (int i = 0; i < hooks.Length; i++)
        {
            HelperResult result = HelperProcess.Run(
                new HelperProgram
                {
                    Path = hooks[i].Path,
                    Arguments = hooks[i].Args.Length > 0 ? hooks[i].Args : [hooks[i].Path],
                    Environment = hooks[i].Env,
                    Input = input.Number,
                    TimeoutSeconds = hooks[i].Timeout ?? 0,
                    NamespacesOf = pidfd,
                    NamespaceFlags = namespaces,
                    Directory = directory,
                },
                interruption);
            if (!result.Succeeded) throw new OciException($"error running {kind} hook #{i} {hooks[i].Path}: {Explain(result, hooks[i])}");
        }
    }

    private static string Explain(HelperResult result, Hook hook)
    {
        if (result.Errno != 0) return $"{ErrnoText.Describe(result.Errno)} ({ErrnoText.Name(result.Errno)})";
        string end = result.TimedOut ? $"hook ran past specified timeout of {hook.Timeout}.0s"
            : (result.Status & 0x7f) != 0 ? $"killed by signal {result.Status & 0x7f}" : $"exit status {result.Status >> 8 & 0xff}";
        return result.Output.Length == 0 ? end : $"{end}, output: {result.Output}";
    }
}
