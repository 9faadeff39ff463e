using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// The process of an exec: what --process says, or the container's own with the command line's changes (runc has both rules). The changes
/// are texts as they were typed; null is for what stays.
/// </summary>
internal sealed class ExecProcess
{
    /// <summary>The file with the process; then nothing else counts.</summary>
    public string? File { get; init; }

    public required List<string> Args { get; init; }

    public required List<string> Env { get; init; }

    public required bool Terminal { get; init; }

    public string? Cwd { get; init; }

    public string? User { get; init; }

    public required List<string> AdditionalGids { get; init; }

    public required List<string> Capabilities { get; init; }

    public bool NoNewPrivileges { get; init; }

    public string? ApparmorProfile { get; init; }

    public string? SelinuxLabel { get; init; }

    /// <summary>See <see cref="Differs"/>; of what was built.</summary>
    public bool HasOtherRights { get; private set; }

    // What may be left out of a file, and is as for the container's process then.
    private static readonly (string Member, Func<Process, bool> IsAbsent, Action<Process, Process> Take)[] Optional =
    [
        ("capabilities", static p => p.Capabilities is null, static (p, own) => p.Capabilities = own.Capabilities),
        ("rlimits", static p => p.Rlimits.Length == 0, static (p, own) => p.Rlimits = own.Rlimits),
        ("apparmorProfile", static p => string.IsNullOrEmpty(p.ApparmorProfile),
            static (p, own) => p.ApparmorProfile = own.ApparmorProfile),
        ("selinuxLabel", static p => string.IsNullOrEmpty(p.SelinuxLabel), static (p, own) => p.SelinuxLabel = own.SelinuxLabel),
        ("oomScoreAdj", static p => p.OomScoreAdj is null, static (p, own) => p.OomScoreAdj = own.OomScoreAdj),
        ("scheduler", static p => p.Scheduler is null, static (p, own) => p.Scheduler = own.Scheduler),
        ("ioPriority", static p => p.IoPriority is null, static (p, own) => p.IoPriority = own.IoPriority),
        ("execCPUAffinity", static p => p.ExecCPUAffinity is null, static (p, own) => p.ExecCPUAffinity = own.ExecCPUAffinity),
    ];

    private string[] _absent = [];

    /// <exception cref="OciException">An option's value cannot be used.</exception>
    public Process Build(Process own)
    {
        if (File is not null)
        {
            Process process = Complete(SpecLoader.LoadProcess(File), own, out _absent);
            HasOtherRights = Differs(process, own);
            return process;
        }
        HasOtherRights = User is not null || AdditionalGids.Count > 0 || Capabilities.Count > 0 || ApparmorProfile is not null
            || SelinuxLabel is not null;
        if (Args.Count == 0) throw new OciException("exec args cannot be empty: name a program, or a file with --process");
        // The container's terminal is its own; so is the size it began with.
        own.Terminal = Terminal;
        own.ConsoleSize = null;
        own.Args = [.. Args];
        own.Env = [.. own.Env, .. Variables(Env)];
        own.NoNewPrivileges |= NoNewPrivileges;
        if (Cwd is not null) own.Cwd = Cwd.StartsWith('/') ? Cwd : throw new OciException($"--cwd {Cwd}: Cwd must be an absolute path");
        if (ApparmorProfile is not null) own.ApparmorProfile = ApparmorProfile;
        if (SelinuxLabel is not null) own.SelinuxLabel = SelinuxLabel;
        if (User is not null) SetUser(User, own.User);
        own.User.AdditionalGids = [.. own.User.AdditionalGids,
            .. AdditionalGids.ConvertAll(static gid => Id("--additional-gids", gid, gid))];
        if (Capabilities.Count > 0) AddCapabilities(Capabilities, own.Capabilities ??= new());
        return own;
    }

    /// <summary>
    /// Whether another user, capabilities, limits or labels are asked for than the container's program has. It compares what is in memory
    /// anyway: the usual exec has the same, and an engine's is a copy.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="own">The container's.</param>
    public static bool Differs(Process process, Process own) =>
        process.User.Uid != own.User.Uid || process.User.Gid != own.User.Gid
        || !process.User.AdditionalGids.AsSpan().SequenceEqual(own.User.AdditionalGids)
        || (own.NoNewPrivileges && !process.NoNewPrivileges) || process.OomScoreAdj != own.OomScoreAdj
        || process.ApparmorProfile != own.ApparmorProfile || process.SelinuxLabel != own.SelinuxLabel
        || HasOtherCapabilities(process.Capabilities ?? new(), own.Capabilities ?? new()) || HasOtherLimits(process.Rlimits, own.Rlimits);

