using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// `process.user`, `capabilities`, `noNewPrivileges`, `rlimits` and `oomScoreAdj`, as the kernel's status files have them.
/// </summary>
public sealed class CredentialTests
{
    private static readonly string[] Sets = ["bounding", "effective", "inheritable", "permitted", "ambient"];

    private static void SetCapabilities(TestBundle bundle, params (string Set, string[] Names)[] sets)
    {
        JsonObject all = new();
        foreach ((string set, string[] names) in sets) all[set] = TestBundle.Strings(names);
        bundle.Process["capabilities"] = all;
    }

    private static string Mask(params int[] numbers) => numbers.Aggregate(0UL, (mask, number) => mask | 1UL << number).ToString("x16");

    private static string[] Read(ProcessView process) =>
        [process.Status("CapBnd"), process.Status("CapEff"), process.Status("CapInh"), process.Status("CapPrm"), process.Status("CapAmb")];

    [Test]
    public void User_groups_and_umask()
    {
        using TestBundle bundle = new();
        bundle.User(1234, 5678, 10, 20, 5678);
        bundle.Process["user"]!["umask"] = 63;
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Status("Uid").Should().Be("1234\t1234\t1234\t1234");
        container.Init.Status("Gid").Should().Be("5678\t5678\t5678\t5678");
        container.Init.Status("Groups").Should().Be("10 20 5678");
        container.Init.Status("Umask").Should().Be("0077");
    }

