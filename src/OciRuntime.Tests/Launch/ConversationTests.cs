using System.Diagnostics;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Tests.Fuzz;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>What the parent takes from whoever speaks at init's end of the conversation.</summary>
public sealed unsafe class ConversationTests
{
    private const int Messages = 10_000;

    // So long these take, of the time that a test run has for fuzzing.
    private const double Seconds = 1;

    private const string Secret = "SECRET-OF-THE-CALLER";

    private static readonly int[] Odd = [int.MinValue, -4096, -2, -1, 0, 1, 2, 7, 95, 999, 1000, 1001, 1031, 1032, 1033, 4095, 4096, 12_000,
        16 << 20, int.MaxValue];

    private readonly List<int> _mine = [];
    private LaunchPlan? _plan;
    private Conversation _init = null!;
    private int _peer;

    [TearDown]
    public void End()
    {
        _init?.Dispose();
        Hangup();
        foreach (int fd in _mine) Files.Close(fd);
        _mine.Clear();
        _plan = null;
    }

    /// <summary>
    /// Every kind, length, step and number of descriptors: a message, the end, or an error of one line, with nothing in it that is not the
    /// peer's.
    /// </summary>
    [TestCase("create")]
    [TestCase("run")]
    [TestCase("exec")]
    [TestCase("mounts")]
    [TestCase("start")]
    public void Nothing_that_a_peer_sends_does_harm(string which)
    {
        TestContext.Out.WriteLine($"seed {FuzzRun.Seed}");
        Random random = new(FuzzRun.Seed);
        int file = Memory("forged");
        HashSet<string> outcomes = [];
        Begin(which);
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan time = FuzzRun.Given(Seconds) ?? TimeSpan.Zero;
        for (int i = 0; i < Messages || clock.Elapsed < time; i++)
        {
            SyncMessage message = Forge(random);
            int length = random.Next(8) switch
            {
                0 => random.Next(2000),
                1 => 0,
                2 => sizeof(SyncMessage) + random.Next(-1, 2),
                _ => sizeof(SyncMessage),
            };
            Send(message, length, random.Next(4) switch { 0 => [file], 1 => [.. Enumerable.Repeat(file, random.Next(1, 250))], _ => [] });
            if (random.Next(50) == 0) Hangup();
            string? text = null;
            try
            {
                Paint();
                using InitMessage? received = _init.Receive();
                outcomes.Add(received is null ? "end" : received.Kind.ToString());
                if (received is { Kind: SyncKind.Error }) text = FailureText.Explain(_plan, received).Message;
            }
            catch (OciException e)
            {
                e.Errno.Should().Be(Errno.EPROTO, e.Message);
                outcomes.Add("refused");
                text = e.Message;
            }
            if (text is not null)
            {
                text.Should().NotContain(Secret);
                text.Length.Should().BeLessThan(SyncMessage.TextSize * 4 + 4096);
                text.Where(static c => char.IsControl(c) && c is not ('\n' or '\t')).Should().BeEmpty("{0}", text);
            }
            Begin(which);
        }
        Descriptors(file).Should().Be(1, "all that came with the messages are closed again");
        outcomes.Should()
            .Contain(["end", "refused", "Error", which == "start" || which == "run" || which == "exec" ? "Executing" : "Ready"]);
        TestContext.Out.WriteLine(string.Join(' ', outcomes));
    }

