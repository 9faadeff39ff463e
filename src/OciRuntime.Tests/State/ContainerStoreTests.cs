using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.State;

public sealed class ContainerStoreTests
{
    [Test]
    public void Claim_makes_a_private_directory_and_holds_its_lock()
    {
        using TemporaryRoot root = new();
        using ContainerEntry entry = root.Claim("x");
        entry.Path.Should().Be(Path.Combine(root.Root, "x"));
        TemporaryRoot.ModeOf(entry.Path).Should().Be(Convert.ToInt32("700", 8));
        entry.Lock.Should().NotBeNull();
        entry.TryReadState().Should().BeNull();
        FluentActions.Invoking(() => root.Claim("x")).Should().Throw<OciException>().WithMessage("container with given ID already exists");
    }

    [Test]
    public void One_of_many_claimants_wins()
    {
        using TemporaryRoot root = new();
        for (int round = 0; round < 50; round++)
        {
            string id = $"race{round}";
            int winners = 0;
            List<string> losers = [];
            using Barrier start = new(6);
            Task[] racers = [.. Enumerable.Range(0, 6).Select(_ => OwnThread.Run(() =>
            {
                start.SignalAndWait();
                try
                {
                    using ContainerEntry entry = root.Claim(id);
                    entry.WriteState(TemporaryRoot.NewState(id));
                    Interlocked.Increment(ref winners);
                }
                catch (OciException e)
                {
                    lock (losers) losers.Add(e.Message);
                }
            }))];
            Task.WaitAll(racers);
            winners.Should().Be(1);
            losers.Should().HaveCount(5).And.OnlyContain(m => m == "container with given ID already exists");
        }
    }

