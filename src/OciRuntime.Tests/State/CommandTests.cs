using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Commands;
using OciRuntime.Linux;
using OciRuntime.State;
using Hook = OciRuntime.Spec.Hook;

namespace OciRuntime.Tests.State;

/// <summary>The verbs that work on the state directory alone, against real processes that stand in for containers.</summary>
public sealed class CommandTests
{
    private static GlobalOptions Globals(TemporaryRoot root) => new() { Root = root.Root, Log = Path.Combine(root.Base, "log") };

    private static int Kill(TemporaryRoot root, string id, string signal = "TERM", bool all = false, bool regex = false) =>
        KillCommand.Run(Globals(root), new KillOptions { Id = id, Signal = signal, All = all, Regex = regex });

    private static int Delete(TemporaryRoot root, string id, bool force = false, bool regex = false) =>
        DeleteCommand.Run(Globals(root), new DeleteOptions { Id = id, Force = force, Regex = regex });

    private static Process Container(TemporaryRoot root, string id)
    {
        Process init = root.Sleeper();
        root.Create(id, s => s.Init = TemporaryRoot.IdentityOf(init));
        return init;
    }

    [Test]
    public void State_prints_what_runc_prints()
    {
        using TemporaryRoot root = new();
        Process init = Container(root, "x");
        Encoding.UTF8.GetString(StateCommand.Render(root.Store, "x")).Should().Be($$"""
            {
              "ociVersion": "1.3.0",
              "id": "x",
              "pid": {{init.Id}},
              "status": "running",
              "bundle": "/bundles/x",
              "rootfs": "/bundles/x/rootfs",
              "created": "2026-01-02T03:04:05.678Z",
              "owner": ""
            }
            """);
        init.Kill();
        init.WaitForExit();
        Encoding.UTF8.GetString(StateCommand.Render(root.Store, "x")).Should().Contain("\"pid\": 0,").And.Contain("\"stopped\"");
    }

    [Test]
    public void State_of_a_container_in_the_making_is_creating()
    {
        using TemporaryRoot root = new();
        using ContainerEntry entry = root.Claim("x");
        FluentActions.Invoking(() => StateCommand.Render(root.Store, "x").Length).Should().Throw<OciException>()
            .WithMessage("container does not exist");
        entry.WriteState(new ContainerState { Id = "x", Creator = ProcessIdentity.Self() });
        JsonElement state = JsonDocument.Parse(StateCommand.Render(root.Store, "x").ToArray()).RootElement;
        state.GetProperty("status").GetString().Should().Be("creating");
        state.GetProperty("created").GetDateTime().Should().Be(default, "clients parse it whatever it is");
    }

    [Test]
    public void State_has_sorted_annotations_before_the_owner()
    {
        using TemporaryRoot root = new();
        root.Create("x", s =>
        {
            s.Annotations["b"] = "<2>";
            s.Annotations["a"] = "1";
        });
        Encoding.UTF8.GetString(StateCommand.Render(root.Store, "x")).Should()
            .Contain("\"annotations\": {\n    \"a\": \"1\",\n    \"b\": \"<2>\"\n  },\n  \"owner\"");
    }

    private static string Listed(TemporaryRoot root, ListOptions options)
    {
        StringBuilder text = new();
        ListCommand.Render(root.Store, options, piece => text.Append(piece));
        return text.ToString();
    }

    [Test]
    public void List_survives_a_broken_entry_and_names_it()
    {
        using TemporaryRoot root = new();
        Container(root, "good");
        root.Create("broken");
        File.WriteAllText(root.FileOf("broken", "state.json"), "{\"version\":1,");
        root.Claim("early").Dispose();

        string table = Listed(root, new ListOptions());
        table.Should()
            .StartWith("ID ").And.MatchRegex("(?m)^broken +- +unreadable: state of container broken cannot be read").And.MatchRegex(
            "(?m)^good +[0-9]+ +running +/bundles/good ");
        table.Should().NotContain("early");

        JsonElement json = JsonDocument.Parse(Listed(root, new ListOptions { Format = ListFormat.Json })).RootElement;
        json.GetArrayLength().Should().Be(2);
        json[0].GetProperty("status").GetString().Should().Be("unreadable");
        json[0].GetProperty("created").GetDateTime().Should().Be(default);
        json[1].GetProperty("owner").GetString().Should().Be(Environment.UserName);
        Listed(root, new ListOptions { Quiet = true }).Should().Be("broken\ngood\n");
    }

