using System.Globalization;
using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Verify;

/// <summary>
/// What each process may do: capabilities, no_new_privs, the seccomp filter's mode, ids, labels. Less than promised is no breach.
/// </summary>
internal static class PrivilegeProof
{
    private const string Title = "privileges", Ids = "ids";

    public static IEnumerable<ProcessPromise> OfProcesses(Subject subject)
    {
        yield return Capabilities(subject);
        if (subject.NoNewPrivileges)
        {
            yield return new(new(Title, "/process/noNewPrivileges", "no privileges by execve (no_new_privs)"),
                static process => process.Status("NoNewPrivs") switch
                {
                    "1" => Seen.Held,
                    null => Seen.Unchecked("the kernel does not show it"),
                    _ => new(Outcome.Broken, "it may gain privileges by execve"),
                })
            { MayDifferWhenEntered = true };
        }
        if (subject.Plan.Find<SeccompStep>() is not null)
        {
            bool late = subject.HasFilterLater;
            yield return new(new(Title, "/linux/seccomp", "a seccomp filter"), process => process.Status("Seccomp") switch
            {
                "2" => Seen.Held,
                null => Seen.Unchecked("the kernel does not show it"),
                _ when late => Seen.Unchecked("it is loaded at the start"),
                _ => new(Outcome.Broken, "it has none"),
            });
        }
        foreach (ProcessPromise promise in OfIds(subject)) yield return promise;
        if (subject.Spec.Process!.ApparmorProfile is { Length: > 0 } profile)
            yield return Label(subject, "/process/apparmorProfile", profile, "attr/apparmor/current");
        if (subject.Spec.Process.SelinuxLabel is { Length: > 0 } label)
            yield return Label(subject, "/process/selinuxLabel", label, "attr/current");
    }

    /// <summary>
    /// The kernel shows nobody which keyring another process has, but to whoever may view them, as the user may who has made them, all
    /// that there are (proc(5), /proc/keys).
    /// </summary>
    public static void AddKeyring(Report report, Subject subject)
    {
        if (subject.Plan.Find<SessionKeyringStep>() is not { } step) return;
        Seen seen = Seen.Unchecked("the kernel shows nobody that of another process");
        bool isOurs = subject.State.OwnerUid == Processes.EffectiveUid() && !subject.Plan.InUserNamespace
            && string.IsNullOrEmpty(subject.Spec.Process!.SelinuxLabel);
        if (isOurs && Files.ReadFileAt(Files.AT_FDCWD, "/proc/keys", 1 << 20, out _) is { Length: > 0 } keys
            && !HasKeyring(Encoding.UTF8.GetString(keys), step.Name))
        {
            seen = Subject.Other(!subject.IsWaiting, $"there is no keyring of the name {step.Name}");
        }
        report.Add(Title, "", "a session keyring of its own", seen);
    }

    /// <summary>Whether /proc/keys has one that is neither revoked nor invalidated.</summary>
    internal static bool HasKeyring(string keys, string name)
    {
        foreach (string line in keys.Split('\n'))
        {
            // ID FLAGS USAGE TIMEOUT PERMISSIONS UID GID TYPE DESCRIPTION, "keyring   _ses.web: 1".
            string[] fields = line.Split(' ', 9, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 9 && fields[7] == "keyring" && fields[8].LastIndexOf(':') is > 0 and var colon
                && fields[8][..colon] == name && fields[1].AsSpan().IndexOfAny('R', 'i') < 0)
            {
                return true;
            }
        }
        return false;
    }

    private static ProcessPromise Capabilities(Subject subject)
    {
        CapabilitySets sets = subject.Sets;
        ulong reachable = subject.Reachable;
        // A process may make heritable what it has (capset(2)), and ambient what it has made heritable.
        (string Field, string Name, ulong Promised, ulong Most)[] all =
        [
            ("CapBnd", "bounding", sets.Bounding, sets.Bounding), ("CapPrm", "permitted", sets.Permitted, reachable),
            ("CapEff", "effective", sets.Effective, reachable), ("CapInh", "inheritable", sets.Inheritable, reachable | sets.Inheritable),
            ("CapAmb", "ambient", sets.Ambient, reachable | sets.Ambient),
        ];
        bool isRoot = subject.Plan.Find<SetUserStep>() is { User.Uid: 0 };
        string words = sets.Permitted == 0 ? "no capabilities" : $"no capabilities but {CapabilitySets.Names(sets.Permitted)}";
        if (reachable != sets.Permitted) words += $", to begin with: programs may give it {CapabilitySets.Names(reachable)}";
        string pointer = subject.Spec.Process!.Capabilities is null ? "" : "/process/capabilities";
        return new(new(Title, pointer, words), process =>
        {
            // In a user namespace that it has made itself a process has all of them, over nothing else.
            if (subject.UserNamespace is { } container && Files.LevelsBelow(process.OpenLink("ns/user", Files.O_RDONLY), container) > 0)
                return Seen.Held;
            ulong more = 0, tooMany = 0;
            List<string> where = [];
            foreach ((string field, string name, ulong promised, ulong most) in all)
            {
                if (process.Capabilities(field) is not { } has) return Seen.Unchecked("the kernel does not show them");
                if ((has & ~promised) != 0) where.Add(name);
                more |= has & ~promised;
                tooMany |= has & ~most;
            }
            if (more == 0) return Seen.Held;
            string found = $"it has more ({string.Join(", ", where)}): {CapabilitySets.Names(more)}";
            if (tooMany != 0 || subject.IsUnstarted(process)) return new(Outcome.Broken, found);
            // From one of its sets to another it moves them as it likes.
            if ((more & ~sets.Permitted) == 0) return Seen.Unchecked($"{found}; all of that it was permitted");
            return isRoot ? Seen.Unchecked($"{found}; each execve gives root all that is in the bounding set")
                : new(Outcome.Drifted, $"{found}; a program with more privileges than its user's may have given it that");
        })
        { MayDifferWhenEntered = true };
    }