    [Test]
    public void Claims_and_removals_at_the_same_time_leave_nothing_and_never_share()
    {
        using TemporaryRoot root = new();
        int inside = 0, shared = 0, claimed = 0;
        List<Exception> surprises = [];
        Task[] workers = [.. Enumerable.Range(0, 4).Select(_ => OwnThread.Run(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                try
                {
                    using ContainerEntry entry = root.Claim("x");
                    if (Interlocked.Increment(ref inside) != 1) Interlocked.Increment(ref shared);
                    entry.WriteState(TemporaryRoot.NewState("x"));
                    Interlocked.Increment(ref claimed);
                    Interlocked.Decrement(ref inside);
                    entry.Remove();
                }
                catch (OciException e) when (e.Errno == Errno.EEXIST)
                {
                }
                catch (Exception e)
                {
                    lock (surprises) surprises.Add(e);
                }
            }
        }))];
        Task.WaitAll(workers);
        surprises.Should().BeEmpty();
        shared.Should().Be(0);
        claimed.Should().BePositive();
        Directory.GetFileSystemEntries(root.Root).Should().BeEmpty();
    }

    [Test]
    public void A_create_killed_before_its_journal_leaves_the_ID_free()
    {
        using TemporaryRoot root = new();
        root.Claim("x").Dispose();
        File.WriteAllText(root.FileOf("x", "debris"), "");
        using ContainerEntry entry = root.Claim("x");
        Directory.GetFiles(entry.Path).Should().Equal(root.FileOf("x", "lock"));
    }

    [Test]
    public void A_killed_create_is_undone_by_the_next_one()
    {
        using TemporaryRoot root = new();
        root.Create("x", s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.CgroupDirectories = ["/somewhere"];
        });
        ContainerState? undone = null;
        using ContainerEntry entry = root.Store.Claim("x", "create", (_, state) => undone = state);
        undone!.CgroupDirectories.Should().Equal("/somewhere");
        entry.TryReadState().Should().BeNull();
    }

    [Test]
    public void A_create_at_work_is_left_alone()
    {
        using TemporaryRoot root = new();
        root.Create("x", s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.Creator = ProcessIdentity.Self();
        });
        FluentActions.Invoking(() => root.Claim("x")).Should().Throw<OciException>().WithMessage("container with given ID already exists");
        File.Exists(root.FileOf("x", "state.json")).Should().BeTrue();
    }

    [Test]
    public void A_failed_undo_keeps_the_journal()
    {
        using TemporaryRoot root = new();
        root.Create("x", s => s.Phase = ContainerPhase.Creating);
        FluentActions.Invoking(() => root.Store.Claim("x", "create", (_, _) => throw new OciException("busy cgroup"))).Should()
            .Throw<OciException>().WithMessage("busy cgroup");
        root.Store.Open("x").ReadState().Id.Should().Be("x");
    }

    [Test]
    public void A_file_under_the_name_is_in_the_way()
    {
        using TemporaryRoot root = new();
        root.Claim("other").Dispose();
        File.WriteAllText(Path.Combine(root.Root, "x"), "");
        FluentActions.Invoking(() => root.Claim("x")).Should().Throw<OciException>().WithMessage("container with given ID already exists");
        root.Store.TryOpen("x").Should().BeNull();
    }

    [Test]
    public void A_link_under_the_name_is_not_followed()
    {
        using TemporaryRoot root = new();
        root.Create("real");
        File.CreateSymbolicLink(Path.Combine(root.Root, "x"), Path.Combine(root.Root, "real"));
        root.Store.TryOpen("x").Should().BeNull();
        root.Store.List().Should().Equal("real");
    }

    [Test]
    public void Nothing_is_not_a_container()
    {
        using TemporaryRoot root = new();
        root.Store.TryOpen("x").Should().BeNull();
        FluentActions.Invoking(() => root.Store.Open("x")).Should().Throw<OciException>().WithMessage("container does not exist");
    }

    [Test]
    public void The_journal_is_replaced_as_a_whole()
    {
        using TemporaryRoot root = new();
        root.Create("x");
        using ContainerEntry writer = root.Store.Open("x");
        using ContainerEntry reader = root.Store.Open("x");
        bool stop = false;
        Task writing = OwnThread.Run(() =>
        {
            for (int i = 0; !Volatile.Read(ref stop); i++)
            {
                ContainerState state = TemporaryRoot.NewState("x");
                state.Annotations["n"] = new string('n', i % 20_000);
                writer.WriteState(state);
            }
        });
        try
        {
            for (int i = 0; i < 3000; i++) reader.ReadState().Bundle.Should().Be("/bundles/x");
        }
        finally
        {
            Volatile.Write(ref stop, true);
            writing.Wait();
        }
        Directory.GetFiles(writer.Path).Select(Path.GetFileName).Should().BeEquivalentTo("lock", "state.json");
    }

    [Test]
    public void A_full_disk_leaves_the_old_journal_and_can_still_be_deleted()
    {
        using TemporaryRoot root = new();
        Directory.CreateDirectory(root.Root);
        Support.Command.Run("mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", root.Root).ShouldSucceed();
        try
        {
            root.Create("x");
            using ContainerEntry entry = root.Store.Open("x");
            ContainerState big = entry.ReadState();
            big.Annotations["n"] = new string('n', 100_000);
            FluentActions.Invoking(() => entry.WriteState(big)).Should().Throw<OciException>().WithMessage("*state.json*ENOSPC*");
            entry.ReadState().Annotations.Should().BeEmpty();
            Directory.GetFiles(entry.Path).Select(Path.GetFileName).Should().BeEquivalentTo("lock", "state.json");

            FluentActions.Invoking(() =>
            {
                using FileStream fill =
                File.Create(Path.Combine(root.Root, "fill")); fill.Write(new byte[32768]);
            }).Should().Throw<IOException>();
            entry.Acquire("delete");
            entry.Remove();
            root.Store.List().Should().BeEmpty();
        }
        finally
        {
            Support.Command.Run("umount", root.Root).ShouldSucceed();
        }
    }

    [Test]
    public void Removal_takes_all_that_is_in_the_directory_and_follows_nothing()
    {
        using TemporaryRoot root = new();
        root.Create("x");
        string outside = Path.Combine(root.Base, "outside");
        Directory.CreateDirectory(outside);
        File.WriteAllText(Path.Combine(outside, "keep"), "");
        Directory.CreateDirectory(root.FileOf("x", "notify/deeper"));
        File.WriteAllText(root.FileOf("x", "notify/deeper/file"), "");
        File.CreateSymbolicLink(root.FileOf("x", "link"), outside);
        using ContainerEntry entry = root.Store.Open("x");
        entry.Acquire("delete");
        entry.Remove();
        Directory.Exists(entry.Path).Should().BeFalse();
        File.Exists(Path.Combine(outside, "keep")).Should().BeTrue();
    }
}
