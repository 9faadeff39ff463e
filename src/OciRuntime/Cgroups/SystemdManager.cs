using OciRuntime.DBus;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>What is asked of systemd (org.freedesktop.systemd1(5), the manager object).</summary>
internal sealed class SystemdManager : IDisposable
{
    private const string Service = "org.freedesktop.systemd1", ManagerPath = "/org/freedesktop/systemd1",
        ManagerInterface = Service + ".Manager";
    private const string NoSuchUnit = Service + ".NoSuchUnit", UnitExists = Service + ".UnitExists";

    // Everything together: a job of a busy systemd takes its time (runc waits as long).
    private const int PatientSeconds = 30;

    // containerd gives a delete five seconds.
    private const int HastySeconds = 4;

    private readonly BusConnection _bus;

    internal SystemdManager(BusConnection bus) => _bus = bus;

    /// <summary>Connects to the bus of the machine's systemd, or of the user's own.</summary>
    /// <param name="isUser">The user's.</param>
    /// <param name="wait">How to wait, or null for poll(2).</param>
    public static SystemdManager Connect(bool isUser, BusWait? wait = null) =>
        new(BusConnection.Open(Address(isUser), PatientSeconds, wait));

    /// <summary>The cgroup of this systemd itself, absolute or "": its units are below.</summary>
    public string ControlGroup()
    {
        const string Method = "Get";
        BusMessage answer =
            Call(new BusCall(Service, ManagerPath, "org.freedesktop.DBus.Properties", Method, "ss").With(ManagerInterface, "ControlGroup"),
            "ask systemd for its cgroup");
        string path = _bus.Read(() => answer.Arguments("v").StringVariant(), Method);
        // It becomes part of a path that is written to.
        if (path.Length > 0
            && (path[0] != '/' || path.Contains("/../", StringComparison.Ordinal) || path.EndsWith("/..", StringComparison.Ordinal)))
        {
            throw new OciException($"systemd says that its cgroup is \"{VisibleText.Line(path)}\"", Errno.EPROTO);
        }
        return path;
    }

    /// <summary>Makes a scope with a process in it, and returns once it is there.</summary>
    /// <exception cref="OciException">With errno EEXIST when there is one of this name; it is not touched.</exception>
    public void Start(SystemdUnit unit, List<UnitProperty> properties)
    {
        string doing = $"start the systemd unit {unit.Name}";
        WatchJobsOf(unit.Name);
        bool again = true;
        BusMessage answer = CallWithout(properties, p => StartCall(unit.Name, p), doing, error =>
        {
            if (error != UnitExists) return false;
            // It may be the remains of one that failed: reset, it goes away by itself.
            if (again) ResetFailed(unit.Name);
            else throw new OciException($"{doing}: a unit of this name exists already, of another container or service", Errno.EEXIST);
            again = false;
            return true;
        });
        AwaitJob(answer, "StartTransientUnit", doing);
    }

    /// <summary>Changes properties until the unit ends.</summary>
    public void SetProperties(string unit, List<UnitProperty> properties)
    {
        if (properties.Count == 0) return;
        CallWithout(properties, p =>
        {
            BusCall call = ManagerCall("SetUnitProperties", "sba(sv)").With(unit);
            call.Body.UInt32(1);
            UnitProperty.Write(call.Body, p);
            return call;
        }, $"change the systemd unit {unit}", static _ => false);
    }

    /// <summary>Moves a process into a unit's cgroup, or one below it.</summary>
    public void Attach(string unit, string subCgroup, int pid)
    {
        BusCall call = ManagerCall("AttachProcessesToUnit", "ssau").With(unit, subCgroup);
        (int, int) pids = call.Body.BeginArray(4);
        call.Body.UInt32((uint)pid);
        call.Body.EndArray(pids);
        Call(call, $"move a process into the systemd unit {unit}");
    }

    /// <summary>
    /// Stops a scope whose cgroup is gone and makes systemd forget it, so that its name is free at once. systemd does both by itself,
    /// unless the unit failed: that nobody answers is no reason to keep the container.
    /// </summary>
    public static void Remove(string unit, bool isUser)
    {
        try
        {
            using SystemdManager manager = new(BusConnection.Open(Address(isUser), HastySeconds));
            manager.WatchJobsOf(unit);
            BusMessage answer = manager._bus.Call(ManagerCall("StopUnit", "ss").With(unit, "replace"));
            if (answer.Type == BusMessageType.Return) manager.AwaitJob(answer, "StopUnit", doing: null);
            if (answer.ErrorName != NoSuchUnit) manager.ResetFailed(unit);
        }
        catch (OciException)
        {
        }
    }

