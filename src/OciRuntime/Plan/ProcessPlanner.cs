using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>What the process becomes, from its limits to its program.</summary>
internal sealed class ProcessPlanner(PlanRequest request, bool userNamespace, List<PlanStep> steps, List<string> warnings)
{
    /// <summary>A pid is only known when there is a process that has it: room for it.</summary>
    private const string UnknownPid = "LISTEN_PID=0000000000";
    private const int MaxNamed = 100;

    private readonly Process _process = request.Spec.Process!;

    private readonly SeccompProgram? _filter = Compile(request, warnings);

    public List<string> Environment { get; private set; } = [];
    public bool HomeFromImage { get; private set; }

    private bool JoinsPids =>
        Array.Exists(request.Spec.Linux?.Namespaces ?? [], static one => one.Type == "pid" && !string.IsNullOrEmpty(one.Path));

    /// <summary>The filter is loaded before privileges are given up, and its listener goes out with it.</summary>
    public bool HasEarlyListener => _filter is { NeedsListener: true } && !_process.NoNewPrivileges;

    /// <summary>
    /// The steps, and the clone that is born in a pid namespace of others: behind them, as what others could trace or hold on to is then
    /// what they could of the program. Only an agent that is told of a listener early has to be told the program's own pid, and may hold
    /// back the clone.
    /// </summary>
    /// <param name="groups">What becomes of the caller's supplementary groups.</param>
    /// <param name="keptOnRequest">They are kept because an annotation asks for it.</param>
    /// <param name="addFork">Adds the clone; null where there is none.</param>
    public void AddStepsAndFork(GroupPolicy groups, bool keptOnRequest, Action? addFork)
    {
        if (HasEarlyListener) addFork?.Invoke();
        AddSteps(groups, keptOnRequest);
        if (!HasEarlyListener) addFork?.Invoke();
    }

    /// <summary>
    /// A clone does not inherit a policy with SCHED_FLAG_RESET_ON_FORK, and a deadline task may not clone at all (sched(7)): such a policy
    /// the parent sets, once the clone is there.
    /// </summary>
    /// <param name="origin">Where the pid namespace comes from.</param>
    /// <param name="path">The pid namespace, where it is not the container's own.</param>
    public void AddFork(Origin origin, string? path = null)
    {
        PlanStep? lost = steps.Find(static s => s is SchedulerStep { Schedule: var own }
            && (own.Policy == Scheduling.SCHED_DEADLINE || (own.Flags & Scheduling.SCHED_FLAG_RESET_ON_FORK) != 0));
        if (lost is not null) steps.Remove(lost);
        steps.Add(new ForkIntoPidNamespaceStep(lost?.Origin ?? origin)
        {
            Schedule = (lost as SchedulerStep)?.Schedule ?? default,
            Path = path
        });
    }

    /// <summary>Where it is not known beforehand.</summary>
    public void AddListenPid()
    {
        int at = Environment.IndexOf(UnknownPid);
        if (at >= 0) steps.Add(new ListenPidStep(at));
    }

    /// <summary>Privileges are given up in an order in which each step still has what it needs; see the comments.</summary>
    private void AddSteps(GroupPolicy groups, bool keptOnRequest)
    {
        User user = _process.User;
        if (keptOnRequest && user.AdditionalGids.Length > 0)
        {
            warnings.Add(
                $"/process/user/additionalGids: left out, as {Annotations.Pointer(Annotations.KeepOriginalGroups)} keeps the caller's "
                + $"groups");
        }
        else if (groups == GroupPolicy.Keep && user.AdditionalGids.Length > 0)
        {
            throw GroupsDenied(user);
        }

        ulong available = userNamespace ? ulong.MaxValue >> (63 - request.Host.LastCapability) : request.Host.Permitted;
        CapabilitySets sets = CapabilitySets.Build(_process.Capabilities, user.Uid == 0, available, warnings);
        if (_process.NoNewPrivileges) steps.Add(new NoNewPrivilegesStep());
        AddLimits();
        SchedulingPlanner.AddSteps(_process, request.Spec.Linux, steps);
        // Before the user switch, because root may enter what the user may not; again after it for the opposite (a private home on NFS).
        string directory = ContainerPath.Absolute(ContainerPath.Clean(_process.Cwd));
        steps.Add(new ChangeDirectoryStep(directory, isFirstTry: true));
        // Without no_new_privs a filter takes CAP_SYS_ADMIN, which the next steps may give up. What can be done before it is.
        bool early = _filter is not null && !_process.NoNewPrivileges;
        if (early)
        {
            AddEnvironment(privileged: true);
            AddFilter(isLastStep: false);
        }
        // CAP_SETPCAP is needed to shrink the bounding set, so that comes before anything is dropped.
        steps.Add(new BoundingSetStep(CapabilityOrigin(_process.Capabilities?.Bounding.Length > 0 ? "/bounding" : ""), sets.Bounding,
            request.Host.LastCapability));
        steps.Add(new SetUserStep(user, groups));
        steps.Add(new ChangeDirectoryStep(directory, isFirstTry: false));
        steps.Add(new CapabilitiesStep(CapabilityOrigin(""), sets));
        steps.Add(new UmaskStep(user.Umask is null ? Origin.Runtime : new("/process/user/umask"), user.Umask
            ?? FileModes.WritableByOthers));
        if (!early) AddEnvironment(privileged: false);
        AddProgram();
    }

