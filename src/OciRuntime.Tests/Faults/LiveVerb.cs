using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>What is done to a container that runs on: it must, whatever happens to the command.</summary>
internal abstract class LiveVerb : SweepVerb
{
    private protected LiveVerb(TestBundle bundle)
        : base(bundle)
    {
        Container.Bundle.Args("sleep", "100000").Save();
        Container.CallCreate().ShouldSucceed();
        Container.Call("start", Container.Id).ShouldSucceed();
        Init = Container.Call("state", Container.Id).ShouldSucceed().Json["pid"]!.GetValue<int>();
        Container.ForgetPidFile();
        KnowProcesses();
    }

    private protected int Init { get; }

    private protected override List<string> Left() => Strays();

    /// <summary>The container is there as before, and the same command can be given again.</summary>
    internal override string? Recover()
    {
        Container.ForgetPidFile();
        CommandResult state = Container.Call("state", Container.Id);
        if (!state.Succeeded || state.Json["status"]!.GetValue<string>() is not "running") return $"the container does not run: {state}";
        if (Container.Broken() is { Length: > 0 } broken) return broken;
        List<string> left = Settled(Strays);
        return left.Count > 0 ? $"left in the end: {string.Join("; ", left)}" : null;
    }

    /// <summary>Processes and files that were not there before.</summary>
    private protected List<string> Strays() => [.. Strangers(), .. Files()];

    private IEnumerable<string> Files() =>
        Directory.GetFiles(Container.PidDirectory).Where(static file => Path.GetFileName(file) != "pid")
        .Select(static file => $"file {file}");
}
