using System.Text;
using Mono.Unix.Native;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>
/// A shim of the published binary, started and asked as containerd does it. What it leaves when it is disposed of is a leak.
/// </summary>
internal sealed class ShimUnderTest : IDisposable
{
    private readonly string _program, _sockets;
    private readonly bool _hasSmallDisk;
    private readonly string[] _launcher;
    private readonly Dictionary<string, string?> _environment;
    private readonly List<TestBundle> _bundles = [];
    private readonly List<string> _events = [];
    private EventServer? _server;

    /// <param name="hasSmallDisk">Its state is on a file system of one megabyte, which nobody else sees.</param>
    /// <param name="environment">What it has beside the tests' own.</param>
    /// <param name="launcher">What executes it, with arguments.</param>
    public ShimUnderTest(bool hasSmallDisk = false, Dictionary<string, string?>? environment = null, string[]? launcher = null)
    {
        _hasSmallDisk = hasSmallDisk;
        _launcher = launcher ?? [];
        _environment = environment ?? [];
        Children.Adopt();
        Directory = TestRun.NewDirectory("shim");
        _program = $"{Directory}/containerd-shim-ocirun-v2";
        _sockets = $"{Directory}/s";
        File.CreateSymbolicLink(_program, Ocirun.Binary.Path);
        Root = $"{Directory}/root";
        StartEvents();
        Group = $"{TestRun.Token}-{TestRun.NextNumber()}";
        using TestBundle first = Bundle(Group).Save();
        CommandResult started = Verb("start", Group, first.Directory);
        Answer = started;
        if (!started.Succeeded) return;
        Address = Encoding.UTF8.GetString(File.ReadAllBytes($"{first.Directory}/address"));
        Client = Connect();
        ProtobufReader connected = new(Client.Call("Connect", new ProtobufWriter().Text(1, "nobody")));
        while (connected.Next()) if (connected.Field == 1) Pid = (int)connected.Number;
    }

    public string Directory { get; }

    /// <summary>Where the runtime's state is.</summary>
    public string Root { get; }

    /// <summary>What all of its containers are annotated with, so that they share it.</summary>
    public string Group { get; }

    /// <summary>What `start` has answered.</summary>
    public CommandResult Answer { get; }

    public string Address { get; } = "";

    public string Socket => Address["unix://".Length..];

    public TaskClient Client { get; private set; } = null!;

    public int Pid { get; }

    public string StateDirectory(string id) => $"{Root}/{TestRun.Token}/{id}";

    /// <summary>The topics so far, and of those about an exec its name.</summary>
    public string[] Events
    {
        get
        {
            lock (_events) return [.. _events];
        }
    }

    public TaskClient Connect() => new(Socket);

    /// <summary>As when containerd starts anew.</summary>
    public void Reconnect()
    {
        Client.Dispose();
        Client = Connect();
    }

    public void StartEvents() => _server = new EventServer($"{Directory}/t.sock", _events);

    public void StopEvents() => _server?.Dispose();

    public TestBundle Bundle(string? group = null)
    {
        TestBundle bundle = new TestBundle().WithCgroup();
        bundle.Annotations["io.containerd.runc.v2.group"] = group ?? Group;
        _bundles.Add(bundle);
        return bundle;
    }

    /// <summary>What the last verb has printed, which is no text.</summary>
    public byte[] Printed => File.ReadAllBytes($"{Directory}/output");

    /// <summary>Calls the program as containerd does.</summary>
    public CommandResult Verb(string verb, string id, string directory, params string[] flags)
    {
        ProtobufWriter options = AnyMessage.Write("containerd.runc.v1.Options", new ProtobufWriter().Text(7, Root).Written);
        ProtobufWriter parameters = new ProtobufWriter().Text(1, id).Text(2, TestRun.Token)
            .Message(8, new ProtobufWriter().Message(1, options)).Text(9, _sockets);
        string input = $"{Directory}/input";
        File.WriteAllBytes(input, parameters.Written.ToArray());
        int fd = Syscall.open(input, OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC);
        const OpenFlags Anew = OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_TRUNC | OpenFlags.O_CLOEXEC;
        int output = Syscall.open($"{Directory}/output", Anew, FilePermissions.S_IRUSR);
        try
        {
            string[] call =
            [
                _program, "-namespace", TestRun.Token, "-address", $"{Directory}/c.sock", "-publish-binary", "", "-id", id, .. flags, verb,
            ];
            string[] confined =
            [
                "unshare", "--mount", "--propagation", "private", "sh", "-c",
                "mkdir \"$0\" && mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\"", Root, .. call,
            ];
            string[] words = _hasSmallDisk ? confined : [.. _launcher, .. call];
            return Command.Run(
                words[0], words[1..],
                new CommandOptions
                {
                    StdinFd = fd,
                    StdoutFd = output,
                    WorkingDirectory = directory,
                    Env = new Dictionary<string, string?>(_environment) { ["TTRPC_ADDRESS"] = $"{Directory}/t.sock" },
                });
        }
        finally
        {
            _ = Syscall.close(fd);
            _ = Syscall.close(output);
        }
    }