    [Test]
    public void List_of_nothing()
    {
        using TemporaryRoot root = new();
        FluentActions.Invoking(() => Listed(root, new ListOptions())).Should().Throw<OciException>()
            .WithMessage($"open {root.Root}: no such file or directory*");
        Directory.CreateDirectory(root.Root);
        Listed(root, new ListOptions { Format = ListFormat.Json }).Should().Be("null\n");
        Listed(root, new ListOptions()).Should()
            .Be("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
        Listed(root, new ListOptions { Quiet = true }).Should().BeEmpty();
    }

    [Test]
    public void Kill_signals_the_process_and_then_says_that_it_is_not_running()
    {
        using TemporaryRoot root = new();
        Process init = Container(root, "x");
        Kill(root, "x", "0").Should().Be(0);
        FluentActions.Invoking(() => Kill(root, "x", "BLA")).Should().Throw<OciException>().WithMessage("unknown signal \"BLA\"");
        Kill(root, "x").Should().Be(0);
        init.WaitForExit();
        init.ExitCode.Should().Be(128 + 15);
        FluentActions.Invoking(() => Kill(root, "x")).Should().Throw<OciException>().WithMessage("container not running");
        Kill(root, "x", all: true).Should().Be(0);
        FluentActions.Invoking(() => Kill(root, "y", "BLA")).Should().Throw<OciException>().WithMessage("container does not exist");
    }

    [Test]
    public void Kill_does_not_touch_the_next_owner_of_the_pid()
    {
        using TemporaryRoot root = new();
        Process stranger = root.Sleeper();
        root.Create("x", s => s.Init = new ProcessIdentity(stranger.Id, 1));
        FluentActions.Invoking(() => Kill(root, "x", "KILL")).Should().Throw<OciException>().WithMessage("container not running");
        Kill(root, "x", "KILL", all: true);
        Delete(root, "x", force: true);
        stranger.WaitForExit(200).Should().BeFalse();
    }

    [Test]
    public void Kill_by_pattern_reaches_the_rest_when_one_fails()
    {
        using TemporaryRoot root = new();
        Process one = Container(root, "test-1");
        Process two = Container(root, "test-3");
        Process other = Container(root, "other");
        root.Create("test-2");
        FluentActions.Invoking(() => Kill(root, "^test-", "KILL", regex: true)).Should().Throw<OciException>()
            .WithMessage("test-2: container not running");
        one.WaitForExit(5000).Should().BeTrue();
        two.WaitForExit(5000).Should().BeTrue();
        other.HasExited.Should().BeFalse();
        FluentActions.Invoking(() => Kill(root, "(", regex: true)).Should().Throw<OciException>()
            .WithMessage("invalid regular expression \"(\"*");
    }

    [Test]
    public void A_container_in_the_making_is_neither_killed_nor_deleted()
    {
        using TemporaryRoot root = new();
        root.Create("x", s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.Creator = ProcessIdentity.Self();
        });
        FluentActions.Invoking(() => Kill(root, "x")).Should().Throw<OciException>()
            .WithMessage($"container x is still being created by pid {Environment.ProcessId}*");
        FluentActions.Invoking(() => Delete(root, "x")).Should().Throw<OciException>().WithMessage("*busy*(create)");
        FluentActions.Invoking(() => Delete(root, "x", force: true)).Should().Throw<OciException>().WithMessage("*busy*(create)");
    }

    [Test]
    public void Delete_wants_a_stopped_container()
    {
        using TemporaryRoot root = new();
        Process init = Container(root, "x");
        FluentActions.Invoking(() => Delete(root, "x")).Should().Throw<OciException>()
            .WithMessage("cannot delete container x that is not stopped: running");
        init.HasExited.Should().BeFalse();
        init.Kill();
        init.WaitForExit();
        Delete(root, "x").Should().Be(0);
        Directory.GetFileSystemEntries(root.Root).Should().BeEmpty();
        FluentActions.Invoking(() => Delete(root, "x")).Should().Throw<OciException>().WithMessage("container does not exist");
    }

    [Test]
    public void Delete_by_force_kills_first_and_forgives_absence()
    {
        using TemporaryRoot root = new();
        Process init = Container(root, "x");
        Delete(root, "x", force: true).Should().Be(0);
        init.WaitForExit();
        init.ExitCode.Should().Be(128 + 9);
        Directory.GetFileSystemEntries(root.Root).Should().BeEmpty();
        Delete(root, "x", force: true).Should().Be(0);
        FluentActions.Invoking(() => Delete(root, "", force: true)).Should().Throw<OciException>()
            .WithMessage("container id cannot be empty");
    }

    [Test]
    public void Delete_needs_no_force_for_what_was_never_started()
    {
        using TemporaryRoot root = new();
        Process init = Container(root, "x");
        root.TouchStartSocket("x");
        Delete(root, "x").Should().Be(0);
        init.WaitForExit(5000).Should().BeTrue();
    }

    [Test]
    public void Delete_clears_away_what_killed_runtimes_leave([Values] bool force)
    {
        using TemporaryRoot root = new();
        root.Create("half", s => s.Phase = ContainerPhase.Creating);
        Delete(root, "half", force).Should().Be(0);

        root.Claim("empty").Dispose();
        if (force) Delete(root, "empty", force).Should().Be(0);
        else FluentActions.Invoking(() => Delete(root, "empty")).Should().Throw<OciException>().WithMessage("container does not exist");
        Directory.GetFileSystemEntries(root.Root).Should().BeEmpty();
    }

