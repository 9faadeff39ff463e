using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`mounts add` or `remove` of two: all or none.</summary>
internal sealed class MountsVerb : LiveVerb
{
    private readonly bool _add;
    private readonly string _file, _before;
    private readonly Dictionary<string, string> _places = [];

    internal MountsVerb(TestBundle bundle, bool add)
        : base(bundle)
    {
        _add = add;
        _file = Path.Combine(bundle.Directory, "mounts.json");
        string source = Path.Combine(bundle.Directory, "source");
        Directory.CreateDirectory(source);
        File.WriteAllText(_file, $$"""
            [ { "destination": "/new/one", "source": "{{source}}", "type": "bind", "options": [ "rbind", "ro", "nosuid", "noexec" ] },
              { "destination": "/tmp", "source": "tmpfs", "type": "tmpfs", "options": [ "nodev", "size=1m" ] } ]
            """);
        foreach (string place in (string[])["/new/one", "/tmp"])
        {
            _places[place] = Path.Combine(bundle.Directory, $"mounts{_places.Count}.json");
            File.WriteAllText(_places[place], $$"""[ { "destination": "{{place}}" } ]""");
        }
        Prepare();
        _before = Mounts();
    }

    private protected override string[] Command => Verb(_add);

    internal override void Prepare()
    {
        if (!_add) Container.Call(Verb(add: true)[3..]).ShouldSucceed();
    }

    internal override string Observe(Meddled run) => Mounts();

    private protected override List<string> Left() => Mounts() != _before ? [$"mounts are now {Mounts()}", .. Strays()] : Strays();

    /// <summary>One that was killed may have added or removed one of the two; each that is there goes.</summary>
    internal override string? Recover()
    {
        foreach ((string place, string file) in _places)
        {
            if (!IsThere(place)) continue;
            CommandResult removed = Container.Call("mounts", "remove", Container.Id, file);
            if (!removed.Succeeded || IsThere(place)) return $"{place} stays mounted: {removed}";
        }
        return base.Recover();
    }

    private bool IsThere(string place) => new ProcessView(Init).Mounts.Any(mount => mount.MountPoint == place);

    private string[] Verb(bool add) => Container.Command("mounts", add ? "add" : "remove", Container.Id, _file);

    private string Mounts() => Promises.Normal("/proc/self/mountinfo", ProcessTree.ReadOrEmpty($"/proc/{Init}/mountinfo"));
}
