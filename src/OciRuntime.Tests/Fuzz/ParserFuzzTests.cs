using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.DBus;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Spec;
using OciRuntime.State;
using OciRuntime.Tests.DBus;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;
using OciRuntime.Tracing;
using PlanHost = OciRuntime.Host.CgroupHost;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// Whatever else comes from outside: what lies on disk, what the kernel says (names in it are a container's choice), what criu, systemd and
/// containerd send. It is read or refused, in the one way that callers expect; what begins each is in spec-fixtures/fuzz/, or made here.
/// </summary>
/// <remarks>
/// Elsewhere: init's messages (<see cref="Launch.ConversationTests"/>), seccomp profiles (<see cref="Seccomp.DifferentialTests"/>), what
/// `verify` and `check` read (<see cref="ProofFuzzTests"/>).
/// </remarks>
public sealed class ParserFuzzTests
{
    private const double Seconds = 1;

    private readonly Random _random = new(FuzzRun.Seed);

    [Test]
    public void Journal() => Fuzz(Json("state.json"), Refusing<OciException>(static input =>
    {
        byte[] written = [.. ContainerState.Parse(input, "c").ToJson()];
        written.Should().Equal(ContainerState.Parse(written, "c").ToJson().ToArray());
        StateDocument.ForHooks(ContainerState.Parse(written, "c"), ContainerStatus.Running).ToArray().Should().NotBeEmpty();
    }));

    [TestCase("process")]
    [TestCase("resources")]
    [TestCase("mounts")]
    public void Parts_of_a_configuration(string part)
    {
        Corpus all = Corpus.Configurations();
        // Those that exec --process, update --resources and mounts add are given.
        Corpus own = new(all.ByName[part].OfType<System.Text.Json.Nodes.JsonNode>()
            .Select(static node => Encoding.UTF8.GetBytes(node.ToJsonString())));
        Fuzz(new JsonMutator(own, _random).Next, input =>
        {
            SpecProblems problems = new();
            if (part == "process") SpecReader.ParseProcess(input, problems).Should().NotBeNull();
            else if (part == "resources") SpecReader.ParseResources(input, problems).Should().NotBeNull();
            else SpecReader.ParseMounts(input, problems).Should().NotBeNull();
            return problems.HasErrors ? FuzzOutcome.Refused : FuzzOutcome.Taken;
        });
    }

    [Test]
    public void Trace() => Fuzz(Json("trace.json"), Refusing<FormatException>(static input => TraceDocument.Parse(input)));

    /// <summary>Each line of a seed is an argument, in which execve(2) lets no NUL through.</summary>
    [Test]
    public void Command_lines() => Fuzz(Bytes("command-line-*"), Refusing<UsageException>(static input =>
        CommandLineReader.Parse(Encoding.UTF8.GetString(input).Replace('\0', '0').Split('\n')).Globals.Should().NotBeNull()));

    [Test]
    public void Mountinfo() => Fuzz(Bytes("mountinfo"), static input =>
    {
        PlanHost host = PlanHost.FromMountInfo(input);
        return MountTable.Parse(input).Count == 8 && host.Hierarchies.Length == 4 ? FuzzOutcome.Taken : FuzzOutcome.Refused;
    });

    [Test]
    public void Cgroup_membership()
    {
        CgroupHierarchy[] hierarchies = [new("/m", ["memory"], null, false), new("/s", [], "systemd", false), new("/u", [], null, true)];
        Fuzz(Bytes("cgroup"), input =>
        {
            string text = Encoding.UTF8.GetString(input);
            string[] paths = Array.ConvertAll(hierarchies, h => PlanHost.Relative(PlanHost.Membership(text, h), "/user.slice"));
            return paths.Contains("/with:colon") ? FuzzOutcome.Taken : FuzzOutcome.Refused;
        });
    }

    [Test]
    public void Stat_of_a_process() => Fuzz(Bytes("stat"), static input =>
        ProcessStat.TryParse(input, out _) ? FuzzOutcome.Taken : FuzzOutcome.Refused);

    [Test]
    public void Status_of_a_process() => Fuzz(Bytes("status"), static input =>
        CgroupProcesses.ProcessOf(input) != 0 ? FuzzOutcome.Taken : FuzzOutcome.Refused);

    [Test]
    public void Network_counters() => Fuzz(Bytes("net-dev"), static input =>
        NetworkCounters.Parse(Encoding.UTF8.GetString(input)).Count > 0 ? FuzzOutcome.Taken : FuzzOutcome.Refused);

    [Test]
    public void Passwd() => Fuzz(Bytes("passwd"), static input =>
        OwnerNames.Parse(input).Count == 3 ? FuzzOutcome.Taken : FuzzOutcome.Refused);

