using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;
using static OciRuntime.Tests.Cgroups.DeviceTests;
using CgroupHost = OciRuntime.Host.CgroupHost;
using CgroupMode = OciRuntime.Host.CgroupMode;
using Process = System.Diagnostics.Process;

namespace OciRuntime.Tests.Cgroups;

/// <summary>
/// Devices × kinds of access × lists of rules, asked of the kernel: of v1's controller and of v2's program, for new cgroups and for running
/// processes whose rules change. One process answers all; what it should say comes from a model that only reads the rules.
/// </summary>
public sealed class DeviceMatrixTests : CgroupFixture
{
    // Majors of 4000 and more belong to no driver (CHRDEV_MAJOR_MAX is 512), so that opening them does nothing.
    private static readonly (char Type, int Major, int Minor)[] Nodes =
    [
        ('c', 1, 3), ('c', 1, 5), ('c', 1, 11), ('c', 5, 2), ('c', 10, 200), ('c', 136, 999), ('c', 4000, 0), ('c', 4000, 1),
        ('c', 4001, 0), ('c', 4001, 1),
        ('b', 1, 3), ('b', 4000, 0), ('b', 4000, 1), ('b', 4001, 1),
    ];

    private static readonly DeviceRule DenyAll = Rule(false, null, access: "rwm"), AllowAll = Rule(true, "a");

    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = TestRun.NewDirectory("nodes");

    [TearDown]
    public void DeleteDirectory() => Cleaner.DeleteTree(_directory);