    /// <summary>What an honest init says is taken, in the plan's order, each thing once.</summary>
    [TestCase("create")]
    [TestCase("run")]
    [TestCase("exec")]
    [TestCase("mounts")]
    public void Steps_say_what_is_theirs_in_their_order(string which)
    {
        Begin(which);
        int file = Memory("honest"), asked = 0;
        for (int step = 0; step < _plan!.Steps.Count; step++)
        {
            foreach (SyncKind kind in _plan.Steps[step].Says)
            {
                if (_init.IsAtEnd) return;
                bool carries = kind is SyncKind.Console or SyncKind.MapIds or SyncKind.Listener;
                Send(new SyncMessage { Kind = kind, Step = step, Value = 1 }, sizeof(SyncMessage), carries ? [file] : []);
                using InitMessage message = _init.Receive()!;
                message.Kind.Should().Be(kind);
                message.Step.Should().BeSameAs(_plan.Steps[step]);
                message.Descriptor.IsOpen.Should().Be(carries);
                asked++;
            }
        }
        asked.Should().BeGreaterThan(0);
        _init.IsAtEnd.Should().BeTrue();
        SyncMessage late =
            new() { Kind = SyncKind.Error, Step = _plan.Steps.Count - 1, Op = _plan.Steps[^1].Op, Errno = Errno.ENOENT, TextLength = 4 };
        "/x\e["u8.CopyTo(late.Text);
        Send(late, sizeof(SyncMessage));
        using InitMessage error = _init.Receive()!;
        error.Text.Should().Be("/x\\x1b[", "what speaks to terminals does not");
    }

    private (int Ready, int Fork) Places() => (_plan!.Steps.FindIndex(static step => step.Op == InitOp.Ready),
        _plan.Steps.FindIndex(static step => step.Op == InitOp.ForkIntoPidNamespace));

    [Test]
    public void What_is_out_of_place_is_refused()
    {
        Begin("exec");
        (int ready, int fork) = Places();
        SyncMessage error = new() { Kind = SyncKind.Error, Step = ready, Op = InitOp.Ready, Errno = Errno.EPERM };
        Refused(error with { Op = InitOp.Execute }, $"an error of operation {(int)InitOp.Execute} in step {ready}");
        Refused(error with { TextLength = 12_000 }, "a text of 12000 bytes");
        Refused(error with { TextLength = -1 }, "a text of -1 bytes");
        Refused(error with { Errno = 0 }, "errno 0");
        Refused(error with { Errno = 5000 }, "errno 5000");
        Refused(error with { Detail = (InitDetail)999 }, "detail 999");
        Refused(error with { Step = 1000 }, "step 1000 after step 0");
        Refused(error with { Kind = (SyncKind)77 }, $"77 in step {ready}, Ready");
        Refused(new() { Kind = SyncKind.Ready, Step = fork }, $"Ready in step {fork}, ForkIntoPidNamespace");
        Refused(new() { Kind = SyncKind.Forked, Step = fork }, "pid 0");
        Refused(new() { Kind = SyncKind.Forked, Step = fork, Value = 1L << 32 | 1 }, $"pid {1L << 32 | 1}");
        Refused(new() { Kind = SyncKind.Ready, Step = ready }, "Ready with a descriptor", Memory("surplus"));
        Refused(new() { Kind = SyncKind.Ready, Step = ready }, "more than one descriptor", Memory("first"), Memory("second"));
    }

    [Test]
    public void What_comes_too_late_is_refused()
    {
        Begin("exec");
        (int ready, int fork) = Places();
        Send(new() { Kind = SyncKind.Ready, Step = ready }, sizeof(SyncMessage));
        _init.Receive()!.Dispose();
        Send(new() { Kind = SyncKind.Forked, Step = fork, Value = 1 }, sizeof(SyncMessage));
        Invoking(() => _init.Receive()).Should().Throw<OciException>().WithMessage($"*step {fork} after step {ready}");
    }

    /// <summary>One that ends with something of ours unread, as the network it is lent: the kernel tells that before its words.</summary>
    [Test]
    public void What_it_said_last_is_heard_though_it_did_not_listen()
    {
        Begin("run");
        SyncMessage error = new() { Kind = SyncKind.Error, Step = 0, Op = _plan!.Steps[0].Op, Errno = Errno.ENOENT };
        _init.Answer();
        Send(error, sizeof(SyncMessage));
        Hangup();
        using InitMessage message = _init.Receive()!;
        message.Errno.Should().Be(Errno.ENOENT);
        _init.Receive().Should().BeNull();
    }

