using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

internal sealed class KeepHostProcStep(Origin origin)
    : PlainStep(InitOp.KeepHostProc, StepChapter.Namespaces, origin, "keep the host's /proc open for what is written there later");

internal sealed class CloseHostStep()
    : PlainStep(InitOp.CloseHost, StepChapter.Kernel, Origin.Runtime, "close what is left open of the host");

internal sealed class HostnameStep(Origin origin, string name) : PlanStep<HostnameArguments>(StepChapter.Kernel, origin)
{
    public string Name => name;

    protected override string Words => $"set the hostname to {Name}";

    protected override HostnameArguments Compile(PlanCompiler compiler) => new() { Name = compiler.Text(Name) };
}

internal sealed class DomainnameStep(Origin origin, string name) : PlanStep<DomainnameArguments>(StepChapter.Kernel, origin)
{
    public string Name => name;

    protected override string Words => $"set the domainname to {Name}";

    protected override DomainnameArguments Compile(PlanCompiler compiler) => new() { Name = compiler.Text(Name) };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">Below /proc.</param>
/// <param name="value">What is written.</param>
internal sealed class SysctlStep(Origin origin, string path, string value) : PlanStep<SysctlArguments>(StepChapter.Kernel, origin)
{
    public string Path => path;
    public string Value => value;

    protected override string Words => $"write {Value} to /proc/{Path}";

    protected override SysctlArguments Compile(PlanCompiler compiler) => new() { Path = compiler.Text(Path), Value = compiler.Text(Value) };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">Below /proc.</param>
/// <param name="value">What is written.</param>
internal sealed class SecurityAttributeStep(Origin origin, string path, string value)
    : PlanStep<SecurityAttributeArguments>(StepChapter.Any, origin)
{
    /// <inheritdoc cref="SecurityAttributeArguments.Fallback"/>
    public string? Fallback { get; init; }

    public bool SkipMissing { get; init; }

    // In backquotes: Podman tells by such a path that it was about a label.
    protected override string Words =>
        $"write {value} to `/proc/{path}`{(Fallback is null ? "" : $", or to `/proc/{Fallback}`")}{(SkipMissing ? " if it exists" : "")}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => (path.Contains("apparmor"), failure.Errno) switch
    {
        (true, Errno.ENOENT) => ": the profile is not loaded",
        (true, Errno.EACCES or Errno.EPERM) when IsConfined() => ": the runtime's own profile does not allow the change",
        (true, Errno.EINVAL) => ": AppArmor does not answer there",
        (false, Errno.EINVAL) => ": the loaded SELinux policy has no such context",
        (false, Errno.EACCES) => ": the SELinux policy does not allow it",
        _ => "",
    };

    protected override SecurityAttributeArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(path), Fallback = compiler.Text(Fallback), Value = compiler.Text(value), SkipMissing = SkipMissing };

    private static bool IsConfined() =>
        Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/attr/current", 4096, out _) is { Length: > 0 } profile
        && !profile.AsSpan().StartsWith("unconfined"u8);
}