    public void Dispose() => _bus.Dispose();

    private static BusAddress Address(bool isUser) => isUser ? BusAddress.User() : BusAddress.System();

    private static BusCall ManagerCall(string method, string signature) => new(Service, ManagerPath, ManagerInterface, method, signature);

    private static BusCall StartCall(string unit, List<UnitProperty> properties)
    {
        BusCall call = ManagerCall("StartTransientUnit", "ssa(sv)a(sa(sv))").With(unit, "replace");
        UnitProperty.Write(call.Body, properties);
        call.Body.EndArray(call.Body.BeginArray(8)); // no other units
        return call;
    }

    private void ResetFailed(string unit) => _bus.Call(ManagerCall("ResetFailedUnit", "s").With(unit));

    private void WatchJobsOf(string unit) =>
        _bus.AddMatch(
        $"type='signal',sender='{Service}',path='{ManagerPath}',interface='{ManagerInterface}',member='JobRemoved',arg2='{unit}'");

    private BusMessage Call(BusCall call, string doing)
    {
        BusMessage answer = _bus.Call(call);
        return answer.Type != BusMessageType.Error ? answer : throw Refused(answer, doing);
    }

    private OciException Refused(BusMessage answer, string doing)
    {
        OciException refused = _bus.Refused(answer, doing);
        bool denied = answer.ErrorName is "org.freedesktop.DBus.Error.AccessDenied"
            or "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
        return denied
            ? new OciException(
            $"{refused.Message}: uid {Processes.EffectiveUid()} may not; ordinary users have a systemd of their own, on the user bus",
            Errno.EACCES) : refused;
    }

    /// <summary>Calls with all properties, and then without those that this systemd does not take.</summary>
    private BusMessage CallWithout(List<UnitProperty> properties, Func<List<UnitProperty>, BusCall> make, string doing,
        Func<string, bool> retry)
    {
        properties = [.. properties];
        while (true)
        {
            BusMessage answer = _bus.Call(make(properties));
            if (answer.Type != BusMessageType.Error) return answer;
            OciException refused = Refused(answer, doing);
            if (retry(answer.ErrorName)) continue;
            UnitProperty? blamed = Blamed(properties, answer);
            if (blamed is not { Dispensable: true })
                throw blamed is { Pointer.Length: > 0 } ? new OciException($"{blamed.Pointer}: {refused.Message}", refused.Errno) : refused;
            properties.Remove(blamed);
        }
    }

    /// <summary>
    /// The property that an error is about: "Cannot set property X, or unknown property.", "Value specified in X is out of range".
    /// </summary>
    private static UnitProperty? Blamed(List<UnitProperty> properties, BusMessage error)
    {
        if (error.ErrorName is not ("org.freedesktop.DBus.Error.PropertyReadOnly" or "org.freedesktop.DBus.Error.InvalidArgs")) return null;
        string[] words = error.ErrorText.Split([' ', ',', '.', '=', ':', '\''], StringSplitOptions.RemoveEmptyEntries);
        return properties.Find(p => Array.IndexOf(words, p.Name) >= 0);
    }

    /// <param name="answer">Whose argument is the job.</param>
    /// <param name="method">Which gave it.</param>
    /// <param name="doing">For the error when the job fails; null when that does not matter.</param>
    private void AwaitJob(BusMessage answer, string method, string? doing)
    {
        string job = _bus.Read(() => answer.Arguments("o").String(), method);
        while (true)
        {
            BusMessage signal = _bus.NextSignal(method);
            // From systemd itself: others on the bus can send signals, too.
            if (signal.Member != "JobRemoved" || signal.Interface != ManagerInterface || signal.Sender != answer.Sender) continue;
            (string path, string result) = _bus.Read(() =>
            {
                BusReader r = signal.Arguments("uoss");
                r.UInt32();
                string removed = r.String();
                r.String();
                return (removed, r.String());
            }, "JobRemoved");
            if (path != job) continue;
            if (result != "done" && doing is not null)
                throw new OciException($"{doing}: the job ended with \"{VisibleText.Line(result)}\"; journalctl may tell why", Errno.EIO);
            return;
        }
    }
}