    public byte[] Call(string method, string id, string exec = "") => Client.Call(method, Named(id, exec));

    public static ProtobufWriter Named(string id, string exec = "")
    {
        ProtobufWriter request = new ProtobufWriter().Text(1, id);
        return exec.Length == 0 ? request : request.Text(2, exec);
    }

    /// <summary>A new container; its ID.</summary>
    public string Create(TestBundle bundle, string stdout = "", string stdin = "")
    {
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        Client.Call("Create", CreateRequest(id, bundle, stdout, stdin));
        return id;
    }

    /// <param name="id">Its container.</param>
    /// <param name="bundle">Is saved.</param>
    /// <param name="stdout">Where its output goes.</param>
    /// <param name="stdin">Where its input comes from.</param>
    /// <param name="root">Where the runtime's state of it is; by default where that of all is.</param>
    public ProtobufWriter CreateRequest(string id, TestBundle bundle, string stdout = "", string stdin = "", string? root = null)
    {
        bundle.Save();
        return new ProtobufWriter().Text(1, id).Text(2, bundle.Directory).Text(5, stdin).Text(6, stdout)
            .Message(10, AnyMessage.Write("containerd.runc.v1.Options", new ProtobufWriter().Text(7, root ?? Root).Written));
    }

    public string Run(TestBundle bundle, string stdout = "", string stdin = "")
    {
        string id = Create(bundle, stdout, stdin);
        Call("Start", id);
        return id;
    }

    /// <summary>Ends it as nobody should.</summary>
    public void KillItself()
    {
        _ = Syscall.kill(Pid, Signum.SIGKILL);
        // What it has open is closed with the last of its threads.
        Eventually.True(() => !ProcessTree.IsAlive(Pid) && !ShimSocket.Answers(Socket, 100), "the shim's end");
    }

    /// <summary>Adds an exec, and starts it if asked to.</summary>
    public void Exec(string id, string exec, string script, string stdout = "", bool start = true)
    {
        string quoted = System.Text.Json.JsonSerializer.Serialize(script);
        string spec = $$"""{"args": ["sh", "-c", {{quoted}}], "cwd": "/", "env": ["PATH=/bin"]}""";
        Client.Call("Exec", Named(id, exec).Text(5, stdout)
            .Message(7, AnyMessage.Write("types.containerd.io/opencontainers/runtime-spec/1/Process", Encoding.UTF8.GetBytes(spec))));
        if (start) Call("Start", id, exec);
    }

    public void Kill(string id, int signal, string exec = "") => Client.Call("Kill", Named(id, exec).Number(3, (long)signal));

    /// <summary>The exit status, once there is one.</summary>
    public int Wait(string id, string exec = "") => (int)Number(Call("Wait", id, exec), 1);

    public int StatusOf(string id, string exec = "") => (int)Number(Call("State", id, exec), 4);

    public int PidOf(string id) => (int)Number(Call("State", id), 3);

    public void KillAndDelete(string id)
    {
        Kill(id, 9);
        Wait(id);
        Call("Delete", id);
    }

    public static long Number(byte[] message, int field)
    {
        for (ProtobufReader reader = new(message); reader.Next();) if (reader.Field == field) return reader.Number;
        return 0;
    }

    /// <summary>A number of its /proc/PID/status.</summary>
    public int Status(string field) => int.Parse(new ProcessView(Pid).Status(field).Split(' ')[0]);

    /// <summary>What it has used of processors, in hundredths of a second.</summary>
    public long ProcessorTime
    {
        get
        {
            string[] fields = File.ReadAllText($"/proc/{Pid}/stat").Split(") ")[1].Split(' ');
            return long.Parse(fields[11]) + long.Parse(fields[12]);
        }
    }

    public int Descriptors => System.IO.Directory.GetFiles($"/proc/{Pid}/fd").Length;

    /// <summary>As containerd ends it, and all of it has to go.</summary>
    public void Dispose()
    {
        if (Answer.Succeeded && ProcessTree.IsAlive(Pid))
        {
            Client.Call("Shutdown", new ProtobufWriter().Text(1, Group));
            if (!Eventually.Becomes(() => !ProcessTree.IsAlive(Pid), TimeSpan.FromSeconds(10)))
            {
                Leaks.Report($"shim {Pid} is still there");
                _ = Syscall.kill(Pid, Signum.SIGKILL);
            }
            if (File.Exists(Socket)) Leaks.Report($"socket left: {Address}");
        }
        Client?.Dispose();
        _server?.Dispose();
        _bundles.ForEach(static bundle => bundle.Dispose());
        foreach (string left in System.IO.Directory.Exists($"{Root}/{TestRun.Token}")
            ? System.IO.Directory.GetDirectories($"{Root}/{TestRun.Token}") : [])
        {
            Leaks.Report($"state left: {left}");
        }
        Cleaner.DeleteTree(Directory);
    }
}
