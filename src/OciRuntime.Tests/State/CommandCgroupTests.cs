using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Commands;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

/// <summary>The verbs on containers that have cgroups: who is killed, what is removed, what a freezer changes.</summary>
[NeedsMachine]
public sealed class CommandCgroupTests
{
    private const string Freezer = "/sys/fs/cgroup/freezer", Pids = "/sys/fs/cgroup/pids";

    private TemporaryRoot _root = null!;
    private string[] _cgroups = null!;

    [SetUp]
    public void MakeCgroups()
    {
        if (!Directory.Exists(Freezer) || !Directory.Exists(Pids))
            Assert.Ignore("missing: cgroup v1 with the controllers freezer and pids");
        _root = new TemporaryRoot();
        string name = Path.GetFileName(_root.Base);
        _cgroups = [Path.Combine(Freezer, name), Path.Combine(Pids, name)];
        foreach (string cgroup in _cgroups) Directory.CreateDirectory(cgroup);
    }

    [TearDown]
    public void RemoveCgroups()
    {
        if (_root is null) return;
        if (Directory.Exists(_cgroups[0])) File.WriteAllText(Path.Combine(_cgroups[0], "freezer.state"), "THAWED");
        _root.Dispose();
        foreach (string cgroup in _cgroups)
        {
            if (Directory.Exists(cgroup)) Directory.Delete(cgroup);
        }
        _root = null!;
    }

    private Process Member()
    {
        Process process = _root.Sleeper();
        foreach (string cgroup in _cgroups) File.WriteAllText(Path.Combine(cgroup, "cgroup.procs"), $"{process.Id}");
        return process;
    }

    private ContainerState Create(Process? init, bool privatePids = true, Action<ContainerState>? change = null) => _root.Create("x", s =>
    {
        if (init is not null) s.Init = TemporaryRoot.IdentityOf(init);
        s.PrivatePidNamespace = privatePids;
        s.CgroupDirectories = _cgroups;
        change?.Invoke(s);
    });

    private void Freeze() => File.WriteAllText(Path.Combine(_cgroups[0], "freezer.state"), "FROZEN");

    private GlobalOptions Globals => new() { Root = _root.Root };

    private void Kill(string signal, bool all = false) =>
        KillCommand.Run(Globals, new KillOptions { Id = "x", Signal = signal, All = all });

    private void Delete(bool force = false) => DeleteCommand.Run(Globals, new DeleteOptions { Id = "x", Force = force });

    private ContainerStatus Status()
    {
        using ContainerEntry entry = _root.Store.Open("x");
        return entry.Probe(entry.ReadState());
    }

    private void ShouldBeGone()
    {
        Directory.GetFileSystemEntries(_root.Root).Should().BeEmpty();
        _cgroups.Should().OnlyContain(c => !Directory.Exists(c));
    }

    [Test]
    public void A_frozen_container_is_paused_and_can_be_deleted_by_force()
    {
        Process init = Member();
        Create(init);
        Status().Should().Be(ContainerStatus.Running);
        Freeze();
        Status().Should().Be(ContainerStatus.Paused);
        FluentActions.Invoking(() => Delete()).Should().Throw<OciException>()
            .WithMessage("cannot delete container x that is not stopped: paused");
        Delete(force: true);
        init.WaitForExit(5000).Should().BeTrue();
        ShouldBeGone();
    }

    /// <summary>A journal names cgroups before they are made, and these never could be.</summary>
    [Test]
    public void A_record_with_the_name_of_a_control_file_is_removed([Values] bool wasThere)
    {
        string[] files = Array.ConvertAll(_cgroups, static cgroup => Path.Combine(cgroup, "cgroup.procs"));
        Create(null, change: s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.CgroupDirectories = files;
            s.CgroupsCreated = wasThere ? [] : files;
            s.CgroupsToEmpty = wasThere ? files : [];
            s.DeviceProgram = "ocirun";
        });
        Status().Should().Be(ContainerStatus.Stopped);
        Delete(force: true);
        Directory.GetFileSystemEntries(_root.Root).Should().BeEmpty();
    }

    [Test]
    public void A_frozen_container_dies_of_SIGKILL()
    {
        Process init = Member();
        Create(init);
        Freeze();
        Kill("KILL");
        init.WaitForExit(5000).Should().BeTrue();
        Status().Should().Be(ContainerStatus.Stopped);
    }

    [Test]
    public void All_reaches_every_process_of_the_container()
    {
        Process init = Member(), other = Member();
        Create(init);
        Kill("KILL", all: true);
        init.WaitForExit(5000).Should().BeTrue();
        other.WaitForExit(5000).Should().BeTrue();
    }

    [Test]
    public void All_reaches_what_outlived_the_first_process()
    {
        Process init = Member(), other = Member();
        Create(init);
        init.Kill();
        init.WaitForExit();
        FluentActions.Invoking(() => Kill("TERM")).Should().Throw<OciException>().WithMessage("container not running");
        other.HasExited.Should().BeFalse();
        Kill("15", all: true);
        other.WaitForExit(5000).Should().BeTrue();
    }

    [Test]
    public void Without_a_pid_namespace_SIGKILL_means_all_of_them()
    {
        Process init = Member(), other = Member();
        Create(init, privatePids: false);
        Kill("TERM");
        init.WaitForExit(5000).Should().BeTrue();
        other.HasExited.Should().BeFalse();
        Kill("KILL");
        other.WaitForExit(5000).Should().BeTrue();
        Kill("KILL");
        FluentActions.Invoking(() => Kill("TERM")).Should().Throw<OciException>().WithMessage("container not running");
    }

    [Test]
    public void Without_a_pid_namespace_delete_ends_what_outlived_the_first_process()
    {
        Process init = Member(), other = Member();
        Create(init, privatePids: false);
        init.Kill();
        init.WaitForExit();
        Delete();
        other.WaitForExit(5000).Should().BeTrue();
        ShouldBeGone();
    }

    [Test]
    public void A_journal_written_ahead_harms_nobody_who_was_there_before()
    {
        Process stranger = Member();
        Create(null, privatePids: false, s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.CgroupsCreated = [];
        });
        Kill("KILL", all: true);
        Delete(force: true);
        stranger.WaitForExit(200).Should().BeFalse();
        _cgroups.Should().OnlyContain(c => Directory.Exists(c));
    }

    [Test]
    public void The_next_create_undoes_a_killed_one()
    {
        Process init = Member();
        Create(init, change: s => s.Phase = ContainerPhase.Creating);
        init.Kill();
        init.WaitForExit();
        int hooks = 0;
        using ContainerEntry entry = _root.Store.Claim("x", "create", (e, s) => ContainerTeardown.Undo(e, s, _ => hooks++));
        hooks.Should().Be(0, "the journal names none");
        _cgroups.Should().OnlyContain(c => !Directory.Exists(c));
    }

    [Test]
    public void Parents_that_a_killed_create_made_go_with_it_but_not_those_that_others_use()
    {
        string outer = _cgroups[0] + "-outer", inner = outer + "/inner", used = _cgroups[0] + "-used";
        foreach (string path in (string[])[inner, used + "/others"]) Directory.CreateDirectory(path);
        Create(null, privatePids: false, s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.CgroupsCreated = [];
            s.CgroupParents = [outer, inner, used];
        });
        Delete(force: true);
        (Directory.Exists(outer), Directory.Exists(used)).Should().Be((false, true));
        Directory.Delete(used + "/others");
        Directory.Delete(used);
    }
}
