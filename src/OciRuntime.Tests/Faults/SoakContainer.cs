using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// One container of <see cref="SoakTests"/>: verbs that may be killed in their midst, and all that it can be after them. An automaton that
/// is in several states at once: an answer leaves those that fit it, and none of them is a fault of the runtime.
/// </summary>
internal sealed partial class SoakContainer : IDisposable
{
    /// <summary>The longest that a verb may take.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private const int Told = 12;

    private readonly string _root, _mounts;
    private readonly Queue<string> _history = new();
    private HashSet<Soaked> _now = [Soaked.None];

    // Odd while somebody acts.
    private int _version;

    /// <param name="root">The value of --root.</param>
    /// <param name="kind">Which of several configurations it has.</param>
    /// <param name="isShared">
    /// Several threads use it at once: of it nobody knows what it is, and only that errors are such that can be.
    /// </param>
    public SoakContainer(string root, int kind, bool isShared)
    {
        (_root, IsShared) = (root, isShared);
        Id = $"{TestRun.Token}-soak-{TestRun.NextNumber()}";
        Bundle = new TestBundle().Args("sleep", "100000");
        Bundle.Linux["cgroupsPath"] = $"/{TestRun.Token}/soak/{Id}";
        // The network namespace takes the kernel more than all else does; without one of its own a user namespace mounts no sysfs.
        Bundle.RemoveNamespace("network").RemoveMount("/sys").RemoveMount("/sys/fs/cgroup");
        switch (kind % 4)
        {
            case 1: Bundle.WithUserNamespace(); break;
            case 2: Bundle.RemoveNamespace("pid").Script("sleep 100000 & exec sleep 100000"); break;
            case 3: Bundle.AddHook("createRuntime", "/bin/true").AddHook("poststop", "/bin/true"); break;
        }
        _mounts = Path.Combine(Bundle.Directory, "mounts.json");
        File.WriteAllText(_mounts, """[{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]""");
        JsonObject brief = Bundle.Save().Config.DeepClone().AsObject();
        brief["process"]!["args"] = TestBundle.Strings("true");
        File.WriteAllText(Path.Combine(Bundle.Directory, "brief.json"), brief.ToJsonString());
    }

    public string Id { get; }

    public TestBundle Bundle { get; }

    /// <summary>Who acts has it, unless it is shared.</summary>
    public Lock Gate { get; } = new();

    public bool IsShared { get; }

    /// <summary>
    /// A number that is another one as soon as somebody acts, and the words of `state`, or of its error, of which one has to be the case;
    /// null where nobody knows.
    /// </summary>
    public (int Version, IReadOnlyCollection<string>? Words) Look()
    {
        int version = Volatile.Read(ref _version);
        if (IsShared || version % 2 == 1) return (version, null);
        return (version, [.. Closed(_now).SelectMany(static now => SoakModel.Expected("state", now)).Select(static one => one.Answer)]);
    }

    /// <summary>Does one thing; what is wrong with how that went, or null.</summary>
    public string? Act(Random random, SoakTally tally)
    {
        string verb;
        // Mostly what can be done, so that something comes of it.
        int tries = random.Next(5);
        do verb = SoakModel.Verbs[random.Next(SoakModel.Verbs.Length)];
        while ((IsShared && verb is "pause" or "run to its end") || (!IsShared && tries-- > 0 && !CanBeDone(verb)));
        Interlocked.Increment(ref _version);
        try
        {
            return Do(verb, random.Next(10) switch { 0 => Libc.SIGKILL, 1 => 15, _ => 0 }, random.Next(40_000), tally);
        }
        catch (TimeoutException e)
        {
            return $"{e.Message}\n{History}";
        }
        finally
        {
            Interlocked.Increment(ref _version);
        }
    }

    private bool CanBeDone(string verb) => _now.Any(now => SoakModel.Expected(verb, now).Any(static one => one.Answer == "ok"));

