using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;
using OciRuntime.Tests.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rdt;

/// <summary>
/// `linux.intelRdt` against a directory tree that looks like resctrl: few machines have the real one, and the published binary takes
/// nothing but a mount of that type. What the kernel would put into a new group is there beforehand, where a test needs it.
/// </summary>
public sealed class ResctrlTests
{
    private string _root = null!;

    [SetUp]
    public void SetUp()
    {
        _root = TestRun.NewDirectory("resctrl");
        Directory.CreateDirectory($"{_root}/info");
        File.WriteAllText($"{_root}/info/last_cmd_status", "ok\n");
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_root, recursive: true);

    private string Read(string file) => File.ReadAllText($"{_root}/{file}");

    /// <summary>A group as the kernel makes it: with its files.</summary>
    private void Group(string name, string schemata = "", string tasks = "")
    {
        Directory.CreateDirectory($"{_root}/{name}/mon_groups");
        File.WriteAllText($"{_root}/{name}/schemata", schemata);
        File.WriteAllText($"{_root}/{name}/tasks", tasks);
    }

    private ResctrlPlan Plan(string json)
    {
        SpecProblems problems = new();
        RuntimeSpec spec =
            SpecReader.Parse(System.Text.Encoding.UTF8.GetBytes("""{"ociVersion":"1.3.0","root":{"path":"r"},"linux":{"intelRdt":""" + json
            + "}}"), problems);
        SpecValidator.Validate(spec, problems);
        problems.ToString().Should().BeEmpty();
        return ResctrlPlan.Build(_root, "web", spec.Linux!.IntelRdt!);
    }

    private static string Refused(Action action) => FluentActions.Invoking(action).Should().Throw<OciException>().Which.Message;

    [Test]
    public void A_group_of_the_containers_own_is_made_entered_and_removed()
    {
        ResctrlPlan plan = Plan("{}");
        plan.ToMake().Should().Equal($"{_root}/web");
        Resctrl.Make(plan);
        Directory.Exists($"{_root}/web").Should().BeTrue();
        File.WriteAllText($"{_root}/web/tasks", "");
        Resctrl.Enter(plan, 4711);
        Read("web/tasks").Should().Be("4711");
        // rmdir of a real group takes its files along.
        File.Delete($"{_root}/web/tasks");
        Resctrl.Remove(plan.ToRemove([$"{_root}/web"]), "web");
        Directory.Exists($"{_root}/web").Should().BeFalse();
        FluentActions.Invoking(() => Resctrl.Remove([$"{_root}/web"], "web")).Should().NotThrow("it may be repeated");
    }

    [Test]
    public void Lines_come_in_the_order_of_the_specification_without_bandwidth_in_the_cache_schema()
    {
        ResctrlPlan plan =
            Plan("""{"closID":"gold","l3CacheSchema":"L3:0=f\nMB:0=50\nL3DATA:0=1","memBwSchema":"MB:0=20","schemata":["L2:0=3","SMBA:0=1"]}""");
        plan.Described.Should().Equal(
            new SchemaLine("/linux/intelRdt/l3CacheSchema", "L3:0=f"), new("/linux/intelRdt/l3CacheSchema", "L3DATA:0=1"),
            new("/linux/intelRdt/memBwSchema", "MB:0=20"));
        plan.Schemata.Should().Equal(new SchemaLine("/linux/intelRdt/schemata/0", "L2:0=3"), new("/linux/intelRdt/schemata/1", "SMBA:0=1"));
    }

    [Test]
    public void Each_line_is_written_by_itself()
    {
        Group("web");
        // In a plain file each write overwrites the one before, from the beginning.
        Resctrl.Make(Plan("""{"l3CacheSchema":"L3:0=7f0;1=1f","schemata":["L2:0=f;1=f"]}"""));
        Read("web/schemata").Should().Be("L2:0=f;1=f\n1f\n");
    }

    [TestCase("L3:0=7f0;1=1f", "    L3:0=007f0;1=0001f\n    MB:0=100;1=100\n", true)]
    [TestCase("L3:1=0x1f;0=7f0", "L3:0=7f0;1=1f\n", true)]
    [TestCase("L3:0=7f0", "L3:0=7f0;1=1f\n", true)]
    [TestCase("L3:0=7f0;2=1", "L3:0=7f0;1=1f\n", false)]
    [TestCase("L3:0=7ff", "L3:0=7f0\n", false)]
    [TestCase("L3:0=7f0", "L2:0=7f0\n", false)]
    [TestCase("L3:", "L3:0=1\n", false)]
    [TestCase("garbage", "L3:0=1\n", false)]
    public void Schemas_are_compared_by_meaning(string line, string schemata, bool agrees) =>
    Schema.Agrees(line, schemata).Should().Be(agrees);