    /// <summary>A seed has several files, each with its name in the first line.</summary>
    [Test]
    public void Files_of_cgroups()
    {
        string directory = TestRun.NewDirectory("fuzz");
        using Fd opened = Fd.Of(Files.OpenAt(Files.AT_FDCWD, directory, Files.O_RDONLY | Files.O_DIRECTORY), "open a directory");
        CgroupHierarchy v1 = new("/v1", ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb"], null, false);
        Fuzz(Bytes("cgroup-files"), input =>
        {
            foreach (string file in Encoding.UTF8.GetString(input).Split("---\n"))
            {
                string name = file.Split('\n')[0];
                if (name.Length is > 0 and < 200 && name.AsSpan().IndexOfAny('/', '\0') < 0 && !name.All(static c => c == '.'))
                    File.WriteAllText($"{directory}/{name}", file[Math.Min(file.Length, name.Length + 1)..]);
            }
            CgroupStats stats = new();
            StatsV2.Add(stats, opened.Number);
            StatsV1.Add(stats, v1, opened.Number);
            return stats.PidsCurrent == 7 ? FuzzOutcome.Taken : FuzzOutcome.Refused;
        });
        Cleaner.DeleteTree(directory);
    }

    [Test]
    public void Durations_and_sizes() => Fuzz(new ByteMutator(((string[])["1h2m3.5s", "100ms", "64m", "1.5GiB", "-1"])
        .Select(Encoding.UTF8.GetBytes), _random).Next, static input =>
    {
        string text = Encoding.UTF8.GetString(input);
        return GoDuration.TryParse(text, out _) | ByteSize.TryParse(text, out _) ? FuzzOutcome.Taken : FuzzOutcome.Refused;
    });

    [Test]
    public void Messages_of_systemd() => Fuzz(new ByteMutator(
    [
        FakeBus.JobRemoved("/org/freedesktop/systemd1/job/1", "done"), FakeBus.Error(3, "org.example.Error", "words"),
        FakeBus.Return(4, "v", static w => { w.Signature("s"); w.String("/x"); }),
        FakeBus.Return(5, "a{sv}", static w =>
        {
            (int, int) array = w.BeginArray(8);
            w.Structure();
            w.String("k");
            w.Signature("u");
            w.UInt32(7);
            w.EndArray(array);
        }),
    ], _random).Next, Refusing<FormatException>(static input =>
    {
        if (input.Length < BusMessage.FixedSize || BusMessage.SizeOf(input.AsSpan(0, BusMessage.FixedSize)) != input.Length)
            throw new FormatException("it has another length than it says");
        BusMessage message = BusMessage.Parse(input);
        _ = message.ErrorText;
        message.Arguments(message.Signature).Skip(message.Signature);
    }));

    [Test]
    public void Answers_of_criu()
    {
        ProtobufWriter notification = new ProtobufWriter().Text(1, "post-restore").Number(2, 4711);
        byte[] seed = new ProtobufWriter().Number(1, 2).Number(2, 1).Message(4, new ProtobufWriter().Number(1, 17)).Message(5, notification)
            .Number(7, 22).Message(8, new ProtobufWriter().Number(1, 1)).Text(9, "words")
            .Message(10, new ProtobufWriter().Number(1, 4).Number(2, 1)).Written.ToArray();
        Fuzz(new ByteMutator([seed], _random).Next, Refusing<FormatException>(static input => CriuResponse.Parse(input)));
    }

    [Test]
    public void Requests_to_the_shim()
    {
        ProtobufWriter mount = new ProtobufWriter().Text(1, "overlay").Text(2, "overlay").Text(4, "lowerdir=/a:/b");
        byte[] create = new ProtobufWriter().Text(1, "c").Text(2, "/bundle").Message(3, mount).Number(4, 1).Text(5, "/in").Text(6, "/out")
            .Message(10, AnyMessage.Write("containerd.runc.v1.Options", "x"u8)).Written.ToArray();
        byte[] exec = new ProtobufWriter().Text(1, "c").Text(2, "e").Number(3, 1).Text(4, "/in").Message(7, AnyMessage.Write("t", "{}"u8))
            .Written.ToArray();
        Fuzz(new ByteMutator([create, exec], _random).Next, Refusing<FormatException>(static input =>
        {
            foreach (TaskRequest request in (TaskRequest[])[new CreateRequest(), new ExecRequest(), new KillRequest(), new ResizeRequest(),
                new CloseIORequest(), new UpdateRequest(), new TaskRequest()])
            {
                TaskRequest.Read(request, input).Id.Should().NotBeNull();
            }
            BootstrapParameters.Read(input, "c", "space").Answer("unix:///s").Should().NotBeEmpty();
        }));
    }

    private static void Fuzz(Func<byte[]> next, Func<byte[], FuzzOutcome> target) => new FuzzRun(next, target).Go(Seconds);

    private Func<byte[]> Json(string seed) => new JsonMutator(new Corpus([Read(seed)]), _random).Next;

    private Func<byte[]> Bytes(string seeds) =>
        new ByteMutator(Directory.GetFiles(SpecFixtures.PathOf("fuzz"), seeds).Select(File.ReadAllBytes), _random).Next;

    private static byte[] Read(string seed) => File.ReadAllBytes(SpecFixtures.PathOf($"fuzz/{seed}"));

    /// <summary>A target that refuses by an exception of this type, with words; another one is a broken promise.</summary>
    private static Func<byte[], FuzzOutcome> Refusing<T>(Action<byte[]> read)
        where T : Exception => input =>
    {
        try
        {
            read(input);
            return FuzzOutcome.Taken;
        }
        catch (T e)
        {
            return e.Message.Length > 0 ? FuzzOutcome.Refused : throw new FuzzException("refused without a word");
        }
    };
}
