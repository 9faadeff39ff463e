namespace OciRuntime.Tests.Faults;

/// <summary>What a container of <see cref="SoakTests"/> is, as far as it can be known from what was done to it.</summary>
internal enum Soaked
{
    None,

    /// <summary>A create was killed before it was done.</summary>
    Broken,

    Created,

    /// <summary>A start was killed: created, and running a moment later, or not before the next start.</summary>
    Starting,

    Running,

    PausedCreated,

    Paused,

    /// <summary>Killed while a v1 freezer holds it.</summary>
    Doomed,

    /// <summary>Killed, and it shows any moment.</summary>
    Dying,

    Stopped,
}

/// <summary>What each verb answers in each status, what comes of it, and what may have come of it when the runtime was killed.</summary>
internal static class SoakModel
{
    /// <summary>The verbs, the frequent ones several times.</summary>
    public static readonly string[] Verbs =
    [
        "create", "create", "create", "run", "run", "start", "start", "start", "state", "pause", "resume", "resume", "exec", "exec", "exec",
        "update", "kill", "probe", "delete", "delete", "force", "ps", "events", "mount", "unmount", "run to its end",
    ];

    /// <summary>All that the table below has, and what tells that others were faster.</summary>
    private static readonly string[] Errors =
    [
        .. Verbs.SelectMany(static verb => Enum.GetValues<Soaked>().SelectMany(now => Expected(verb, now))).Select(static one => one.Answer)
            .Where(static answer => answer.Contains(' ')).Distinct(),
        "is busy: held by", "killed during set-up", "killed before its program ran", "clone3 into the container's cgroup: no such file",
    ];

    private const string Any = "";
    private const string Gone = "container does not exist", Exists = "container with given ID already exists";
    private const string Idle = "container not running";

    /// <summary>
    /// The answer: "ok", a status, or a part of the error's words; and what the container is then. One of them has to be.
    /// </summary>
    public static (string Answer, Soaked Then)[] Expected(string verb, Soaked now) => (verb, now) switch
    {
        ("force", _) => [("ok", Soaked.None)],
        ("create", Soaked.None or Soaked.Broken) => [("ok", Soaked.Created)],
        ("run", Soaked.None or Soaked.Broken) => [("ok", Soaked.Running)],
        ("run to its end", Soaked.None or Soaked.Broken) => [("ok", Soaked.None)],
        ("create" or "run" or "run to its end", _) => [(Exists, now)],
        (_, Soaked.None) => [(Gone, now)],
        // The journal may not have been written, and what there is ends when it notices.
        ("state", Soaked.Broken) => [(Gone, now), ("creating", now), ("stopped", now)],
        ("delete", Soaked.Broken) => [(Gone, Soaked.None), ("ok", Soaked.None)],
        ("ps", Soaked.Broken) => [(Gone, now), ("ok", now)],
        ("start", Soaked.Broken) => [(Gone, now), ("being created", now), ("has stopped", now)],
        ("exec", Soaked.Broken) => [(Gone, now), ("being created", now), ("in a stopped container", now)],
        ("resume", Soaked.Broken) => [(Gone, now), ("container not paused", now)],
        ("kill" or "probe", Soaked.Broken) => [(Gone, now), ("still being created", now), (Idle, now), ("ok", now)],
        ("events", Soaked.Broken) => [(Gone, now), ("is not running", now), ("ok", now)],
        (_, Soaked.Broken) => [(Gone, now), (Idle, now)],

        ("state", Soaked.Created) => [("created", now)],
        ("state", Soaked.Starting) => [("created", now), ("running", Soaked.Running)],
        ("state", Soaked.Running) => [("running", now)],
        ("state", Soaked.PausedCreated or Soaked.Paused or Soaked.Doomed) => [("paused", now)],
        ("state", Soaked.Stopped) => [("stopped", now)],
        ("state", Soaked.Dying) => [("created", now), ("running", now), ("paused", now), ("stopped", Soaked.Stopped)],

        ("delete", Soaked.Created or Soaked.Stopped) => [("ok", Soaked.None)],
        ("delete", Soaked.Starting or Soaked.Dying) => [("ok", Soaked.None), ("that is not stopped", now)],
        ("delete", _) => [("that is not stopped", now)],
        ("kill", Soaked.Stopped) => [(Idle, now), ("ok", now)],
        ("kill", _) => [("ok", Soaked.Dying), (Idle, Soaked.Stopped)],
        (_, Soaked.Dying) => [(Any, now)],

        ("start", Soaked.Created) => [("ok", Soaked.Running)],
        ("start", Soaked.Starting) => [("ok", Soaked.Running), ("already running", Soaked.Running)],
        ("start", Soaked.Running) => [("already running", now)],
        ("start", Soaked.Stopped) => [("has stopped", now)],
        ("start", _) => [("in the paused state", now)],
        ("pause", Soaked.Created) => [("ok", Soaked.PausedCreated)],
        ("pause", Soaked.Running) => [("ok", Soaked.Paused)],
        ("pause", Soaked.Starting) => [("ok", Soaked.Paused), ("ok", Soaked.PausedCreated)],
        ("pause", _) => [(Idle, now)],
        ("resume", Soaked.PausedCreated) => [("ok", Soaked.Starting)],
        ("resume", Soaked.Paused) => [("ok", Soaked.Running)],
        ("resume", Soaked.Doomed) => [("ok", Soaked.Dying)],
        ("resume", _) => [("container not paused", now)],
        ("exec", Soaked.PausedCreated or Soaked.Paused or Soaked.Doomed) => [("in a paused container", now)],
        ("exec", Soaked.Stopped) => [("in a stopped container", now)],
        ("events", Soaked.Stopped) => [("is not running", now)],
        ("unmount", not Soaked.Stopped) => [("ok", now), ("nothing is mounted there", now)],
        ("ps", _) or (_, not Soaked.Stopped) => [("ok", now)],
        _ => [(Idle, now)],
    };

    /// <summary>Whether an error may be told of a container that others use at once.</summary>
    public static bool IsExpected(string error) => Errors.Any(error.Contains);

    /// <summary>What may be when the runtime was killed at any moment of the verb, beside what was.</summary>
    public static Soaked[] AfterKill(string verb, Soaked now) => (verb, now) switch
    {
        ("create" or "run" or "run to its end", Soaked.None or Soaked.Broken) =>
            [Soaked.None, Soaked.Broken, Soaked.Created, Soaked.Starting, Soaked.Running, Soaked.Dying, Soaked.Stopped],
        ("delete" or "force", Soaked.Stopped or Soaked.Broken) => [now, Soaked.None],
        ("delete", Soaked.Created or Soaked.Starting or Soaked.Dying) or ("force", not Soaked.None) =>
            [now, Soaked.Dying, Soaked.Doomed, Soaked.Stopped, Soaked.None],
        ("kill", not (Soaked.None or Soaked.Broken or Soaked.Stopped)) => [now, Soaked.Dying, Soaked.Doomed],
        ("start", Soaked.Created or Soaked.Starting) => [now, Soaked.Starting, Soaked.Running],
        _ => [now, .. Expected(verb, now).Where(static one => one.Answer == "ok").Select(static one => one.Then)],
    };

    /// <summary>What a status may have become by itself.</summary>
    public static Soaked? ByItself(Soaked now) => now switch
    {
        Soaked.Starting => Soaked.Running,
        Soaked.Dying or Soaked.Doomed => Soaked.Stopped,
        _ => null,
    };
}