    [Test]
    public void A_named_group_that_exists_is_compared_not_changed()
    {
        Group("gold", "L3:0=f0\nMB:0=20\n");
        ResctrlPlan plan = Plan("""{"closID":"gold","l3CacheSchema":"L3:0=0f0","memBwSchema":"MB:0=20"}""");
        plan.ToMake().Should().BeEmpty("it is somebody else's");
        Resctrl.Make(plan);
        Read("gold/schemata").Should().Be("L3:0=f0\nMB:0=20\n");
        Refused(() => Resctrl.Make(Plan("""{"closID":"gold","memBwSchema":"MB:0=30"}"""))).Should()
            .Be($"/linux/intelRdt/memBwSchema: MB:0=30 is not what the class of service {_root}/gold has: L3:0=f0, MB:0=20");
    }

    [Test]
    public void A_named_group_without_description_must_exist()
    {
        Refused(() => Resctrl.Make(Plan("""{"closID":"gold"}"""))).Should()
            .StartWith($"/linux/intelRdt/closID: the class of service {_root}/gold does not exist");
        Directory.Exists($"{_root}/gold").Should().BeFalse();
        Group("gold");
        Resctrl.Make(Plan("""{"closID":"gold"}"""));
        Resctrl.Make(Plan("""{"closID":"/"}"""));
        Plan("""{"closID":"/"}""").Group.Should().Be(_root);
    }

    [Test]
    public void A_named_group_that_was_made_stays_when_the_container_goes_but_not_after_a_failure()
    {
        ResctrlPlan plan = Plan("""{"closID":"gold","schemata":["L3:0=f"],"enableMonitoring":true}""");
        string[] made = plan.ToMake();
        made.Should().Equal($"{_root}/gold", $"{_root}/gold/mon_groups/web");
        plan.ToRemove(made).Should().Equal($"{_root}/gold/mon_groups/web");
        Directory.CreateDirectory($"{_root}/gold");
        Resctrl.Remove(made[..1], "web");
        Directory.Exists($"{_root}/gold").Should().BeFalse();
    }

    [Test]
    public void A_named_group_that_others_use_by_now_is_not_removed()
    {
        Group("gold", tasks: "1\n");
        Resctrl.Remove([$"{_root}/gold"], "web");
        Directory.Exists($"{_root}/gold").Should().BeTrue();
    }

    [Test]
    public void Monitoring_group_is_made_and_entered()
    {
        Group("gold");
        ResctrlPlan plan = Plan("""{"closID":"gold","enableMonitoring":true}""");
        Resctrl.Make(plan);
        File.WriteAllText($"{_root}/gold/mon_groups/web/tasks", "");
        Resctrl.Enter(plan, 12);
        (Read("gold/tasks"), Read("gold/mon_groups/web/tasks")).Should().Be(("12", "12"));
        Refused(() => Resctrl.Make(plan)).Should()
            .StartWith($"/linux/intelRdt/enableMonitoring: make the monitoring group {_root}/gold/mon_groups/web: file exists (EEXIST)");
    }

    [Test]
    public void Errors_have_the_kernels_words()
    {
        File.WriteAllText($"{_root}/info/last_cmd_status", "Mask 5 has non-consecutive 1-bits\n");
        Refused(() => Resctrl.Make(Plan("""{"schemata":["L3:0=5"]}"""))).Should()
            .Be($"/linux/intelRdt/schemata/0: write L3:0=5 to {_root}/web/schemata: no such file or directory (ENOENT): Mask 5 has "
            + $"non-consecutive 1-bits");
    }

    [Test]
    public void Delete_of_a_container_and_undoing_of_a_killed_create_remove_what_the_journal_names()
    {
        using TemporaryRoot root = new();
        Group("other");
        foreach (ContainerPhase phase in Enum.GetValues<ContainerPhase>())
        {
            Directory.CreateDirectory($"{_root}/web");
            Directory.CreateDirectory($"{_root}/other/mon_groups/web");
            root.Create("web", s =>
            {
                s.Phase = phase;
                s.ResctrlGroups = [$"{_root}/web", $"{_root}/other/mon_groups/web"];
            });
            // The real binary: it reads the journal that this test wrote.
            Ocirun.Run("--root", root.Root, "delete", "--force", "web").ShouldSucceed();
            Directory.Exists($"{_root}/web").Should().BeFalse("{0}", phase);
            Directory.GetFileSystemEntries($"{_root}/other/mon_groups").Should().BeEmpty("{0}", phase);
        }
        Directory.Exists($"{_root}/other").Should().BeTrue();
    }

    [Test]
    public void Mount_table_says_where_it_is()
    {
        const string Text =
            "24 1 0:22 / /sys rw - sysfs sysfs rw\n31 24 0:27 / /sys/fs/resc\\040trl rw,relatime shared:9 - resctrl resctrl rw\nbroken\n";
        MountTable.Parse(System.Text.Encoding.UTF8.GetBytes(Text))
            .Select(static m => m with { Id = 0, Parent = 0, Options = "", FileSystemOptions = "" }).Should()
            .Equal(new MountEntry("0:22", "/", "/sys", "sysfs"), new("0:27", "/", "/sys/fs/resc trl", "resctrl", IsShared: true));
    }

