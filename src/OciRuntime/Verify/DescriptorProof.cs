using System.Globalization;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Verify;

/// <summary>
/// Nothing of the host is left in a process's hands: no descriptor of the runtime's that execve would keep, no directory outside of the
/// container, by which all of the host can be reached (CVE-2024-21626).
/// </summary>
/// <param name="subject">The container.</param>
/// <param name="tree">Its files.</param>
/// <param name="host">Those of the host.</param>
internal sealed class DescriptorProof(Subject subject, FileTree tree, FileTree host)
{
    private const string Title = "descriptors";

    // Of each process so many are looked at.
    private const int Most = 4096;

    // And of all together so many, with mount tables of so many bytes: what a container has of either is up to itself.
    private int _left = 1 << 20, _leftOfTables = 64 << 20;

    private readonly HashSet<ulong> _hosts = Numbers(host.Mounts);
    private readonly HashSet<ulong> _containers = Numbers(tree.Mounts);

    public IEnumerable<ProcessPromise> OfProcesses()
    {
        if (subject.IsWaiting)
        {
            yield return new(new(Title, "", "no descriptor goes to the program but standard streams and those it is given"),
                process => IsRuntimes(process) ? Inherited(process) : Seen.Held);
        }
        // Whoever is in the host's mount namespace has its directories.
        if (subject.Namespaces.Has(Processes.CLONE_NEWNS))
            yield return new(new(Title, "", "no directory of the host is open, or that of a process"), Outside);
    }

    private static HashSet<ulong> Numbers(List<MountEntry> mounts) => [.. mounts.ConvertAll(static mount => mount.Id)];

    /// <summary>The first one before execve. A program, as exec may have brought one, has descriptors of its own.</summary>
    private bool IsRuntimes(ProcessFiles process) => subject.IsWaiting && process.Pid == subject.Init.Pid;

    private Seen Inherited(ProcessFiles process)
    {
        List<string> names = process.List("fd", Most, out long error);
        if (error < 0) return Seen.Unchecked(ErrnoText.Full((int)-error));
        foreach (string name in names)
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < 3 + subject.State.KeptFds)
                continue;
            if (IsClosed(process, name) == false) return new(Outcome.Broken, $"descriptor {name} is kept by execve");
        }
        return Seen.Held;
    }

    private Seen Outside(ProcessFiles process)
    {
        if (host.Untold.Length > 0) return Seen.Unchecked($"what the host's mounts are: {host.Untold}");
        HashSet<ulong>? own = null;
        Seen worst = Seen.Held;
        foreach (string link in (string[])["root", "cwd"])
        {
            Seen seen = Judge(process, link, $"its {(link == "cwd" ? "working" : "root")} directory", ref own);
            if (seen.Outcome == Outcome.Broken) return seen;
            if (worst.Outcome == Outcome.Held) worst = seen;
        }
        List<string> names = process.List("fd", Most + 1, out long error);
        if (error < 0) return Seen.Unchecked(ErrnoText.Full((int)-error));
        foreach (string name in names.Take(Most))
        {
            if (--_left < 0) return worst.Outcome != Outcome.Held ? worst : Seen.Unchecked("all processes have too many descriptors");
            Seen seen = Judge(process, "fd/" + name, $"descriptor {name}", ref own);
            if (seen.Outcome == Outcome.Held || (IsRuntimes(process) && IsClosed(process, name) == true)) continue;
            if (seen.Outcome == Outcome.Broken && subject.State.KeptFds == 0) return seen;
            if (worst.Outcome != Outcome.Held) continue;
            worst = seen.Outcome == Outcome.Broken ? Seen.Unchecked($"{seen.Found}; it may be one that the program was given") : seen;
        }
        return names.Count <= Most || worst.Outcome != Outcome.Held ? worst
            : Seen.Unchecked($"it has more than {Most} descriptors");
    }

    /// <param name="process">The process.</param>
    /// <param name="link">What leads to it.</param>
    /// <param name="words">What it is to the process.</param>
    /// <param name="own">The mounts that the process sees, once they have been read.</param>
    private Seen Judge(ProcessFiles process, string link, string words, ref HashSet<ulong>? own)
    {
        long mount = process.MountOf(link);
        if (mount is -Errno.ENOTDIR or -Errno.ENOENT && link.StartsWith("fd/", StringComparison.Ordinal)) return Seen.Held;
        if (mount < 0) return Seen.Unchecked($"{words}: {ErrnoText.Full((int)-mount)}");
        if (_hosts.Contains((ulong)mount)) return new(Outcome.Broken, $"{words} is a directory of the host");
        if (_containers.Contains((ulong)mount)) return Seen.Held;
        // It may have a mount namespace that was made inside, and below a root of its own it does not see all of the container's.
        own ??= Own(process);
        if (own.Contains((ulong)mount)) return Seen.Held;
        // Also a mount that is detached, or in a mount namespace that others of the container have made. And the host's, if whoever made
        // the container has another mount namespace than this process.
        string found = $"{words} is on a mount that neither the container nor the host has, as seen from here";
        return IsRuntimes(process) && tree.Untold.Length == 0 ? new(Outcome.Broken, found) : Seen.Unchecked(found);
    }

    private HashSet<ulong> Own(ProcessFiles process)
    {
        HashSet<ulong> own = [];
        if (_leftOfTables <= 0 || process.MountText(out _) is not { } text) return own;
        _leftOfTables -= text.Length;
        ReadOnlySpan<byte> left = text;
        while (MountLine.TryTake(ref left, out MountLine line)) own.Add(line.Id);
        return own;
    }

    /// <summary>
    /// By execve; null where it is gone. Only of the runtime's own process is fdinfo read (<see cref="ProcessFiles.MountOf"/>).
    /// </summary>
    private static bool? IsClosed(ProcessFiles process, string descriptor)
    {
        const string Key = "flags:";
        foreach (string line in (process.Text("fdinfo/" + descriptor, out _) ?? "").Split('\n'))
        {
            if (line.StartsWith(Key, StringComparison.Ordinal))
                return (Convert.ToInt64(line[Key.Length..].Trim(), 8) & Files.O_CLOEXEC) != 0;
        }
        return null;
    }
}
