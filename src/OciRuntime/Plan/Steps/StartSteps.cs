using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Seccomp;

namespace OciRuntime.Plan;

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="size">All 0 to leave it as it is.</param>
/// <param name="role">What it is to the process.</param>
internal sealed class ConsoleStep(Origin origin, WindowSize size, TerminalRole role) : PlanStep<ConsoleArguments>(StepChapter.Root, origin)
{
    /// <summary>Without a console socket, which gets the terminal then.</summary>
    public override SyncKind[] Says => [SyncKind.Console];

    protected override string Words =>
        "open a terminal in the container's devpts"
        + $"{((size.Rows | size.Columns) == 0 ? "" : $", {size.Columns} columns by {size.Rows} rows,")} and pass its master on";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure is { Errno: Errno.ENOENT or Errno.ENODEV, Detail: InitDetail.Source or InitDetail.NotADevice }
            ? ": a terminal needs a mount of type devpts at /dev/pts (/mounts)"
            : "";

    protected override ConsoleArguments Compile(PlanCompiler compiler) => new() { Size = size, Role = role };
}

internal sealed class ControllingTerminalStep()
    : PlainStep(InitOp.ControllingTerminal, StepChapter.Program, new("/process/terminal"), "make the terminal that of the session");

/// <param name="index">The variable LISTEN_PID in the environment.</param>
internal sealed class ListenPidStep(int index) : PlanStep<ListenPidArguments>(StepChapter.Program, Origin.Runtime)
{
    protected override string Words => "set LISTEN_PID to the own pid";

    protected override ListenPidArguments Compile(PlanCompiler compiler) => new() { Digits = compiler.Variable(index, "LISTEN_PID") };
}

/// <param name="uid">The program's.</param>
/// <param name="privileged">The process still has rights that the program does not get.</param>
internal sealed class HomeDirectoryStep(uint uid, bool privileged) : PlanStep<HomeDirectoryArguments>(StepChapter.Program, Origin.Runtime)
{
    protected override string Words => $"look HOME of uid {uid} up in /etc/passwd";

    protected override HomeDirectoryArguments Compile(PlanCompiler compiler) =>
        new() { Uid = uid, Entry = compiler.HomeEntry(), Privileged = privileged };
}

/// <param name="name">The program as config.json has it.</param>
/// <param name="candidates">Where it may be.</param>
internal sealed class FindExecutableStep(string name, string[] candidates)
    : PlanStep<FindExecutableArguments>(StepChapter.Program, new("/process/args", 0))
{
    public string[] Candidates => candidates;

    protected override string Words =>
        Candidates is [string only] ? $"check that {only} can be executed" : $"find {name}: {string.Join(", ", Candidates)}";

    // Docker, Podman and CRI-O choose their exit codes 126 and 127 by these words (Go's os/exec).
    public override string Explain(LaunchPlan plan, in StepFailure failure)
    {
        // execve(2)'s word as well, which is all that others have for it.
        if (name.Length == 0) return "exec: \"\": executable file not found in $PATH: no such file or directory";
        // What execve(2) says to a directory. Docker, with newer runcs, looks for the first text, podman for the second.
        if (failure.Errno == Errno.EISDIR) return $"exec: \"{name}\": is a directory: permission denied";
        string reason = ErrnoText.Describe(failure.Errno);
        bool isMissing = failure.Errno == Errno.ENOENT;
        // Nor is one found whose name is too long, or leads in circles.
        if (!name.Contains('/') && failure.Errno != Errno.EACCES)
            return $"exec: \"{name}\": executable file not found in $PATH{(isMissing ? "" : $": {reason}")}";
        return $"exec: \"{name}\": {(isMissing ? $"stat {name}: " : "")}{reason}";
    }

    protected override FindExecutableArguments Compile(PlanCompiler compiler) => new() { Candidates = compiler.Texts(Candidates) };
}

internal sealed class SeccompStep(SeccompProgram filter, bool isLastStep)
    : PlanStep<SeccompArguments>(StepChapter.Program, new("/linux/seccomp"))
{
    public SeccompProgram Filter => filter;

    /// <summary>Nothing comes after this but execve.</summary>
    public bool IsLastStep => isLastStep;

    /// <inheritdoc cref="SeccompArguments.ListenerByNumber"/>
    public bool ListenerByNumber => Filter is { NeedsListener: true, AllowsSending: false };

    public override SyncKind[] Says => (Filter.NeedsListener, IsLastStep) switch
    {
        (true, true) => [SyncKind.Listener, SyncKind.Executing],
        (true, false) => [SyncKind.Listener],
        (false, true) => [SyncKind.Executing],
        _ => [],
    };

    protected override string Words =>
        $"load the seccomp filter: {Filter.Instructions.Length} instructions, {SeccompWords.Describe(Filter.DefaultAction)} for what it "
        + $"does not name{(Filter.NeedsListener ? "; pass its listener on" : "")}";

    /// <summary>Of a step that the filter denies, if it was loaded before.</summary>
    public static string DenialHint(LaunchPlan plan, PlanStep step, in StepFailure failure)
    {
        bool isDenial = failure.Errno is Errno.EPERM or Errno.ENOSYS;
        int filter = isDenial ? plan.Steps.FindIndex(static one => one is SeccompStep) : -1;
        return filter >= 0 && filter < plan.Steps.IndexOf(step)
            ? ": /linux/seccomp denies it; with /process/noNewPrivileges true the filter is loaded later"
            : "";
    }

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.EACCES => ": without /process/noNewPrivileges it takes CAP_SYS_ADMIN",
        Errno.EINVAL when !SeccompFilter.KnowsFlags(Filter.Flags) => ": the kernel does not know one of /linux/seccomp/flags",
        Errno.EBUSY => ": there is a listener already, a process can have one only",
        _ => "",
    };

    protected override SeccompArguments Compile(PlanCompiler compiler) => new()
    {
        Instructions = compiler.Copy<SockFilter>(Filter.Instructions),
        Flags = Filter.Flags,
        IsLastStep = IsLastStep,
        ListenerByNumber = ListenerByNumber,
    };
}

internal sealed class ReadyStep()
    : PlainStep(InitOp.Ready, StepChapter.Program, Origin.Runtime, "report that all is set up", SyncKind.Ready)
{
    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno == Errno.EMFILE
        ? ": RLIMIT_NOFILE (/process/rlimits, or the caller's) leaves none for the connection by which \"ocirun start\" comes" : "";
}

internal sealed class AwaitStartStep() : PlainStep(InitOp.AwaitStart, StepChapter.Program, Origin.Runtime, "wait for \"ocirun start\"");

internal sealed class ExecuteStep(string program)
    : PlainStep(InitOp.Execute, StepChapter.Program, new("/process/args"), $"execute {program}", SyncKind.Executing)
{
    /// <summary>Why it cannot be executed.</summary>
    public static string Hint(int errno) => errno switch
    {
        // The file itself was found before: unless somebody has removed it since, what is missing is what its first line or its ELF header
        // names.
        Errno.ENOENT =>
            ": the file was found before; if it is still there, its interpreter or dynamic loader does not exist in the container",
        Errno.ENOEXEC => ": not a program for this machine, or a script without a #! line",
        _ => "",
    };

    // The words are the path.
    public override string Explain(LaunchPlan plan, in StepFailure failure) => base.Explain(plan, failure with { Text = "" });

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => Hint(failure.Errno);
}