    [Test]
    public void Without_a_mounted_resctrl_a_container_is_refused()
    {
        if (FullMounts.Resctrl() is not null) Assert.Ignore("missing: a machine without a mounted resctrl");
        using TestBundle bundle = new();
        bundle.Linux["intelRdt"] = new System.Text.Json.Nodes.JsonObject { ["closID"] = "x" };
        const string reason = "/linux/intelRdt: no resctrl file system is mounted";
        Config.Observe.Refused(bundle).Should().Contain(reason);
        Ocirun.Binary.Run("explain", "--bundle", bundle.Directory).ShouldSucceed().Stdout.Should().Contain(reason);
    }

    [TestCase("res:web\nmon:", "web")]
    [TestCase("res:web\nmon:m1\n", "web")]
    [TestCase("res:/\nmon:", null)]
    [TestCase("res:\nmon:", null)]
    [TestCase("", null)]
    public void The_group_of_a_process_is_what_the_kernel_says(string text, string? name) =>
        Resctrl.GroupOf(_root, text).Should().Be(name is null ? null : $"{_root}/{name}", "the default class is everybody's");

    [Test]
    public void An_update_writes_line_by_line_and_tells_what_the_kernel_says()
    {
        Group("web", schemata: "L3:0=fff\n");
        Resctrl.Update(_root, $"{_root}/web", [new SchemaLine("--mem-bw-schema", "MB:0=20")]);
        Read("web/schemata").Should().StartWith("MB:0=20\n");
        Directory.CreateDirectory($"{_root}/readonly/schemata");
        File.WriteAllText($"{_root}/info/last_cmd_status", "Mask out of range\n");
        Refused(() => Resctrl.Update(_root, $"{_root}/readonly", [new SchemaLine("--l3-cache-schema", "L3:0=0")]))
            .Should().Contain("--l3-cache-schema: write L3:0=0").And.EndWith("Mask out of range");
    }

    [Test]
    public void An_update_that_fails_half_way_takes_back_its_first_half()
    {
        // A file system with room for one page refuses what is longer.
        string group = Directory.CreateDirectory($"{_root}/small").FullName;
        Command.Run("mount", "-t", "tmpfs", "-o", "size=4096", "tmpfs", group).ShouldSucceed();
        try
        {
            File.WriteAllText($"{group}/schemata", "L3:0=fff\nMB:0=100\n");
            Refused(() => Resctrl.Update(_root, group,
                [new SchemaLine("--l3-cache-schema", "L3:0=1;1=1"), new SchemaLine("--mem-bw-schema", "MB:0=" + new string('9', 9000))]))
                .Should().Contain("--mem-bw-schema");
            File.ReadAllText($"{group}/schemata").Should().StartWith("L3:0=fff\n");
        }
        finally
        {
            Command.Run("umount", group).ShouldSucceed();
        }
    }

    [Test]
    public void Statistics_have_what_the_machine_has_in_runcs_keys()
    {
        Group("web", schemata: "    MB:0=20\n    L3:0=f\n");
        File.WriteAllText($"{_root}/schemata", "MB:0=100\nL3:0=fff\n");
        Directory.CreateDirectory($"{_root}/info/L3");
        File.WriteAllText($"{_root}/info/L3/cbm_mask", "fff\n");
        File.WriteAllText($"{_root}/info/L3/num_closids", "16\n");
        Directory.CreateDirectory($"{_root}/web/mon_data/mon_L3_00");
        File.WriteAllText($"{_root}/web/mon_data/mon_L3_00/mbm_total_bytes", "77\n");
        File.WriteAllText($"{_root}/web/mon_data/mon_L3_00/llc_occupancy", "Unavailable\n");
        ResctrlStats stats = ResctrlStats.Read(_root, $"{_root}/web", "web");
        using MemoryStream text = new();
        using (System.Text.Json.Utf8JsonWriter writer = new(text))
        {
            writer.WriteStartObject();
            OciRuntime.Commands.RdtRecord.Write(writer, stats);
            writer.WriteEndObject();
        }
        System.Text.Encoding.UTF8.GetString(text.ToArray()).Should().Be("""
            {"l3_cache_info":{"cbm_mask":"fff","num_closids":16},"l3_cache_schema_root":"L3:0=fff","l3_cache_schema":"L3:0=f","mem_bw_schema_root":"MB:0=100",
            "mem_bw_schema":"MB:0=20","schemata":["MB:0=20","L3:0=f"],"mbm_stats":[{"mbm_total_bytes":77}],"cmt_stats":[{}]}
            """.ReplaceLineEndings(""));
    }
}
