using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NUnit.Framework;
using OciRuntime.Checkpoint;
using OciRuntime.Checks;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.State;
using OciRuntime.Tests.Support;
using OciRuntime.Verify;
using Report = OciRuntime.Verify.Report;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// What `verify` and `check` read: files of a process, where names of files and variables are the container's choice, and what a sandbox
/// may show in their place; keys; programs of an image; ranges of ids; and criu's log. Each is understood or not, and nothing of it
/// reaches a terminal as it is.
/// </summary>
public sealed class ProofFuzzTests
{
    private const double Seconds = 1;

    private static readonly string[] OfProcess =
        ["limits", "environ", "uid_map", "gid_map", "timens_offsets", "numa_maps", "status", "mountinfo"];

    private static readonly string[] Pointers =
        ["/process/rlimits/0", "/process/env", "/linux/uidMappings", "/linux/gidMappings", "/linux/timeOffsets", "/linux/memoryPolicy"];

    private readonly Random _random = new(FuzzRun.Seed);

    /// <summary>A seed has several files, each with its name in the first line.</summary>
    [Test]
    public void Files_of_a_process()
    {
        string directory = TestRun.NewDirectory("fuzz");
        // Namespaces are this process's, and the root, which it takes to find out whose memory it reads, is any.
        File.CreateSymbolicLink($"{directory}/ns", "/proc/self/ns");
        File.CreateSymbolicLink($"{directory}/root", directory);
        using TemporaryRoot root = new();
        using ContainerEntry entry = root.Claim("c");
        ContainerState state = TemporaryRoot.NewState("c");
        state.PrivatePidNamespace = false;
        state.Init = new ProcessIdentity(Environment.ProcessId, 1);
        LaunchPreparation made = Promised();
        Fuzz("process", input =>
        {
            foreach (string file in Encoding.Latin1.GetString(input).Split("---\n"))
            {
                string name = file.Split('\n')[0];
                if (!OfProcess.Contains(name)) continue;
                File.WriteAllBytes($"{directory}/{name}", Encoding.Latin1.GetBytes(file[Math.Min(file.Length, name.Length + 1)..]));
            }
            using ProcessFiles process = Over(state.Init.Pid, Fd.Open(directory, Files.O_PATH | Files.O_DIRECTORY, "open"));
            Report report = Look(new(made, entry, state, process, ContainerStatus.Running));
            foreach (char c in report.Text(all: true))
                if (char.IsControl(c) && c != '\n') throw new FuzzException($"a report with U+{(int)c:X4}: {report.Text(all: true)}");
            using JsonDocument json = JsonDocument.Parse(report.Json().ToArray());
            return json.RootElement.GetProperty("findings").EnumerateArray().All(static one =>
                !Pointers.Contains(one.GetProperty("pointer").GetString()) || one.GetProperty("outcome").GetString() == "held")
                ? FuzzOutcome.Taken : FuzzOutcome.Refused;
        });
        Cleaner.DeleteTree(directory);
    }

    [Test]
    public void Keys() => Fuzz("keys", static input =>
        PrivilegeProof.HasKeyring(Encoding.UTF8.GetString(input), "_ses.web") ? FuzzOutcome.Taken : FuzzOutcome.Refused);

    /// <summary>/etc/subuid and /etc/subgid, of a user who has no name.</summary>
    [Test]
    public void Ranges_of_ids()
    {
        string file = TestRun.NewPath("subid");
        Fuzz("subid", input =>
        {
            File.WriteAllBytes(file, input);
            return SubordinateIds.Of(999_999, file).Contains("231072:65536", StringComparison.Ordinal) ? FuzzOutcome.Taken
                : FuzzOutcome.Refused;
        });
        File.Delete(file);
    }