    private string? Do(string verb, int signal, int microseconds, SoakTally tally)
    {
        CommandResult result = SoakTests.Call(_root, Arguments(verb), signal, microseconds);
        bool isKilled = result.Status.Signal != 0 || (signal != 0 && !result.Succeeded);
        string answer = Answer(verb, result);
        tally.Count(verb, isKilled ? "killed" : result.Succeeded ? "ok" : "refused");
        string before = string.Join('|', _now);
        string? wrong = SoakTests.Complaint(result, signal) ?? (!IsShared ? Follow(verb, isKilled, answer)
            : result.Succeeded || isKilled || SoakTests.IsProgramsEnd(result) || SoakModel.IsExpected(answer) ? null
            : $"{verb} of what others use, too: {answer}");
        string killed = isKilled ? $" (signal {signal} after {microseconds} µs)" : "";
        Note($"{DateTime.Now:HH:mm:ss.fff} {verb}, from {before}: {answer}{killed}");
        return wrong is null ? null : $"{wrong}\n{History}";
    }

    private string? Follow(string verb, bool isKilled, string answer)
    {
        HashSet<Soaked> before = Closed(_now);
        _now = isKilled
            ? [.. before.SelectMany(now => SoakModel.AfterKill(verb, now))]
            : [.. before.SelectMany(now => SoakModel.Expected(verb, now)).Where(one => answer.Contains(one.Answer))
                .Select(static one => one.Then)];
        if (_now.Count > 0) return null;
        // To go on with, whatever it is.
        _now = [.. Enum.GetValues<Soaked>()];
        return $"{verb} of what is {string.Join(" or ", before)}: {answer}";
    }

    private static HashSet<Soaked> Closed(HashSet<Soaked> some) =>
        [.. some, .. some.Select(SoakModel.ByItself).OfType<Soaked>()];

    private string[] Arguments(string verb) => verb switch
    {
        "run" => ["run", "--detach", "--bundle", Bundle.Directory, Id],
        "run to its end" => ["run", "--bundle", Bundle.Directory, "--config", "brief.json", Id],
        "create" => ["create", "--bundle", Bundle.Directory, Id],
        "exec" => ["exec", Id, "echo", "here"],
        "update" => ["update", "--pids-limit", "77", Id],
        "kill" => ["kill", Id, "KILL"],
        "probe" => ["kill", Id, "0"],
        "force" => ["delete", "--force", Id],
        "ps" => ["ps", "--format", "json", Id],
        "events" => ["events", "--stats", Id],
        "mount" => ["mounts", "add", Id, _mounts],
        "unmount" => ["mounts", "remove", Id, _mounts],
        _ => [verb, Id],
    };

    /// <summary>As in <see cref="SoakModel.Expected"/>.</summary>
    private string Answer(string verb, CommandResult result)
    {
        if (!result.Succeeded) return $"{result.ExitCode}: {result.Stderr.Trim()}";
        return verb switch
        {
            "state" => result.Json["status"]!.GetValue<string>(),
            "exec" => result.Text == "here" ? "ok" : $"said \"{result.Text}\"",
            "update" when !IsShared && PidsLimit is { } limit and not "77" => $"the limit is {limit}",
            _ => "ok",
        };
    }

    /// <summary>The limit that `update` sets; null where the host has no such controller, or the container has gone.</summary>
    private string? PidsLimit =>
        (CgroupHost.V1MountPoint("pids") ?? (CgroupHost.HasController("pids") ? CgroupHost.V2MountPoint : null)) is { } root
        && ProcessTree.ReadOrEmpty($"{root}{Bundle.CgroupsPath}/pids.max").Trim() is { Length: > 0 } text ? text : null;

    private void Note(string line)
    {
        lock (_history)
        {
            _history.Enqueue(Word().Replace(line, ""));
            if (_history.Count > Told) _history.Dequeue();
        }
    }

    public string History
    {
        get
        {
            lock (_history) return $"{Id}:\n  {string.Join("\n  ", _history)}";
        }
    }

    public void Dispose() => Bundle.Dispose();

    [GeneratedRegex("time=\"[^\"]*\" ")]
    private static partial Regex Word();
}