    [Test]
    public void No_groups_of_the_caller_are_kept_and_the_umask_is_0022_by_default()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Status("Groups").Should().BeEmpty();
        container.Init.Status("Umask").Should().Be("0022");
        bundle.Process["user"]!["umask"] = 0;
        using TestContainer open = Observe.Sleeping(bundle);
        open.Init.Status("Umask").Should().Be("0000");
    }

    [TestCase("1", "10 20")]
    [TestCase("", "10 20")]
    [TestCase("0", "")]
    [TestCase(null, "")]
    public void Groups_of_the_caller_are_kept_when_an_annotation_asks_for_it(string? annotation, string groups)
    {
        foreach (bool user in (bool[])[false, true])
        {
            using TestBundle bundle = new();
            if (user) bundle.WithUserNamespace();
            if (annotation is not null) bundle.Annotations["run.oci.keep_original_groups"] = annotation;
            using TestContainer container = new TestContainer(bundle.Args("sleep", "1000"), Wrapped.WithGroups).Started();
            container.Init.Status("Groups").Should().Be(groups);
        }
    }

    [Test]
    public void Groups_of_the_configuration_give_way_to_kept_ones_with_a_warning()
    {
        using TestBundle bundle = new();
        bundle.User(1000, 1000, 30).Annotations["run.oci.keep_original_groups"] = "1";
        using TestContainer container = new(bundle.Args("sleep", "1000"), Wrapped.WithGroups);
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--log", log]);
        container.Started().Init.Status("Groups").Should().Be("10 20");
        File.ReadAllText(log).Should().Contain("/process/user/additionalGids: left out, as /annotations/run.oci.keep_original_groups");
    }

    [Test]
    public void Groups_stay_where_setgroups_is_denied([Values] bool annotation)
    {
        using TestBundle bundle = new();
        if (annotation) bundle.Annotations["run.oci.keep_original_groups"] = "1";
        // Its group 5 has no mapping.
        bundle.RemoveMount("/dev/pts");
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000"), Wrapped.WithGroupsThatStay).Started();
        container.Proc("setgroups").Trim().Should().Be("deny");
        container.Init.Status("Groups").Should().Be("10 20");
    }

    [Test]
    public void Groups_that_cannot_be_given_are_an_error()
    {
        using TestBundle bundle = new();
        bundle.RemoveMount("/dev/pts");
        Observe.Refused(bundle.User(0, 0, 0), Wrapped.WithGroupsThatStay).Should()
            .Contain("/process/user/additionalGids: [0]: cannot set any additional groups: the runtime's own user namespace denies "
            + "setgroups (/proc/self/setgroups); /annotations/run.oci.keep_original_groups keeps the caller's groups");
    }

    [Test]
    public void Five_sets_as_given_and_what_execve_makes_of_them_for_root()
    {
        using TestBundle bundle = new();
        bundle.Process["noNewPrivileges"] = false;
        SetCapabilities(bundle, ("bounding", ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"]),
            ("permitted", ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"]),
            ("effective", ["CAP_KILL"]), ("inheritable", ["CAP_CHOWN", "CAP_KILL"]), ("ambient", ["CAP_CHOWN"]));
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        Read(container.Init).Should()
            .Equal([Mask(0, 5, 7, 13), Mask(5), Mask(0, 5), Mask(0, 5, 7), Mask(0)], "before execve they are the configuration");
        container.Start().ShouldSucceed();
        Read(container.Init).Should().Equal([Mask(0, 5, 7, 13), Mask(0, 5, 7, 13), Mask(0, 5), Mask(0, 5, 7, 13), Mask(0)],
            "root gets its bounding set (capabilities(7))");
    }

    [Test]
    public void A_user_keeps_only_ambient_ones_across_execve()
    {
        using TestBundle bundle = new();
        bundle.User(1000, 1000);
        bundle.Process["noNewPrivileges"] = false;
        string[] names = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"];
        SetCapabilities(bundle, ("bounding", names), ("permitted", names), ("effective", names), ("inheritable", ["CAP_NET_BIND_SERVICE"]),
            ("ambient", ["CAP_NET_BIND_SERVICE"]));
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        Read(container.Init).Should().Equal(Mask(0, 10), Mask(0, 10), Mask(10), Mask(0, 10), Mask(10));
        container.Start().ShouldSucceed();
        Read(container.Init).Should().Equal(Mask(0, 10), Mask(10), Mask(10), Mask(10), Mask(10));
        container.Init.Status("NoNewPrivs").Should().Be("0");
        using TestBundle without = new();
        using TestContainer plain = Observe.Sleeping(without.User(1000, 1000));
        plain.Init.Status("CapEff").Should().Be(Mask());
        plain.Init.Status("NoNewPrivs").Should().Be("1");
    }

    [Test]
    public void No_capabilities_section_means_none([Values] bool user)
    {
        using TestBundle bundle = new();
        bundle.Process.Remove("capabilities");
        if (user) bundle.WithUserNamespace();
        using TestContainer container = Observe.Sleeping(bundle);
        Read(container.Init).Should().AllBe(Mask());
    }

    [Test]
    public void Unknown_and_unavailable_names_are_left_out_with_a_warning()
    {
        using TestBundle bundle = new();
        SetCapabilities(bundle, [.. Sets.Select(name => (name, (string[])["CAP_KILL", "CAP_TIME_TRAVEL", "kill"]))]);
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--log", log]);
        container.Create().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Start().ShouldSucceed();
        Read(container.Init).Should().AllBe(Mask(5));
        File.ReadAllLines(log).Should().ContainSingle().Which.Should()
            .Contain("level=warning").And.Contain("/process/capabilities: left out: ").And.Contain("CAP_TIME_TRAVEL").And.Contain("kill");
    }

    [Test]
    public void Ambient_ones_that_are_not_inheritable_are_left_out()
    {
        using TestBundle bundle = new();
        SetCapabilities(bundle, ("bounding", ["CAP_KILL"]), ("permitted", ["CAP_KILL"]), ("effective", ["CAP_KILL", "CAP_CHOWN"]),
            ("ambient", ["CAP_KILL"]));
        using TestContainer container = Observe.Sleeping(bundle);
        Read(container.Init).Should().Equal(Mask(5), Mask(5), Mask(), Mask(5), Mask());
    }

    /// <summary>capset(2) knows the bounding set, and its EPERM would not say which one it means.</summary>
    [Test]
    public void Inheritable_ones_beyond_the_bounding_set_are_left_out([Values(0, 1000)] int user, [Values] bool mapped)
    {
        using TestBundle bundle = new();
        SetCapabilities(bundle, ("bounding", ["CAP_CHOWN"]), ("permitted", ["CAP_CHOWN"]), ("effective", ["CAP_CHOWN"]),
            ("inheritable", ["CAP_CHOWN", "CAP_KILL"]));
        if (mapped) bundle.WithUserNamespace();
        using TestContainer container = new(bundle.User(user, user).Args("sleep", "1000"));
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--log", log]);
        container.Started();
        Read(container.Init)[2].Should().Be(Mask(0));
        container.Exec("grep", "^CapInh:", "/proc/self/status").ShouldSucceed().Text.Should().EndWith(Mask(0));
        File.ReadAllLines(log).Should().HaveCount(2, "of create and of exec").And.OnlyContain(static line =>
            line.Contains("level=warning") && line.Contains("CAP_KILL") && line.Contains("(inheritable, but not bounding)"));
    }

    [Test]
    public void All_capabilities_in_a_user_namespace_are_its_own()
    {
        using TestBundle bundle = new();
        // CAP_SYS_RESOURCE is one the tests themselves may lack: in a user namespace it can still be given.
        bundle.WithUserNamespace().Capabilities("CAP_SYS_ADMIN", "CAP_SYS_RESOURCE");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Status("CapEff").Should().Be(Mask(21, 24));
    }

    private static JsonObject Limit(string type, ulong soft, ulong hard) => new() { ["type"] = type, ["soft"] = soft, ["hard"] = hard };

    [Test]
    public void Resource_limits([Values] bool user)
    {
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        bundle.Process["rlimits"] = new JsonArray(Limit("RLIMIT_NOFILE", 100, 200), Limit("RLIMIT_CORE", 0, 0), Limit("RLIMIT_CPU", 50, 60),
            Limit("RLIMIT_STACK", 4 << 20, 5 << 20),
            Limit("RLIMIT_AS", 1UL << 32, 1UL << 33), Limit("RLIMIT_MSGQUEUE", 1000, 2000), Limit("RLIMIT_SIGPENDING", 77, 88),
            Limit("RLIMIT_DATA", ulong.MaxValue, ulong.MaxValue));
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Limit("Max open files").Should().Be(("100", "200"));
        container.Init.Limit("Max core file size").Should().Be(("0", "0"));
        container.Init.Limit("Max cpu time").Should().Be(("50", "60"));
        container.Init.Limit("Max stack size").Should().Be(("4194304", "5242880"));
        container.Init.Limit("Max address space").Should().Be(("4294967296", "8589934592"));
        container.Init.Limit("Max msgqueue size").Should().Be(("1000", "2000"));
        container.Init.Limit("Max pending signals").Should().Be(("77", "88"));
        container.Init.Limit("Max data size").Should().Be(("unlimited", "unlimited"));
    }

    [Test]
    public void A_limit_beyond_the_runtimes_own_is_refused_with_the_numbers([Values] bool user)
    {
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        (string _, string hard) = new ProcessView(Environment.ProcessId).Limit("Max open files");
        ulong effective = Convert.ToUInt64(new ProcessView(Environment.ProcessId).Status("CapEff"), 16);
        if (hard == "unlimited" || (effective >> 24 & 1) != 0) Assert.Ignore("missing: a process without CAP_SYS_RESOURCE");
        ulong more = ulong.Parse(hard) + 1;
        bundle.Process["rlimits"] = new JsonArray(Limit("RLIMIT_CORE", 0, 0), Limit("RLIMIT_NOFILE", 1024, more));
        Observe.Refused(bundle).Should()
            .Contain($"/process/rlimits/1: set RLIMIT_NOFILE soft 1024 hard {more}").And.Contain("operation not permitted")
            .And.Contain($"the hard limit of the runtime is {hard}").And.Contain("CAP_SYS_RESOURCE");
    }

    /// <summary>`start` comes by a connection, which is one more than stdin, stdout and stderr. `run` needs none.</summary>
    [Test]
    public void A_limit_that_leaves_no_descriptor_for_start_is_refused([Values] bool user)
    {
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        bundle.Args("/bin/true").Process["rlimits"] = new JsonArray(Limit("RLIMIT_NOFILE", 3, 3));
        Observe.Refused(bundle).Should().Contain("too many open files (EMFILE)").And.Contain("RLIMIT_NOFILE (/process/rlimits");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        bundle.Process["rlimits"] = new JsonArray(Limit("RLIMIT_NOFILE", 4, 4));
        using TestContainer other = new(bundle);
        other.Create().ShouldSucceed();
        // While it has one.
        _ = other.InitPid;
        other.Start().ShouldSucceed();
        other.WaitExit().Code.Should().Be(0);
    }

    [Test]
    public void Wrong_limits_are_refused()
    {
        using TestBundle bundle = new();
        bundle.Process["rlimits"] = new JsonArray(Limit("RLIMIT_NOFILE", 10, 5), Limit("RLIMIT_NOFILE", 1, 1), Limit("RLIMIT_NONE", 1, 1));
        Observe.Refused(bundle).Should()
            .Contain("/process/rlimits/0/soft").And.Contain("/process/rlimits/1/type").And.Contain("appears twice").And.Contain(
            "/process/rlimits/2/type").And.Contain("RLIMIT_NONE");
    }

    [Test]
    public void Oom_score_is_set_or_left_as_the_callers([Values] bool user)
    {
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        string own = File.ReadAllText("/proc/self/oom_score_adj").Trim();
        using TestContainer unset = Observe.Sleeping(bundle);
        unset.Proc("oom_score_adj").Trim().Should().Be(own);
        bundle.Process["oomScoreAdj"] = 567;
        using TestContainer set = Observe.Sleeping(bundle);
        set.Proc("oom_score_adj").Trim().Should().Be("567");
    }

    [Test]
    public void An_oom_score_that_may_not_be_lowered_is_named()
    {
        using TestBundle bundle = new();
        bundle.Process["oomScoreAdj"] = -1001;
        Observe.Refused(bundle).Should().Contain("/process/oomScoreAdj").And.Contain("must be from -1000 to 1000");
        ulong effective = Convert.ToUInt64(new ProcessView(Environment.ProcessId).Status("CapEff"), 16);
        if ((effective >> 24 & 1) != 0) Assert.Ignore("missing: a process without CAP_SYS_RESOURCE");
        bundle.Process["oomScoreAdj"] = -1000;
        Observe.Refused(bundle).Should().Contain("/process/oomScoreAdj").And.Contain("-1000").And.Contain("EACCES");
    }
}
