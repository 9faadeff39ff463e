using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>Takes away what a failed test or a killed run left, so that the next one starts clean.</summary>
internal static class Cleaner
{
    /// <summary>Unmounts everything below a directory of this mount namespace and returns what it was.</summary>
    internal static List<string> UnmountBelow(string directory)
    {
        List<string> left = [.. MountInfo.Of().Select(mount => mount.MountPoint)
            .Where(path => path.StartsWith(directory + "/", StringComparison.Ordinal)).Reverse()];
        foreach (string path in left) _ = Libc.umount2(path, Libc.MNT_DETACH);
        return left;
    }

    /// <summary>Deletes a tree without following links; a mount below it is an error.</summary>
    internal static void DeleteTree(string directory)
    {
        if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
    }

    /// <summary>
    /// Removes what <see cref="HostSnapshot.Diff"/> calls new, as far as it is this run's: processes, mounts, cgroups, then files.
    /// </summary>
    internal static void Remove(IReadOnlyList<string> difference)
    {
        foreach (string process in OfKind(difference, "process")) _ = Syscall.kill(int.Parse(process.Split('@')[0]), Signum.SIGKILL);
        foreach (string mount in OfKind(difference, "mount").Select(line => line.Split(' ')[0]).Where(IsOurs).Reverse())
            _ = Libc.umount2(mount, Libc.MNT_DETACH);
        foreach (string cgroup in OfKind(difference, "cgroup").Reverse()) RemoveCgroup(cgroup);
        foreach (string path in OfKind(difference, "file").Where(IsOurs))
        {
            if (Directory.Exists(path)) DeleteTree(path);
            else File.Delete(path);
        }
    }

    private static bool IsOurs(string path) => path.StartsWith(TestRun.Root + "/", StringComparison.Ordinal);

    private static IEnumerable<string> OfKind(IReadOnlyList<string> difference, string kind) =>
        difference.Where(line => line.StartsWith($"+ {kind} ", StringComparison.Ordinal)).Select(line => line[(kind.Length + 3)..]);

    /// <summary>Kills what is in the cgroups whose path contains the token, then removes them.</summary>
    internal static void RemoveCgroups(string token)
    {
        foreach (string cgroup in CgroupHost.Find(token)) RemoveCgroup(cgroup);
    }

    private static void RemoveCgroup(string cgroup)
    {
        KillMembers(cgroup);
        // The kernel empties a cgroup only after its processes are gone, and their parent may be slow to reap.
        Eventually.Becomes(() => TryRemove(cgroup), TimeSpan.FromSeconds(2));
    }

    /// <summary>Kills what runs below this process.</summary>
    internal static void KillDescendants()
    {
        foreach (int pid in ProcessTree.DescendantsOf(Environment.ProcessId)) _ = Syscall.kill(pid, Signum.SIGKILL);
    }

    /// <summary>Removes the empty cgroups that lie above the containers' own: runtimes leave parents alone.</summary>
    internal static void RemoveEmptyParents(string token)
    {
        foreach (string cgroup in CgroupHost.Find(token).Where(path => Path.GetFileName(path) == token)) TryRemove(cgroup);
    }

    /// <summary>Cleans up after earlier runs whose process is gone.</summary>
    internal static void RemoveStaleRuns()
    {
        foreach (string root in Directory.GetDirectories(TestRun.Parent, TestRun.RootPrefix + "*"))
        {
            string pid = Path.GetFileName(root)[TestRun.RootPrefix.Length..];
            if (int.TryParse(pid, out int number) && !ProcessTree.Exists(number))
            {
                RemoveCgroups($"{TestRun.TokenPrefix}{pid}");
                UnmountBelow(root);
                DeleteTree(root);
            }
        }
        foreach (string user in File.ReadAllLines("/etc/passwd").Select(line => line.Split(':')[0])
            .Where(name => name.StartsWith(TestRun.TokenPrefix, StringComparison.Ordinal)))
        {
            if (int.TryParse(user[TestRun.TokenPrefix.Length..], out int number) && !ProcessTree.Exists(number))
                Command.Run("userdel", user);
        }
    }

    private static void KillMembers(string cgroup)
    {
        foreach (string pid in ProcessTree.ReadOrEmpty($"{cgroup}/cgroup.procs").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            _ = Syscall.kill(int.Parse(pid), Signum.SIGKILL);
        // A frozen process on v1 does not die until it is thawed.
        string freezer = $"{cgroup}/freezer.state";
        if (File.Exists(freezer)) File.WriteAllText(freezer, "THAWED");
    }

    private static bool TryRemove(string cgroup)
    {
        try
        {
            Directory.Delete(cgroup);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