    private static bool HasOtherCapabilities(ProcessCapabilities its, ProcessCapabilities own) =>
        !Same(its.Bounding, own.Bounding) || !Same(its.Effective, own.Effective) || !Same(its.Inheritable, own.Inheritable)
        || !Same(its.Permitted, own.Permitted) || !Same(its.Ambient, own.Ambient);

    private static bool Same(string[] its, string[] own) => its.AsSpan().SequenceEqual(own);

    private static bool HasOtherLimits(Rlimit[] its, Rlimit[] own)
    {
        if (its.Length != own.Length) return true;
        for (int i = 0; i < its.Length; i++) if (its[i].Type != own[i].Type || its[i].Hard != own[i].Hard) return true;
        return false;
    }

    /// <summary>
    /// What the file leaves out is as for the container's process, and not unlimited or unconfined (runc). A missing oomScoreAdj would
    /// be the caller's, often that of a protected daemon.
    /// </summary>
    /// <param name="process">The file's.</param>
    /// <param name="own">The container's.</param>
    /// <param name="absent">Its members that were left out.</param>
    public static Process Complete(Process process, Process own, out string[] absent)
    {
        List<string> names = [];
        foreach ((string member, Func<Process, bool> isAbsent, Action<Process, Process> take) in Optional)
        {
            if (!isAbsent(process)) continue;
            take(process, own);
            names.Add(member);
        }
        absent = [.. names];
        return process;
    }

    /// <summary>As <see cref="ExecSettings.PlaceOf"/> has it: the file, or the option, that says so.</summary>
    public string? PlaceOf(string pointer)
    {
        if (File is not null) return IsOf(pointer, _absent) ? null : $"--process {File}: /{pointer}";
        return pointer switch
        {
            "cwd" when Cwd is not null => "--cwd",
            "user" when User is not null => "--user",
            "user/additionalGids" when AdditionalGids.Count > 0 => "--additional-gids",
            _ when Capabilities.Count > 0 && IsOf(pointer, ["capabilities"]) => "--cap",
            "apparmorProfile" when ApparmorProfile is not null => "--apparmor",
            "selinuxLabel" when SelinuxLabel is not null => "--process-label",
            "noNewPrivileges" when NoNewPrivileges => "--no-new-privs",
            "terminal" => "--tty",
            "args" => "command",
            _ => null,
        };
    }

    /// <summary>Whether a pointer is to one of these members, or to something in it.</summary>
    public static bool IsOf(string pointer, string[] members) => Array.IndexOf(members, pointer.Split('/')[0]) >= 0;

    private static List<string> Variables(List<string> given)
    {
        foreach (string variable in given)
        {
            if (variable.IndexOf('=') <= 0) throw new OciException($"--env {SpecText.Quote(variable)}: must have the form NAME=VALUE");
        }
        return given;
    }

    /// <summary>Without a group the container's stays (runc).</summary>
    private static void SetUser(string text, User user)
    {
        string[] parts = text.Split(':');
        if (parts.Length > 2) throw new OciException($"--user {text}: must have the form UID[:GID]");
        user.Uid = Id("--user", text, parts[0]);
        if (parts.Length == 2) user.Gid = Id("--user", text, parts[1]);
    }

    // 4294967295 is -1, "leave alone", to setresuid(2).
    private static uint Id(string option, string whole, string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id != uint.MaxValue ? id
        : throw new OciException(
            $"{option} {whole}: \"{text}\" is not a number from 0 to 4294967294; names of the container's /etc/passwd are not looked up");

    /// <summary>Adds, as runc does. An ambient capability has to be inheritable, too (capabilities(7)).</summary>
    private static void AddCapabilities(List<string> given, ProcessCapabilities sets)
    {
        foreach (string text in given)
        {
            string name = text.ToUpperInvariant();
            if (!name.StartsWith("CAP_", StringComparison.Ordinal)) name = "CAP_" + name;
            if (CapabilityNames.Number(name) < 0) throw new OciException($"--cap {text}: not a known capability");
            sets.Bounding = [.. sets.Bounding, name];
            sets.Effective = [.. sets.Effective, name];
            sets.Permitted = [.. sets.Permitted, name];
            if (Array.IndexOf(sets.Inheritable, name) >= 0) sets.Ambient = [.. sets.Ambient, name];
        }
    }
}
