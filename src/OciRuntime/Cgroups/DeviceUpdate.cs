using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Device rules of running processes, changed so that at no moment anything is allowed, or refused, that both the old and the new rules refuse, or allow.</summary>
internal static class DeviceUpdate
{
    private const string Allow = "devices.allow", Deny = "devices.deny";

    /// <summary>Puts the rules in the place of those that are in force.</summary>
    /// <param name="directory">The cgroup, not an O_PATH fd.</param>
    /// <param name="unified">Whether it is one of v2.</param>
    /// <param name="wanted">The new rules.</param>
    /// <param name="cgroups">The container's, to stop it where the change takes more than one step.</param>
    /// <returns>0, or the negated errno of what could not even be begun.</returns>
    /// <exception cref="OciException">One rule was refused: the message names it.</exception>
    public static long Apply(int directory, bool unified, DeviceFilter wanted, CgroupControl cgroups)
    {
        if (unified) return DeviceProgram.Attach(directory, wanted, replaceOld: true);
        string list = CgroupFiles.ReadAll(directory, "devices.list");
        // Of a cgroup that allows by default the kernel shows that and not the exceptions (devcgroup_seq_show()).
        if (wanted.DefaultAllow || list.StartsWith('a')) return Anew(directory, wanted, cgroups);
        Run(directory, Difference(Parse(list), wanted.Exceptions()), takeBack: true);
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
            rules.Add(new(true, fields[0][0], Number(fields[1]), Number(fields[2]), DeviceFilter.ParseAccess(fields[3], "devices.list")));
        }
        return rules;
    }

    private static int Number(string text) => text == "*" ? DeviceFilterRule.Any : int.Parse(text);

    // Another verdict on everything else is a fresh start, with a moment in which all or nothing is allowed: while nobody runs.
    private static long Anew(int directory, DeviceFilter wanted, CgroupControl cgroups)
    {
        bool paused = cgroups.IsFrozen();
        if (!paused) cgroups.Freeze();
        try
        {
            long result = CgroupFiles.Write(directory, wanted.DefaultAllow ? Allow : Deny, "a");
            if (result < 0) return result;
            string file = wanted.DefaultAllow ? Deny : Allow;
            // What was there cannot be read, so it cannot come back either: the new rules, but for the one that is refused.
            Run(directory, wanted.Exceptions().ConvertAll(rule => (file, rule)), takeBack: false);
            return 0;
        }
        finally
        {
            if (!paused) cgroups.Thaw();
        }
    }

    private static void Run(int directory, List<(string File, DeviceFilterRule Rule)> writes, bool takeBack)
    {
        OciException? failure = null;
        for (int i = 0; i < writes.Count; i++)
        {
            (string file, DeviceFilterRule rule) = writes[i];
            long result = CgroupFiles.Write(directory, file, rule.KernelText);
            if (result >= 0) continue;
            failure ??= CgroupHints.DeviceRule(result, file, rule);
            if (!takeBack) continue;
            while (--i >= 0) CgroupFiles.Write(directory, writes[i].File == Allow ? Deny : Allow, writes[i].Rule.KernelText);
            break;
        }
        if (failure != null) throw failure;
    }
}
