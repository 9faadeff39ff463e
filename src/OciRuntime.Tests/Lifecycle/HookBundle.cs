using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>A bundle whose hooks write to a directory of the host; in the container it is /log.</summary>
internal sealed class HookBundle : IDisposable
{
    internal static readonly string[] BeforeStart = ["prestart", "createRuntime", "createContainer"];
    internal static readonly string[] AllKinds = [.. BeforeStart, "startContainer", "poststart", "poststop"];

    public HookBundle(string script = "sleep 100")
    {
        Log = TestRun.NewDirectory("hooks");
        Bundle = new TestBundle().Script(script).WithCgroup().AddMount("/log", null, Log, "bind");
    }

    public TestBundle Bundle { get; }

    /// <summary>The directory on the host.</summary>
    public string Log { get; }

    /// <summary>Where a hook of this kind finds the directory.</summary>
    public string LogOf(string kind) => kind == "startContainer" ? "/log" : Log;

    /// <summary>Adds a shell script as hook; $LOG is the directory.</summary>
    public HookBundle Add(string kind, string script, int? timeout = null)
    {
        Bundle.AddHook(kind, "/bin/sh", "-c", script);
        JsonObject hook = Bundle.Config["hooks"]![kind]!.AsArray()[^1]!.AsObject();
        hook["env"] = TestBundle.Strings("PATH=/usr/sbin:/usr/bin:/sbin:/bin", $"LOG={LogOf(kind)}");
        if (timeout is { } seconds) hook["timeout"] = seconds;
        return this;
    }

    /// <summary>A file that a hook wrote, or null.</summary>
    public string? Read(string name) => File.Exists(Path.Combine(Log, name)) ? File.ReadAllText(Path.Combine(Log, name)) : null;

    /// <summary>Waits for a pid that a hook wrote and gives it.</summary>
    public int ReadPid(string name)
    {
        Eventually.True(() => Read(name)?.EndsWith('\n') == true, $"hook wrote {name}");
        return int.Parse(Read(name)!);
    }

    public void Dispose()
    {
        Bundle.Dispose();
        Cleaner.DeleteTree(Log);
    }
}
