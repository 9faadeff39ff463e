using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>
/// Docker's daemon.json: an entry in <c>runtimes</c>, and perhaps <c>default-runtime</c>. There is no place in it for a note of what the
/// default was before; the backup knows.
/// </summary>
internal sealed class DockerDaemon : EngineFile
{
    private const string Runtimes = "runtimes", DefaultRuntime = "default-runtime", Path = "path", Type = "runtimeType";

    public override bool HasShim => true;

    public override string DefaultPath(string name, string? home) => $"{home ?? "/etc"}/docker/daemon.json";

    public override void Check(SetupRequest request)
    {
        if (request.Name is "runc" or "io.containerd.runc.v2")
            throw new OciException($"--name: Docker keeps the name \"{request.Name}\" for its own runtime");
    }

    public override string With(string? text, SetupRequest r, IEnumerable<string> older)
    {
        string json = string.IsNullOrWhiteSpace(text) ? "{}\n" : text;
        _ = DefaultOf(json); // Refuses what is no string, also where it is about to be replaced.
        (string key, string otherKey) = r.Shim is null ? (Path, Type) : (Type, Path);
        string path = JsonText.String(r.Shim ?? r.Binary);
        string entry = $"{{ {JsonText.String(key)}: {path} }}";
        if (Find(json, Runtimes, JsonTokenType.StartObject) is not { } runtimes)
        {
            json = JsonText.Put(json, Root(json), Runtimes, $"{{\n    {JsonText.String(r.Name)}: {entry}\n  }}");
        }
        else
        {
            JsonMember? own = JsonText.Members(json, runtimes.ValueStart).Find(m => m.Name == r.Name);
            // Other settings of the entry, such as runtimeArgs, are somebody's; but Docker refuses those of a runtime for a shim.
            bool stays = own is { Type: JsonTokenType.StartObject }
                && !JsonText.Members(json, own.ValueStart).Exists(m => m.Name == otherKey);
            json = stays ? JsonText.Put(json, own!.ValueStart, key, path) : JsonText.Put(json, runtimes.ValueStart, r.Name, entry);
        }
        return r.Default ? JsonText.Put(json, Root(json), DefaultRuntime, JsonText.String(r.Name)) : WithoutDefault(json, r.Name, older);
    }

    public override string? Without(string text, string name, IEnumerable<string> older)
    {
        string json = WithoutEntry(WithoutDefault(text, name, older), name);
        return json != text && IsEmpty(json)
            && older.All(before => IsEmpty(WithoutEntry(WithoutDefault(before, name, []), name)) && !IsEmpty(before)) ? null : json;
    }

    public override string Next(SetupRequest request, bool user)
    {
        string restart = user ? "systemctl --user restart docker" : "systemctl restart docker";
        return request.Default ? $"{restart}; docker info --format '{{{{.DefaultRuntime}}}}' says {request.Name}"
            : $"{restart}; docker run --runtime {request.Name} …";
    }

    private static bool IsEmpty(string json) => string.IsNullOrWhiteSpace(json) || JsonText.Members(json, Root(json)).Count == 0;

    private static string WithoutEntry(string json, string name)
    {
        if (IsEmpty(json) || Find(json, Runtimes, JsonTokenType.StartObject) is not { } runtimes) return json;
        json = JsonText.Drop(json, runtimes.ValueStart, name);
        return JsonText.Members(json, runtimes.ValueStart).Count == 0 ? JsonText.Drop(json, Root(json), Runtimes) : json;
    }

    /// <summary>The default as it was before it was this runtime.</summary>
    private static string WithoutDefault(string json, string name, IEnumerable<string> older)
    {
        string own = JsonText.String(name);
        if (DefaultOf(json) != own) return json;
        string? before = older.Select(DefaultOf).FirstOrDefault(value => value != own);
        return before is null ? JsonText.Drop(json, Root(json), DefaultRuntime) : JsonText.Put(json, Root(json), DefaultRuntime, before);
    }

    /// <summary>The default runtime as it is written, quotes and all.</summary>
    private static string? DefaultOf(string json) =>
        !string.IsNullOrWhiteSpace(json) && Find(json, DefaultRuntime, JsonTokenType.String) is { } member
        ? json[member.ValueStart..member.ValueEnd] : null;

    private static JsonMember? Find(string json, string name, JsonTokenType type)
    {
        JsonMember? member = JsonText.Members(json, Root(json)).Find(m => m.Name == name);
        if (member is not null && member.Type != type)
            throw new OciException($"/{name} is not {(type == JsonTokenType.String ? "a string" : "an object")}");
        return member;
    }

    private static int Root(string json) => Math.Max(0, json.AsSpan().IndexOfAnyExcept(" \t\r\n"));
}
