using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Device rules of running processes, changed so that at no moment anything is allowed, or refused, that both the old and the new rules
/// refuse, or allow.
/// </summary>
internal static class DeviceUpdate
{
    // Milliseconds.
    private const int LongestPause = 64;

    private const string Allow = ControlFile.DevicesAllow, Deny = ControlFile.DevicesDeny;

    /// <summary>Puts the rules in the place of those that are in force.</summary>
    /// <param name="directory">The cgroup, not an O_PATH fd.</param>
    /// <param name="unified">Whether it is one of v2.</param>
    /// <param name="wanted">The new rules.</param>
    /// <param name="program">What its program on v2 is called; others' stay.</param>
    /// <param name="cgroups">The container's, to stop it where the change takes more than one step.</param>
    /// <param name="hasChanged">Something is not as it was before, also where this fails.</param>
    /// <returns>0, or the negated errno of what could not even be begun.</returns>
    /// <exception cref="OciException">One rule was refused: the message names it.</exception>
    public static long Apply(int directory, bool unified, DeviceFilter wanted, string program, CgroupControl cgroups, out bool hasChanged)
    {
        hasChanged = false;
        if (unified) return DeviceProgram.Replace(directory, wanted, program, out hasChanged);
        // First of all, because some rules are not to be had on v1.
        List<DeviceFilterRule> exceptions = wanted.Exceptions();
        string list = CgroupFiles.Read(directory, "devices.list", out _);
        // Of a cgroup that allows by default the kernel shows that and not the exceptions (devcgroup_seq_show()).
        bool open = list.StartsWith('a');
        if (open || wanted.DefaultAllow) return Anew(directory, open, wanted.DefaultAllow, exceptions, cgroups, ref hasChanged);
        Run(directory, Difference(Parse(list), exceptions), takeBack: true, ref hasChanged);
        return 0;
    }

    /// <summary>What differs between two lists of what is allowed: first what is added, then what is taken away.</summary>
    internal static List<(string File, DeviceFilterRule Rule)> Difference(List<DeviceFilterRule> old, List<DeviceFilterRule> wanted)
    {
        List<(string, DeviceFilterRule)> writes = [];
        Add(Allow, wanted, old);
        Add(Deny, old, wanted);
        return writes;

        void Add(string file, List<DeviceFilterRule> these, List<DeviceFilterRule> others)
        {
            foreach (DeviceFilterRule rule in these)
            {
                DeviceAccess rest = rule.Access & ~others.Find(other => DeviceFilter.SameDevice(other, rule)).Access;
                if (rest != DeviceAccess.None) writes.Add((file, rule with { Access = rest }));
            }
        }
    }

    /// <summary>Lines of devices.list: "c 1:3 rwm", "b *:* m".</summary>
    internal static List<DeviceFilterRule> Parse(string list)
    {
        List<DeviceFilterRule> rules = [];
        foreach (string line in list.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split((char[])[' ', ':']);
            rules.Add(new(true, fields[0][0], Number(fields[1]), Number(fields[2]), DeviceFilter.ParseAccess(fields[3])));
        }
        return rules;
    }

    private static int Number(string text) => text == "*" ? DeviceFilterRule.Any : int.Parse(text);

    // A fresh start, with a moment in which all or nothing is allowed if exceptions have to follow: while nobody runs.
    private static long Anew(int directory, bool open, bool allow, List<DeviceFilterRule> exceptions, CgroupControl cgroups,
        ref bool hasChanged)
    {
        bool freeze = exceptions.Count > 0 && !cgroups.IsFrozen();
        if (freeze) cgroups.Freeze();
        try
        {
            long result = Reset(directory, allow ? Allow : Deny);
            // The kernel does not start afresh above other cgroups. What stays open (a privileged container, mostly) need not.
            if (result < 0 && !(result == -Errno.EINVAL && open && allow)) return result;
            hasChanged = true;
            string file = allow ? Deny : Allow;
            // What was there cannot be read, so it cannot come back either: the new rules, but for the one that is refused.
            Run(directory, exceptions.ConvertAll(rule => (file, rule)), takeBack: false, ref hasChanged);
            return 0;
        }
        finally
        {
            if (freeze) cgroups.Thaw();
        }
    }

    // EINVAL also above a cgroup that has just been removed, for the moments until the kernel is done with it.
    private static long Reset(int directory, string file)
    {
        long result = CgroupFiles.Write(directory, file, "a");
        bool any = false;
        if (result == -Errno.EINVAL)
        {
            CgroupFiles.Rewind(directory);
            // Unreadable counts as none: then the kernel's answer stands, after the pauses.
            CgroupFiles.Children(directory, (_, _) => !(any = true));
        }
        for (int pause = 1; result == -Errno.EINVAL && !any && pause <= LongestPause; pause *= 2)
        {
            Processes.Sleep(pause);
            result = CgroupFiles.Write(directory, file, "a");
        }
        return result;
    }

    private static void Run(int directory, List<(string File, DeviceFilterRule Rule)> writes, bool takeBack, ref bool hasChanged)
    {
        OciException? failure = null;
        for (int i = 0; i < writes.Count; i++)
        {
            (string file, DeviceFilterRule rule) = writes[i];
            long result = CgroupFiles.Write(directory, file, rule.KernelText);
            hasChanged |= result >= 0;
            if (result >= 0) continue;
            failure ??= CgroupHints.DeviceRule(result, file, rule);
            if (!takeBack) continue;
            hasChanged = !TakeBack(directory, writes[..i]);
            break;
        }
        if (failure is not null) throw failure;
    }

    // The failure that led here is the one to tell.
    private static bool TakeBack(int directory, List<(string File, DeviceFilterRule Rule)> writes)
    {
        bool all = true;
        for (int i = writes.Count - 1; i >= 0; i--)
            all &= CgroupFiles.Write(directory, writes[i].File == Allow ? Deny : Allow, writes[i].Rule.KernelText) >= 0;
        return all;
    }
}