    private static IEnumerable<ProcessPromise> OfIds(Subject subject)
    {
        if (subject.Plan.Find<SetUserStep>() is not { User: var user } step) yield break;
        Func<uint, uint?>? uids = Mapping(subject, "uid_map"), gids = Mapping(subject, "gid_map");
        if (uids is null || gids is null)
        {
            yield return new(new(Ids, "/process/user", $"uid {user.Uid}, gid {user.Gid}"),
                static _ => Seen.Unchecked("the id maps cannot be read"));
            yield break;
        }
        // A program with the set-user-ID bit is another's.
        bool programs = !subject.NoNewPrivileges;
        bool mayUser = !subject.IsWaiting && (programs || subject.MayHave(Credentials.CAP_SETUID));
        bool mayGroup = !subject.IsWaiting && (programs || subject.MayHave(Credentials.CAP_SETGID));
        string free = mayUser || mayGroup ? ", to begin with: it may change them" : "";
        yield return new(new(Ids, "/process/user", $"uid {user.Uid}, gid {user.Gid}{free}"), process =>
        {
            if (process.Status("Uid") is not { } uid || process.Status("Gid") is not { } gid)
                return Seen.Unchecked("the kernel does not show them");
            bool sameUser = AreAll(uid, uids(user.Uid)), sameGroup = AreAll(gid, gids(user.Gid));
            string found = $"on the host its uids are {Spaced(uid)}, its gids {Spaced(gid)}";
            return sameUser && sameGroup ? Seen.Held
                : subject.IsUnstarted(process) || !(sameUser || mayUser) || !(sameGroup || mayGroup) ? new(Outcome.Broken, found)
                : Changed(process, found);
        })
        { MayDifferWhenEntered = true };
        if (step.Groups == GroupPolicy.Keep) yield break;
        HashSet<uint?> wanted = [.. user.AdditionalGids.Select(gids)];
        string words = wanted.Count == 0 ? "no other groups" : $"no other groups but {string.Join(' ', user.AdditionalGids)}";
        yield return new(new(Ids, "/process/user/additionalGids", $"{words}{(mayGroup ? free : "")}"), process =>
        {
            if (process.Status("Groups") is not { } groups) return Seen.Unchecked("the kernel does not show them");
            if (Numbers(groups).All(one => wanted.Contains(one))) return Seen.Held;
            string found = $"on the host its groups are {Spaced(groups)}";
            if (step.Groups == GroupPolicy.MayBeDenied) return Seen.Unchecked($"{found}, as where the user namespace denies setgroups");
            return subject.IsUnstarted(process) || !mayGroup ? new(Outcome.Broken, found) : Changed(process, found);
        })
        { MayDifferWhenEntered = true };

        // What begins as root and gives that up has less, whatever groups it takes with it: servers do so each time that they start.
        Seen Changed(ProcessFiles process, string found) =>
            user.Uid == 0 && process.Status("Uid") is { } now && !Numbers(now).Any(one => one == uids(0))
                ? Seen.Unchecked($"{found}; it may have given its own up, as what begins as root does") : new(Outcome.Drifted, found);
    }

    private static bool AreAll(string field, uint? id) => Numbers(field).All(one => one == id);

    private static IEnumerable<uint> Numbers(string field) => field.Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries)
        .Select(static word => uint.Parse(word, NumberStyles.None, CultureInfo.InvariantCulture));

    private static string Spaced(string field) => string.Join(' ', Numbers(field).Distinct());

    /// <summary>
    /// From an id of the container to that of the first user namespace, in which parameters of file systems are shown; null where this
    /// process cannot tell.
    /// </summary>
    public static Func<uint, uint?>? Shown(Subject subject, string file) =>
        Host.UserNamespace.IsNested() ? null : Mapping(subject, file);

    /// <summary>From an id of the container to what this process sees; null where its map cannot be had.</summary>
    private static Func<uint, uint?>? Mapping(Subject subject, string file)
    {
        if (subject.UserNamespace is not { } its) return null;
        if (Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx own) < 0) return null;
        // Of its own namespace a process is shown the map to the one above.
        if (its.Identity == own.Identity) return static id => id;
        if (subject.IdMap(file, out _) is not { } text) return null;
        uint[][] rows = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => (uint[])[.. Numbers(line)])];
        return id => Array.Find(rows, row => id - row[0] < row[2]) is { } mapped ? mapped[1] + (id - mapped[0]) : null;
    }

    private static ProcessPromise Label(Subject subject, string pointer, string label, string file) =>
        new(new(Title, pointer, $"the label {label}"), process =>
        {
            if (subject.IsWaiting) return Seen.Unchecked("it is taken at the start");
            string? text = process.Text(file, out long error) ?? process.Text("attr/current", out error);
            if (text is null) return Seen.Unchecked(ErrnoText.Full((int)-error));
            // AppArmor puts the mode behind it: "name (enforce)".
            string own = text.TrimEnd('\0', '\n');
            int mode = own.LastIndexOf(" (", StringComparison.Ordinal);
            string name = mode > 0 && own.EndsWith(')') ? own[..mode] : own;
            if (name == label || name.Split("//&").Contains(label)) return Seen.Held;
            return name is "unconfined" or "kernel" or "" ? new(Outcome.Broken, $"it has {(own.Length == 0 ? "none" : own)}")
                : new(Outcome.Drifted, $"it has {own}, as a program with a label of its own does");
        })
        { MayDifferWhenEntered = true };
}