    private OciException GroupsDenied(User user) => new(
        $"/process/user/additionalGids: [{string.Join(", ", user.AdditionalGids)}]: cannot set any additional groups: "
        + (request.Host.DeniesSetgroups ? "the runtime's own user namespace denies setgroups (/proc/self/setgroups)"
            : "a rootless container that maps only the caller's own group gives setgroups up; map more in /linux/gidMappings, with "
            + "newgidmap and ranges of /etc/subgid")
        + $"; {Annotations.Pointer(Annotations.KeepOriginalGroups)} keeps the caller's groups",
        Errno.EPERM);

    private Origin CapabilityOrigin(string set) => _process.Capabilities is null ? Origin.Runtime : new("/process/capabilities" + set);

    private void AddLimits()
    {
        if (_process.Rlimits.Length == 0) return;
        // Raising a hard limit takes CAP_SYS_RESOURCE in the initial user namespace, which only the parent can have.
        if (userNamespace)
        {
            steps.Add(new AwaitLimitsStep());
            return;
        }
        for (int i = 0; i < _process.Rlimits.Length; i++) steps.Add(new ResourceLimitStep(new("/process/rlimits", i), _process.Rlimits[i]));
    }

    /// <summary>
    /// The kernel takes no single argument or variable of more than 32 pages (execve(2), MAX_ARG_STRLEN); told here, `create` fails and
    /// names it.
    /// </summary>
    private void CheckLengths()
    {
        for (int i = 0; i < _process.Args.Length; i++) CheckLength(new("/process/args", i), "argument", _process.Args[i]);
        for (int i = 0; i < _process.Env.Length; i++) CheckLength(new("/process/env", i), "variable", _process.Env[i]);
    }

    private static void CheckLength(Origin origin, string kind, string text)
    {
        int limit = 32 * System.Environment.SystemPageSize;
        if (text.Length < limit / 3 || Encoding.UTF8.GetByteCount(text) < limit) return;
        int equals = text.IndexOf('=');
        string name = kind == "variable" && equals is > 0 and < 64 ? $" {text[..equals]}" : "";
        throw new OciException(
            $"{origin}: {kind}{name} is longer than the {limit - 1} bytes that the kernel takes: argument list too long (E2BIG)");
    }

    /// <summary>
    /// With no_new_privs the filter comes as late as it can, so that it needs to allow no more than the program does: behind the wait for
    /// `start`. A listener has to be handed over by the runtime, which is there until then only; hooks are the image's programs.
    /// </summary>
    public void AddLateFilter(bool ready, bool hooks)
    {
        if (_process.NoNewPrivileges && _filter?.NeedsListener == ready) AddFilter(isLastStep: !ready && !hooks);
    }

    private void AddFilter(bool isLastStep)
    {
        if (_filter is not null) steps.Add(new SeccompStep(_filter, isLastStep));
    }

    private static SeccompProgram? Compile(PlanRequest request, List<string> warnings)
    {
        LinuxSeccomp? profile = request.Spec.Linux?.Seccomp;
        if (SeccompCompiler.IsEmpty(profile)) return null;
        SeccompProgram program = SeccompCompiler.Compile(profile!, SeccompArchs.Native);
        List<string> unknown = program.UnknownNames;
        if (unknown is [var first, ..] && Annotations.IsOn(request.Spec.Annotations, Annotations.SeccompFailUnknownSyscall))
        {
            int at = Array.FindIndex(profile!.Syscalls, rule => Array.IndexOf(rule.Names, first) >= 0);
            throw new OciException(
                $"/linux/seccomp/syscalls/{at}/names/{Array.IndexOf(profile.Syscalls[at].Names, first)}: unknown system call "
                + $"{SpecText.Quote(first)}, which {Annotations.Pointer(Annotations.SeccompFailUnknownSyscall)} makes an error");
        }
        // Not all of them: an engine that reads stderr only when `create` is over has it wait on a full pipe.
        if (unknown.Count > 0)
        {
            string named = string.Join(", ", unknown.Take(MaxNamed).Select(SpecText.Quote));
            string more = unknown.Count > MaxNamed ? $" and {unknown.Count - MaxNamed} more" : "";
            warnings.Add($"/linux/seccomp/syscalls: unknown names are left out: {named}{more}");
        }
        return program;
    }

    private void AddEnvironment(bool privileged)
    {
        Environment = EnvironmentPlanner.Build(_process.Env, out bool hasHome);
        HomeFromImage = !hasHome;
        if (HomeFromImage) steps.Add(new HomeDirectoryStep(_process.User.Uid, privileged));
        if (request.ListenFds > 0)
        {
            EnvironmentPlanner.Set(Environment, "LISTEN_FDS", request.ListenFds.ToString());
            EnvironmentPlanner.Set(Environment, "LISTEN_PID", request.IsExec || JoinsPids
                ? UnknownPid[(UnknownPid.IndexOf('=') + 1)..] : "1");
        }
        if (request.NotifyDirectory is not null) EnvironmentPlanner.Set(Environment, "NOTIFY_SOCKET", "/run/notify/notify.sock");
    }

    private void AddProgram()
    {
        CheckLengths();
        steps.Add(new FindExecutableStep(_process.Args[0], Candidates()));
    }

    /// <summary>A name with a slash stands for itself, any other for itself in each directory of the container's PATH.</summary>
    private string[] Candidates()
    {
        string name = _process.Args[0];
        if (name.Contains('/')) return [name];
        string path = EnvironmentPlanner.Find(Environment, "PATH") ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        string[] directories = path.Split(':');
        for (int i = 0; i < directories.Length; i++) directories[i] = directories[i].Length == 0 ? $"./{name}" : $"{directories[i]}/{name}";
        return directories;
    }
}