    /// <summary>An empty message looks like the end of the connection.</summary>
    [Test]
    public void An_empty_message_is_not_the_end()
    {
        Begin("start");
        Send(default, 0);
        Invoking(() => _init.Receive()).Should().Throw<OciException>().WithMessage("*a message of 0 bytes");
        Hangup();
        _init.Receive().Should().BeNull();
    }

    [Test]
    public void A_peer_that_says_nothing_is_not_waited_for_without_end()
    {
        Begin("start");
        Invoking(() => _init.Next(null, static () => 2100)).Should().Throw<OciException>()
            .WithMessage("init has been silent for 2 s*").Which.Errno.Should().Be(Errno.ETIMEDOUT);
        // Nor is one that does not read what it has asked for.
        Invoking(() => { for (int i = 0; i < Messages; i++) _init.Answer(); }).Should().Throw<OciException>().WithMessage("answer init*");
    }

    /// <summary>A container may be paused while it is waited for, and resumed as late as somebody likes.</summary>
    [Test]
    public void The_limit_is_asked_for_again_when_it_is_reached()
    {
        Begin("start");
        int asked = 0;
        using InitMessage message = _init.Next(null, Limit)!;
        message.Kind.Should().Be(SyncKind.Executing);
        asked.Should().Be(2);

        int Limit()
        {
            if (asked++ == 0) return 2010;
            Send(new() { Kind = SyncKind.Executing }, sizeof(SyncMessage));
            return -1;
        }
    }

    private static Action Invoking(Action action) => action;

    private void Refused(SyncMessage message, string why, params int[] descriptors)
    {
        Begin("exec");
        Send(message, sizeof(SyncMessage), descriptors);
        Invoking(() => _init.Receive()).Should().Throw<OciException>()
            .WithMessage($"init, or another process in its place, sent what it cannot mean: {why}");
        foreach (int fd in descriptors) Descriptors(fd).Should().Be(1);
    }

    /// <summary>A new conversation about a plan with as many kinds of messages as there can be.</summary>
    private void Begin(string which)
    {
        _init?.Dispose();
        Hangup();
        int* pair = stackalloc int[2];
        OciException.Check(OciRuntime.Linux.Sockets.Pair(OciRuntime.Linux.Sockets.SOCK_SEQPACKET, pair), "socketpair");
        _peer = pair[1];
        _plan ??= which switch
        {
            "start" => null,
            "exec" => Plans.Exec(static config => config["process"]!["terminal"] = true),
            "mounts" => Plans.Live(),
            _ => Launch(which == "create"),
        };
        _init = new Conversation(new Fd(pair[0]), _plan);
    }

