using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Verify;

/// <summary>
/// Settings of the container's namespaces: names and sysctls. The kernel shows them to whoever is inside, so a process of the runtime's own
/// is, for the moment of a read: nothing of the container's is executed or looked up.
/// </summary>
internal static class KernelProof
{
    private const string Title = "kernel", Hostname = "sys/kernel/hostname", Domainname = "sys/kernel/domainname";

    // The only one of a namespace's that the kernel keeps as a set (proc_do_large_bitmap()): sorted, and in ranges.
    private const string Bitmap = "sys/net/ipv4/ip_local_reserved_ports";

    // What the kernel shows depends on these, and in the user namespace whoever made it has the right to enter the others.
    private const ulong Entered = Processes.CLONE_NEWUSER | Processes.CLONE_NEWUTS | Processes.CLONE_NEWIPC | Processes.CLONE_NEWNET;

    public static void Add(Report report, Subject subject)
    {
        List<(PlanStep Step, string Path, string Value)> settings = [];
        foreach (PlanStep step in subject.Plan.Steps)
        {
            if (step is HostnameStep host) settings.Add((step, Hostname, host.Name));
            if (step is DomainnameStep domain) settings.Add((step, Domainname, domain.Name));
            if (step is SysctlStep sysctl) settings.Add((step, sysctl.Path, sysctl.Value));
        }
        if (settings.Count == 0) return;
        Setting[] found = Read(subject, settings.ConvertAll(static one => "/proc/" + one.Path), out string why);
        for (int i = 0; i < settings.Count; i++)
        {
            (PlanStep step, string path, string value) = settings[i];
            report.Add(Title, step.Origin.ToString(), step.Describe(), why.Length > 0 ? Seen.Unchecked(why)
                // A device may have been renamed since; and some files are to be written to only.
                : found[i].Error < 0 ? Seen.Unchecked(ErrnoText.Full((int)-found[i].Error))
                : IsSame(path, value, found[i].Value) ? Seen.Held : Changed(subject, path, $"it is {found[i].Value}"));
        }
    }

    private static Seen Changed(Subject subject, string path, string found)
    {
        if (MayChange(subject, path)) return new(Outcome.Drifted, found);
        string? name = SpecWords.NamespaceOfSysctl(path["sys/".Length..]);
        NamespaceKind kind = Array.Find(NamespaceNames.Kinds, one => one.Name == name);
        if (subject.HasMadeOwn(kind)) return new(Outcome.Drifted, $"{found}, in a {kind.Name} namespace that the first process has made");
        return IsOthersToo(subject, kind) ? new(Outcome.Drifted, $"{found}, and others are in that {kind.Name} namespace, too")
            : new(Outcome.Broken, found);
    }

    /// <summary>As the containers of a pod are in one network namespace: what those may change this one need not have.</summary>
    private static bool IsOthersToo(Subject subject, NamespaceKind kind)
    {
        if ((subject.Namespaces.New & kind.Flag) == 0 || subject.Init.Stat($"ns/{kind.File}", out Statx its) < 0) return true;
        HashSet<int> inside = subject.Members().Own;
        foreach (string name in Files.ListDirectory("/proc"))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && !inside.Contains(pid)
                && Files.StatAt(Files.AT_FDCWD, $"/proc/{name}/ns/{kind.File}", 0, out Statx stat) >= 0 && stat.Identity == its.Identity)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>A name takes CAP_SYS_ADMIN; a sysctl what its file asks for, if the file can be written to at all.</summary>
    private static bool MayChange(Subject subject, string path)
    {
        if (subject.IsWaiting) return false;
        if (subject.MayHave(Credentials.CAP_SYS_ADMIN)) return true;
        return !IsName(path) && !subject.Plan.Steps.Exists(step =>
            (step is ReadonlyPathStep fix && ContainerPath.IsBelow("proc/" + path, fix.Path))
            || (step is MaskPathStep mask && ContainerPath.IsBelow("proc/" + path, mask.Path)));
    }

    private static Setting[] Read(Subject subject, List<string> paths, out string why)
    {
        try
        {
            using Fd process = Fd.Of(Processes.PidFdOpen(subject.State.Init.Pid), $"open a pidfd of process {subject.State.Init.Pid}");
            // A number may have become another's before it was opened.
            if (!subject.Init.IsAlive) throw new OciException("the first process has ended", Errno.ESRCH);
            ulong others = 0;
            foreach (NamespaceKind kind in NamespaceNames.Kinds)
                if ((kind.Flag & Entered) != 0 && !IsOwn(subject.Init, kind)) others |= kind.Flag;
            why = "";
            return InsideSettings.Read(process.Number, others, [.. paths]);
        }
        catch (OciException e)
        {
            why = e.Message;
            return [];
        }
    }

    private static bool IsOwn(ProcessFiles init, NamespaceKind kind) => init.Stat($"ns/{kind.File}", out Statx its) >= 0
        && Files.StatAt(Files.AT_FDCWD, $"/proc/self/ns/{kind.File}", 0, out Statx own) >= 0 && its.Identity == own.Identity;

    /// <summary>Number by number, as the kernel reads and writes them, or word by word.</summary>
    internal static bool IsSame(string path, string wanted, string found)
    {
        if (IsName(path)) return wanted == found;
        if (path == Bitmap) return Members(wanted) is { } these && Members(found) is { } those && these.AsSpan().SequenceEqual(those);
        string[] a = Words(wanted), b = Words(found);
        return a.Length == b.Length && Array.TrueForAll([.. a.Zip(b)], static pair =>
            pair.First == pair.Second || (Number(pair.First) is { } number && number == Number(pair.Second)));
    }

    private static bool IsName(string path) => path is Hostname or Domainname;

    private static ulong[]? Members(string list)
    {
        const int Ports = 1 << 16;
        return CpuList.TryParse(list, Ports, out ulong[] members) || string.IsNullOrWhiteSpace(list) ? members : null;
    }

    private static string[] Words(string text) => text.Split((char[])[' ', '\t', '\n', ','], StringSplitOptions.RemoveEmptyEntries);

    /// <summary>As strtoul() with base 0: hexadecimal behind 0x, octal behind 0. Null for what is no number to the kernel.</summary>
    private static (bool IsNegative, ulong Amount)? Number(string word)
    {
        bool isNegative = word.StartsWith('-');
        string digits = isNegative ? word[1..] : word;
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase), isOctal = !isHex && digits.StartsWith('0');
        ulong amount = 0;
        if (isOctal)
        {
            foreach (char digit in digits)
            {
                if (digit is < '0' or > '7' || amount >> 61 != 0) return null;
                amount = (amount << 3) + (ulong)(digit - '0');
            }
        }
        else if (!ulong.TryParse(digits.AsSpan(isHex ? 2 : 0), isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture, out amount))
        {
            return null;
        }
        return (isNegative && amount != 0, amount);
    }
}
