using System.Collections.Concurrent;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Shim;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>
/// The part of <see cref="SoakTests"/> that lives long: one shim, asked by eight clients at random about containers that come, go and are
/// killed. What it answers is known each time, and in the end it has what it had.
/// </summary>
[Category("Slow")]
[LeavesNothing]
public sealed class ShimSoakTests : ShimFixture
{
    private const int Clients = 8, ContainersEach = 2, None = 0, Any = -1;

    private static readonly string[] Methods =
    [
        "Create", "Create", "Create", "Start", "Start", "Start", "Exec", "Exec", "Exec", "Pause", "Resume", "Resume", "State", "Stats",
        "Pids", "Kill", "Delete", "Delete", "murder", "reconnect",
    ];

    [Test, CancelAfter(36_000_000)]
    public void A_shim_is_in_the_end_what_it_was()
    {
        // Threads, connections and the heap have their usual size then.
        Soak(Math.Min(3, SoakTests.Seconds / 4.0));
        (int fds, int threads, int memory) = (Shim.Descriptors, Shim.Status("Threads"), Shim.Status("VmRSS"));
        SoakTally tally = Soak(SoakTests.Seconds / 4.0);
        TestContext.Out.WriteLine($"seed {SoakTests.Seed}: {tally}\nVmRSS {memory} KiB, then {Shim.Status("VmRSS")} KiB");
        Eventually.True(() => Shim.Descriptors <= fds, $"{fds} descriptors again", SoakTests.Limit);
        // Each ends ten seconds after its last work.
        Eventually.True(() => Shim.Status("Threads") <= threads, $"{threads} threads again", 3 * SoakTests.Limit);
        Shim.Status("VmRSS").Should().BeLessThan(memory + 4096);
        ProcessTree.ChildrenOf(Shim.Pid).Should().BeEmpty();
        tally.Verbs.Should().Contain(Methods);
    }

    /// <summary>For so many seconds, and then without a container.</summary>
    private SoakTally Soak(double seconds)
    {
        SoakTally tally = new();
        ConcurrentQueue<Exception> wrong = [];
        long end = Environment.TickCount64 + (long)(seconds * 1000);
        Task.WaitAll([.. Enumerable.Range(0, Clients).Select(number => OwnThread.Run(() =>
        {
            TestBundle[] bundles = [.. Enumerable.Range(0, ContainersEach).Select(_ => Shim.Bundle().Args("sleep", "100000"))];
            using Client client = new(Shim, bundles, new Random(SoakTests.Seed + number), tally);
            try
            {
                while (Environment.TickCount64 < end && wrong.IsEmpty) client.Act();
                client.End();
            }
            catch (Exception e)
            {
                wrong.Enqueue(e);
            }
        }))]);
        // What a client leaves that has met something wrong would be all that is told.
        foreach (Exception e in wrong) TestContext.Out.WriteLine(e);
        wrong.Should().BeEmpty("seed {0}", SoakTests.Seed);
        return tally;
    }

    /// <summary>A connection, and the containers that only it asks about, with the status of each.</summary>
    private sealed class Client(ShimUnderTest shim, TestBundle[] bundles, Random random, SoakTally tally) : IDisposable
    {
        private readonly (string? Id, int Status, int Pid)[] _containers = new (string?, int, int)[bundles.Length];
        private TaskClient _connection = shim.Connect();
        private int _execs;

        public void Act()
        {
            string method = Methods[random.Next(Methods.Length)];
            int which = random.Next(bundles.Length);
            (string? known, int status, int pid) = _containers[which];
            string id = known ?? "nobody";
            int code = Expected(method, status), found = 0;
            try
            {
                switch (method)
                {
                    case "Create":
                        if (status == None) id = $"{TestRun.Token}-{TestRun.NextNumber()}";
                        pid = (int)ShimUnderTest.Number(_connection.Call(method, shim.CreateRequest(id, bundles[which])), 1);
                        break;
                    case "State":
                        ShimUnderTest.Number(_connection.Call(method, ShimUnderTest.Named(id)), 4).Should().Be(status);
                        break;
                    case "Exec":
                        Exec(id, $"x{_execs++}");
                        break;
                    case "Kill":
                        _connection.Call(method, ShimUnderTest.Named(id).Number(3, (long)Libc.SIGKILL));
                        AwaitEnd(id);
                        break;
                    case "murder":
                        if (status is None or Stopped or Paused) return;
                        _ = Syscall.kill(pid, Signum.SIGKILL);
                        AwaitEnd(id);
                        break;
                    case "reconnect":
                        _connection.Dispose();
                        _connection = shim.Connect();
                        break;
                    default:
                        _connection.Call(method, ShimUnderTest.Named(id));
                        break;
                }
            }
            catch (CallRefused e)
            {
                found = e.Code;
                if (code == Any || found == code) tally.Count(method, "refused");
                else throw new InvalidOperationException($"{method} of {id}, which is {status}: {e.Message}", e);
            }
            if (found != 0) return;
            code.Should().BeOneOf([0, Any], "{0} of {1}, which is {2}", method, id, status);
            tally.Count(method, "ok");
            _containers[which] = (id, After(method, status), pid);
        }

        /// <summary>As containerd does when a container is removed.</summary>
        public void End()
        {
            foreach ((string? known, int status, _) in _containers.Where(static one => one.Status != None))
            {
                string id = known!;
                if (status != Stopped) _connection.Call("Kill", ShimUnderTest.Named(id).Number(3, (long)Libc.SIGKILL));
                AwaitEnd(id);
                _connection.Call("Delete", ShimUnderTest.Named(id));
            }
        }

        private void AwaitEnd(string id) =>
            ShimUnderTest.Number(_connection.Call("Wait", ShimUnderTest.Named(id)), 1).Should().Be(128 + Libc.SIGKILL);

        private void Exec(string id, string exec)
        {
            int code = random.Next(100);
            byte[] spec = System.Text.Encoding.UTF8.GetBytes(
                $$"""{"args": ["sh", "-c", "exit {{code}}"], "cwd": "/", "env": ["PATH=/bin"]}""");
            _connection.Call("Exec", ShimUnderTest.Named(id, exec)
                .Message(7, AnyMessage.Write("types.containerd.io/opencontainers/runtime-spec/1/Process", spec)));
            try
            {
                _connection.Call("Start", ShimUnderTest.Named(id, exec));
                ShimUnderTest.Number(_connection.Call("Wait", ShimUnderTest.Named(id, exec)), 1).Should().Be(code);
            }
            finally
            {
                _connection.Call("Delete", ShimUnderTest.Named(id, exec));
            }
        }

        private static int Expected(string method, int status) => (method, status) switch
        {
            ("reconnect" or "murder", _) or ("Create", None) => 0,
            ("Create", _) => AlreadyExists,
            (_, None) => NotFound,
            ("State" or "Stats" or "Pids", _) => Any,
            ("Start", Created) or ("Exec", Created or Running) or ("Pause", Running) or ("Resume", Paused) => 0,
            ("Kill", Created or Running or Paused) or ("Delete", Created or Stopped) => 0,
            ("Kill", Stopped) => NotFound,
            _ => Unknown,
        };

        private static int After(string method, int status) => method switch
        {
            "Create" => Created,
            "Start" or "Resume" => Running,
            "Pause" => Paused,
            "Kill" or "murder" => Stopped,
            "Delete" => None,
            _ => status,
        };

        public void Dispose() => _connection.Dispose();
    }
}