    [Test]
    public void Delete_by_force_gives_up_on_a_damaged_journal_but_not_on_a_newer_one()
    {
        using TemporaryRoot root = new();
        root.Create("x");
        File.WriteAllText(root.FileOf("x", "state.json"), "{\"version\":2,\"id\":\"x\"}");
        FluentActions.Invoking(() => Delete(root, "x", force: true)).Should().Throw<OciException>().WithMessage("*newer*");
        File.WriteAllText(root.FileOf("x", "state.json"), "{");
        FluentActions.Invoking(() => Delete(root, "x")).Should().Throw<OciException>().WithMessage("*cannot be read*");
        Delete(root, "x", force: true).Should().Be(0);
        Directory.GetFileSystemEntries(root.Root).Should().BeEmpty();
    }

    [Test]
    public void Teardown_runs_poststop_hooks_once_and_before_the_directory_goes()
    {
        using TemporaryRoot root = new();
        root.Create("x", s => s.Poststop = [new Hook { Path = "/hook" }]);
        using ContainerEntry entry = root.Store.Open("x");
        entry.Acquire("delete");
        int runs = 0;
        void Hooks(ContainerState _)
        {
            runs++;
            Directory.Exists(entry.Path).Should().BeTrue();
        }
        ContainerTeardown.Undo(entry, entry.ReadState(), Hooks);
        ContainerTeardown.Run(entry, entry.ReadState(), Hooks);
        runs.Should().Be(1);
        Directory.Exists(entry.Path).Should().BeFalse();
    }

    [Test]
    public void Features_are_valid_sorted_and_modest()
    {
        byte[] document = FeaturesCommand.Document().ToArray();
        JsonElement root = JsonDocument.Parse(document).RootElement;
        root.GetProperty("ociVersionMin").GetString().Should().Be("1.0.0");
        JsonElement seccomp = root.GetProperty("linux").GetProperty("seccomp");
        seccomp.GetProperty("enabled").GetBoolean().Should().BeTrue();
        seccomp.GetProperty("actions").EnumerateArray().Select(word => word.GetString()).Should()
            .Contain("SCMP_ACT_NOTIFY").And.BeInAscendingOrder(StringComparer.Ordinal);
        seccomp.GetProperty("archs").EnumerateArray().Select(word => word.GetString()).Should()
            .Contain("SCMP_ARCH_X86_64").And.NotContain("SCMP_ARCH_S390X");
        seccomp.GetProperty("supportedFlags").EnumerateArray().Select(word => word.GetString()).Should()
            .BeSubsetOf(seccomp.GetProperty("knownFlags").EnumerateArray().Select(word => word.GetString()));
        JsonElement rdt = root.GetProperty("linux").GetProperty("intelRdt");
        (rdt.GetProperty("enabled").GetBoolean(), rdt.GetProperty("schemata").GetBoolean(),
            rdt.GetProperty("monitoring").GetBoolean()).Should().Be((true, true, true));
        root.GetProperty("linux").GetProperty("netDevices").GetProperty("enabled").GetBoolean().Should().BeTrue();
        root.GetProperty("potentiallyUnsafeConfigAnnotations").EnumerateArray().Select(word => word.GetString()).Should()
            .Equal("org.criu.config", "org.systemd.property.", "run.oci.hooks.stderr", "run.oci.hooks.stdout",
            "run.oci.keep_original_groups", "run.oci.mount_context_type", "run.oci.pidfd_receiver", "run.oci.seccomp.receiver",
            "run.oci.seccomp_fail_unknown_syscall");
        root.GetProperty("mountOptions").EnumerateArray().Select(word => word.GetString()).Should()
            .Equal(OciRuntime.Plan.MountOptionWords.All);
        root.GetProperty("linux").GetProperty("namespaces").EnumerateArray().Select(word => word.GetString()).Should()
            .BeInAscendingOrder(StringComparer.Ordinal);
        Encoding.UTF8.GetString(document).Should().StartWith("{\n    \"ociVersionMin\": ");
    }

    /// <summary>
    /// Without the versions CRI-O drops the document; without "user" and idmap containerd and it give no pod a user namespace, and without
    /// "rro" they and Docker make no bind recursively read-only.
    /// </summary>
    [Test]
    public void Features_have_what_engines_look_up()
    {
        JsonElement root = JsonDocument.Parse(FeaturesCommand.Document().ToArray()).RootElement, linux = root.GetProperty("linux");
        root.GetProperty("ociVersionMin").GetString().Should().NotBeEmpty();
        root.GetProperty("ociVersionMax").GetString().Should().NotBeEmpty();
        root.GetProperty("mountOptions").EnumerateArray().Select(word => word.GetString()).Should().Contain("rro");
        linux.GetProperty("namespaces").EnumerateArray().Select(word => word.GetString()).Should().Contain("user");
        linux.GetProperty("mountExtensions").GetProperty("idmap").GetProperty("enabled").GetBoolean().Should().BeTrue();
    }
}