    private static LaunchPlan Launch(bool waits)
    {
        LaunchPlan plan = Plans.Default(static config =>
        {
            config["process"]!["terminal"] = true;
            config["hooks"] = Plans.Json("""{"createContainer":[{"path":"/h"}],"startContainer":[{"path":"/h"}]}""");
            config["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"user"}"""));
            config["linux"]!["uidMappings"] =
                new System.Text.Json.Nodes.JsonArray(Plans.Json("""{"containerID":0,"hostID":100000,"size":65536}"""));
            config["linux"]!["gidMappings"] = config["linux"]!["uidMappings"]!.DeepClone();
            config["mounts"]!.AsArray()
                .Add(Plans.Json("""{"destination":"/v","type":"bind","source":"/tmp","options":["bind","idmap"]}"""));
            config["linux"]!["seccomp"] =
                Plans.Json("""{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/l","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}""");
        });
        if (!waits) plan.Steps.RemoveAll(static step => step.Op == InitOp.AwaitStart);
        return plan;
    }

    private SyncMessage Forge(Random random)
    {
        SyncMessage message = default;
        int steps = _plan?.Steps.Count ?? 80;
        message.Kind = (SyncKind)(random.Next(3) == 0 ? Odd[random.Next(Odd.Length)] : random.Next(0, 18));
        message.Step = random.Next(4) == 0 ? Odd[random.Next(Odd.Length)] : random.Next(steps);
        PlanStep? step = message.Step >= 0 && message.Step < steps ? _plan?.Steps[message.Step] : null;
        if (random.Next(2) == 0)
        {
            message.Kind = SyncKind.Error;
        }
        else if (random.Next(2) == 0)
        {
            // As an honest one, but for what comes with it.
            message.Kind = step is null ? SyncKind.Executing
                : step.Says.LastOrDefault(SyncKind.Ready);
            message.Value = random.Next(-1, 3);
            return message;
        }
        message.Op = random.Next(3) == 0 ? (InitOp)Odd[random.Next(Odd.Length)] : step?.Op ?? (InitOp)random.Next(80);
        message.Errno = random.Next(4) == 0 ? Odd[random.Next(Odd.Length)] : random.Next(1, 134);
        message.Detail = (InitDetail)(random.Next(4) == 0 ? Odd[random.Next(Odd.Length)] : random.Next(50));
        message.Value = random.Next(3) switch
        {
            0 => random.NextInt64(),
            1 => (long)Odd[random.Next(Odd.Length)] << 32 | (uint)random.Next(),
            _ => random.Next(3),
        };
        message.TextLength = random.Next(3) == 0 ? Odd[random.Next(Odd.Length)] : random.Next(1001);
        random.NextBytes(message.Text);
        return message;
    }

    /// <summary>Leaves a secret all over the stack that the next call uses.</summary>
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void Paint()
    {
        Span<byte> stack = stackalloc byte[64 << 10];
        byte[] secret = Encoding.ASCII.GetBytes(Secret);
        for (int i = 0; i + secret.Length <= stack.Length; i += secret.Length) secret.CopyTo(stack[i..]);
        GC.KeepAlive(stack[^1]);
    }

    private void Send(SyncMessage message, int length, params int[] descriptors)
    {
        byte* data = stackalloc byte[2048];
        *(SyncMessage*)data = message;
        byte* control = stackalloc byte[2048];
        Libc.CmsgHdr* header = (Libc.CmsgHdr*)control;
        *header = new Libc.CmsgHdr
        {
            Length = (nuint)(sizeof(Libc.CmsgHdr) + sizeof(int) * descriptors.Length),
            Level = Libc.SOL_SOCKET,
            Type = Libc.SCM_RIGHTS
        };
        for (int i = 0; i < descriptors.Length; i++) ((int*)(header + 1))[i] = descriptors[i];
        IoVector vector = new() { Base = data, Length = (nuint)length };
        MessageHeader sent = new() { Vectors = &vector, VectorCount = 1 };
        if (descriptors.Length > 0)
        {
            sent.Control = control;
            sent.ControlLength = header->Length;
        }
        OciException.Check(OciRuntime.Linux.Kernel.Call(SyscallNumber.Sendmsg, _peer, (nint)(&sent)), "sendmsg");
    }

    private void Hangup()
    {
        if (_peer > 0) Files.Close(_peer);
        _peer = 0;
    }

    private int Memory(string name)
    {
        int fd = Libc.Check(Libc.memfd_create($"{name}-{TestRun.NextNumber()}", Libc.MFD_CLOEXEC), "memfd_create");
        _mine.Add(fd);
        return fd;
    }

    /// <summary>How many descriptors of this process stand for the same file.</summary>
    private static int Descriptors(int fd)
    {
        string? name = new FileInfo($"/proc/self/fd/{fd}").LinkTarget;
        return Directory.GetFiles("/proc/self/fd").Count(path => new FileInfo(path).LinkTarget == name);
    }
}