    private static IEnumerable<DeviceRule[]> Lists()
    {
        yield return [];
        yield return [DenyAll];
        yield return [AllowAll];
        yield return [DenyAll, AllowAll];
        yield return [AllowAll, DenyAll];
        yield return [DenyAll, Rule(true, "c", 4000, 0, "r")];
        yield return [Rule(true, "c", 4000, 0, "rw"), DenyAll];
        yield return [AllowAll, Rule(false, "c", 4000, 0)];
        yield return [Rule(false, "c", 4000, 0), AllowAll];
        // What every container may use stays, whatever a bundle says.
        yield return [AllowAll, Rule(false, "c", 1, 3), Rule(false, "c", 136), Rule(false, "c", 5, 2, "rw")];
        yield return [DenyAll, Rule(false, "c", -1, -1), Rule(false, "c", 1, 3, "m")];
        yield return [AllowAll, Rule(false, "c", -1, 0), Rule(false, "b", 4000)];
        yield return [DenyAll, Rule(true, "c", -1, 1), Rule(true, "b", 4000, -1, "w")];
        yield return [DenyAll, Rule(true, "a", 4000, 1, "rw")];
        yield return [DenyAll, Rule(true, "c", 4000), Rule(true, "c", 4000, 0, "r"), Rule(true, "c", 4000)];
        yield return [DenyAll, Rule(true, "c", 4000, 0, "rw"), Rule(false, "c", 4000, 0, "w"), Rule(true, "c", 4000, 0, "w"),
            Rule(false, "c", 4000, 0, "r")];
        yield return [DenyAll, Rule(true, "c", 4000), Rule(false, "c", 4000, 1)];
        yield return [AllowAll, Rule(false, "c", 4000, 0, "w"), Rule(true, "c", 4000, 0, "r"), Rule(false, "c", 4000, 1, "r")];
        Random random = new(5);
        string?[] types = [null, "a", "c", "c", "b"], accesses = [null, "r", "w", "m", "rw", "rm", "wm", "rwm"];
        int[] majors = [-1, 1, 136, 4000, 4001], minors = [-1, 0, 1, 3];
        for (int i = 0; i < 60; i++)
        {
            List<DeviceRule> rules = [random.Next(3) == 0 ? AllowAll : DenyAll];
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                rules.Add(Rule(random.Next(2) == 0, types[random.Next(5)], majors[random.Next(5)], minors[random.Next(4)],
                    accesses[random.Next(8)]));
            }
            yield return [.. rules];
        }
    }

    [TestCase("devices")]
    [TestCase("unified")]
    public void New_cgroups_allow_what_the_rules_say(string where)
    {
        using Asked probe = new(this);
        int number = 0, refused = 0;
        foreach (DeviceRule[] rules in Lists())
        {
            OpenCgroups entry;
            try
            {
                entry = Cgroup.Create(PlanOn(where, new() { Devices = rules }, "/" + number++));
            }
            catch (OciException e)
                when (where == "devices" && e.Message.Contains("cannot be expressed on cgroup v1", StringComparison.Ordinal))
            {
                refused++;
                continue;
            }
            entry.EnterByPid(probe.Pid);
            entry.Dispose();
            probe.ShouldAnswer(rules, where);
        }
        TestContext.Out.WriteLine($"{number} lists, {refused} of them not for this controller");
        (number - refused).Should().BeGreaterThan(40);
    }

    [TestCase("devices")]
    [TestCase("unified")]
    public void Running_processes_get_new_rules(string where)
    {
        CgroupPlan plan = PlanWithFreezer(where);
        using Asked probe = new(this);
        using (OpenCgroups entry = Cgroup.Create(plan)) entry.EnterByPid(probe.Pid);
        DeviceRule[] inForce = [];
        foreach (DeviceRule[] rules in Lists())
        {
            // An empty list says nothing.
            if (rules.Length == 0) continue;
            try
            {
                Cgroup.Apply(CgroupPlan.BuildUpdate(UpdateHost(where), plan.Paths, new() { Devices = rules },
                    plan.ProgramName));
                inForce = rules;
            }
            catch (OciException e)
                when (where == "devices" && e.Message.Contains("cannot be expressed on cgroup v1", StringComparison.Ordinal))
            {
                // Nothing has changed then.
            }
            probe.ShouldAnswer(inForce, where);
        }
        new CgroupControl(plan.Paths).IsFrozen().Should().BeFalse();
    }

    /// <summary>While the rules change, nothing that old and new rules allow is refused, and nothing passes that they refuse.</summary>
    [TestCase("devices")]
    [TestCase("unified")]
    public void There_is_no_moment_between_the_rules(string where)
    {
        CgroupPlan plan = PlanWithFreezer(where);
        foreach (string node in (string[])["1 3", "4000 0", "4001 0"])
            Command.Run("mknod", [$"{_directory}/{node.Replace(' ', '-')}", "c", .. node.Split(' ')]).ShouldSucceed();
        Process watch = StartProbe("devices-watch", "1000", "+1-3", "+4000-0", "-4001-0");
        CgroupPlan first = WithRules(plan, where, DenyAll, Rule(true, "c", 4000, 0));
        using (OpenCgroups entry = Cgroup.Create(first)) entry.EnterByPid(watch.Id);
        watch.StandardInput.WriteLine();
        DeviceRule[][] lists =
        [
            [DenyAll, Rule(true, "c", 4000, 0), Rule(true, "c", 4002, 0)],
            [Rule(true, "c", 4001, 0), DenyAll, Rule(true, "c", 4003, 0), Rule(true, "c", 4000, 0, "rw")],
            [AllowAll, Rule(false, "c", 4001, 0)],
            [AllowAll, Rule(false, "c", 4001), Rule(false, "c", 4002)],
        ];
        // How many rules pass by in a thousand rounds is the machine's affair.
        Task<string?> enough = watch.StandardOutput.ReadLineAsync();
        for (int i = 0; i < 200 || !enough.IsCompleted; i++)
        {
            Cgroup.Apply(CgroupPlan.BuildUpdate(UpdateHost(where), plan.Paths, new() { Devices = lists[i % lists.Length] },
                first.ProgramName));
        }
        watch.StandardInput.Close();
        enough.Result.Should().Be("enough");
        watch.StandardOutput.ReadToEnd().Should().Be("0\n");
    }

    [Test]
    public void V1_is_written_the_difference()
    {
        List<DeviceFilterRule> old = DeviceUpdate.Parse("c *:* m\nc 1:3 rwm\nb 8:* rw\nc 10:229 rw\n");
        List<DeviceFilterRule> wanted = DeviceUpdate.Parse("c *:* m\nc 1:3 rwm\nb 8:0 r\nc 10:229 wm\n");
        DeviceUpdate.Difference(old, old).Should().BeEmpty();
        DeviceUpdate.Difference(old, wanted).Select(w => $"{w.File} {w.Rule.KernelText}").Should().Equal(
            "devices.allow b 8:0 r", "devices.allow c 10:229 m", "devices.deny b 8:* rw", "devices.deny c 10:229 r");
    }

    /// <summary>What the parent does not have cannot be given, and then nothing has changed.</summary>
    [Test]
    public void A_rule_that_the_parent_refuses_is_named_and_the_others_are_taken_back()
    {
        Cgroup.Create(PlanOn("devices", new() { Devices = [DenyAll, Rule(true, "c", 4000, 0)] })).Dispose();
        CgroupPlan plan = PlanOn("devices", new() { Devices = [DenyAll] }, "/inner");
        Cgroup.Create(plan).Dispose();
        string list = plan.Paths[0] + "/devices.list", before = System.IO.File.ReadAllText(list);
        CgroupPlan update = CgroupPlan.BuildUpdate(UpdateHost("devices"), plan.Paths,
            new() { Devices = [DenyAll, Rule(true, "c", 4000, 0), Rule(true, "c", 4001, 0, "rw")] }, plan.ProgramName);
        FluentActions.Invoking(() => Cgroup.Apply(update)).Should().Throw<OciException>()
            .WithMessage(
            "/linux/resources/devices/2: write devices.allow = c 4001:0 rw: operation not permitted (EPERM): the parent cgroup does not "
            + "allow it");
        System.IO.File.ReadAllText(list).Should().Be(before);
    }

    // v1 may have to stop the processes, with the freezer of all hierarchies; of v2 the tests use what is mounted beside v1.
    private CgroupPlan PlanWithFreezer(string where) =>
        where == "unified" ? PlanOn(where) : Host.Find("devices") is null ? PlanOn(where) : Plan();

    private CgroupHost UpdateHost(string where) => where == "unified" ? new CgroupHost(CgroupMode.V2, [Host.Unified!]) : Host;

    private CgroupPlan WithRules(CgroupPlan plan, string where, params DeviceRule[] rules) =>
        CgroupPlan.Build(UpdateHost(where), new(Name, "/" + plan.Directories[0].Relative, new() { Devices = rules }));

    private Process StartProbe(params string[] arguments)
    {
        Process process = Start("sh", ["-c", "cd \"$0\"; read go; exec \"$@\"", _directory, Probe.HostPath, .. arguments]);
        return process;
    }

    /// <summary>A process that says what it may do.</summary>
    private sealed class Asked : IDisposable
    {
        private readonly Process _process;

        public Asked(DeviceMatrixTests tests)
        {
            _process = tests.StartProbe("devices");
            _process.StandardInput.WriteLine();
        }

        public int Pid => _process.Id;

        public void ShouldAnswer(DeviceRule[] rules, string where)
        {
            foreach ((char type, int major, int minor) in Nodes) _process.StandardInput.WriteLine($"{type} {major} {minor}");
            foreach ((char type, int major, int minor) in Nodes)
            {
                string answer = _process.StandardOutput.ReadLine() ?? "";
                bool Allowed(DeviceAccess access) => Model(rules, type, major, minor, access);
                string expected = (Allowed(DeviceAccess.Make) ? "m" : "") + (Allowed(DeviceAccess.Read) ? "r" : "")
                    + (Allowed(DeviceAccess.Write) ? "w" : "");
                bool both = Allowed(DeviceAccess.Read | DeviceAccess.Write);
                // v1 wants one exception that has both kinds of access; two that have one each do not do.
                string[] accepted = where == "devices" && both ? [expected + "b.", expected + "."] : [expected + (both ? "b." : ".")];
                accepted.Should()
                    .Contain(answer, "{0} {1}:{2} with {3}", type, major, minor, string.Join("; ", DeviceFilter.Build(rules).Describe()));
            }
        }

        public void Dispose() => _process.StandardInput.Close();
    }
}