    /// <summary>The last error is the end of a message of one line.</summary>
    [Test]
    public void Logs_of_criu()
    {
        string directory = TestRun.NewDirectory("fuzz");
        CriuLog log = new(directory, "dump.log");
        Fuzz("criu*.log", input =>
        {
            File.WriteAllBytes($"{directory}/dump.log", input);
            string reason = log.Reason();
            if (reason.Any(char.IsControl)) throw new FuzzException($"a reason with control characters: {reason}");
            return reason.StartsWith(": Error (", StringComparison.Ordinal) ? FuzzOutcome.Taken : FuzzOutcome.Refused;
        });
        Cleaner.DeleteTree(directory);
    }

    /// <summary>The image's, of which `check --bundle` reads what execve would.</summary>
    [Test]
    public void Heads_of_programs()
    {
        string file = TestRun.NewPath("program");
        Fuzz("program-*", input =>
        {
            File.WriteAllBytes(file, input);
            using Fd program = Fd.Open(file, Files.O_PATH, "open");
            if (ProgramFile.Read(program) is not { } head) return FuzzOutcome.Refused;
            if (head.Interpreter is { } interpreter && !interpreter.StartsWith('/')) throw new FuzzException(interpreter);
            return head.Interpreter is null ? FuzzOutcome.Refused : FuzzOutcome.Taken;
        });
        File.Delete(file);
    }

    /// <summary>All that is told from files alone.</summary>
    private static Report Look(Subject subject)
    {
        Report report = new("c", "running");
        using FileTree tree = FileTree.Open(subject.Init);
        NamespaceProof.Add(report, subject, tree);
        foreach (ProcessPromise promise in LimitProof.OfProcesses(subject)) report.Add(promise.Promise, promise.Look(subject.Init));
        MemoryPolicyProof.Add(report, subject, tree);
        EnvironmentProof.Add(report, subject, tree);
        return report;
    }

    private static LaunchPreparation Promised()
    {
        JsonObject config = DefaultConfig.Create();
        JsonNode linux = config["linux"]!, process = config["process"]!;
        config["ociVersion"] = "1.3.0";
        linux["namespaces"]!.AsArray().Add(new JsonObject { ["type"] = "user" });
        linux["namespaces"]!.AsArray().Add(new JsonObject { ["type"] = "time" });
        linux["timeOffsets"] = JsonNode.Parse("""{ "monotonic": { "secs": 7200, "nanosecs": 5 }, "boottime": { "secs": 604800 } }""");
        linux["memoryPolicy"] = JsonNode.Parse("""{ "mode": "MPOL_BIND", "nodes": "0" }""");
        foreach (string map in (string[])["uidMappings", "gidMappings"])
            linux[map] = JsonNode.Parse("""[ { "containerID": 0, "hostID": 100000, "size": 65536 } ]""");
        process["env"] = new JsonArray("PATH=/bin", "TERM=xterm");
        process["execCPUAffinity"] = new JsonObject { ["final"] = "0-1" };
        LaunchSettings settings = new() { Verb = "create", Id = "c", WaitForStart = true, OnlyExplain = true };
        return LaunchPreparation.Decide(settings, "/run/ocirun/c", Plans.Parse(config), "/b", "/b/rootfs", Plans.Root,
            PlanningTarget.CgroupHosts["v1"], [], []);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern ProcessFiles Over(int pid, Fd directory);

    /// <summary>By turns as it is in spec-fixtures/fuzz/, and changed.</summary>
    private void Fuzz(string seeds, Func<byte[], FuzzOutcome> target)
    {
        string[] files = [.. Directory.GetFiles(SpecFixtures.PathOf("fuzz"), seeds).Order(StringComparer.Ordinal)];
        byte[][] known = Array.ConvertAll(files, File.ReadAllBytes);
        ByteMutator mutator = new(known, _random);
        new FuzzRun(() => _random.Next(10) == 0 ? known[_random.Next(known.Length)] : mutator.Next(), input =>
        {
            try
            {
                return target(input);
            }
            catch (OciException e)
            {
                return e.Message.Length > 0 ? FuzzOutcome.Refused : throw new FuzzException("refused without a word");
            }
        }).Go(Seconds);
    }
}
