using System.Text.Json;
using System.Text.Json.Nodes;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// A bundle directory with a busybox root file system and a config.json held as <see cref="JsonObject"/>, which a test changes at will.
/// The file is written by <see cref="Save"/>; <see cref="TestContainer"/> does that before it uses the bundle.
/// </summary>
public sealed class TestBundle : IDisposable
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>A new bundle below <see cref="TestRun.Root"/>.</summary>
    public TestBundle()
    {
        Directory = TestRun.NewDirectory("bundles");
        Busybox.CreateRootfs(Rootfs);
    }

    /// <summary>The bundle's directory.</summary>
    public string Directory { get; }

    /// <summary>The root file system's directory.</summary>
    public string Rootfs => Path.Combine(Directory, "rootfs");

    /// <summary>The path of config.json.</summary>
    public string ConfigPath => Path.Combine(Directory, "config.json");

    /// <summary>The configuration; see <see cref="DefaultConfig"/> for what it starts with.</summary>
    public JsonObject Config { get; set; } = DefaultConfig.Create();

    /// <summary>The section `process`.</summary>
    public JsonObject Process => Section(Config, "process");

    /// <summary>The section `linux`.</summary>
    public JsonObject Linux => Section(Config, "linux");

    /// <summary>The section `linux.resources`.</summary>
    public JsonObject Resources => Section(Linux, "resources");

    /// <summary>The section `annotations`.</summary>
    public JsonObject Annotations => Section(Config, "annotations");

    /// <summary>The list `mounts`.</summary>
    public JsonArray Mounts => List(Config, "mounts");

    /// <summary>The list `linux.namespaces`.</summary>
    public JsonArray Namespaces => List(Linux, "namespaces");

    /// <summary>A path in the root file system as seen from the host.</summary>
    public string InRootfs(string path) => Path.Combine(Rootfs, path.TrimStart('/'));

    /// <summary>Sets the program and its arguments.</summary>
    public TestBundle Args(params string[] args)
    {
        Process["args"] = Strings(args);
        return this;
    }

    /// <summary>Sets the program to a shell script.</summary>
    public TestBundle Script(string script) => Args("sh", "-c", script);

    /// <summary>Adds `NAME=value`.</summary>
    public TestBundle Env(string variable)
    {
        List(Process, "env").Add(variable);
        return this;
    }

    /// <summary>Sets the user and, if given, the additional groups.</summary>
    public TestBundle User(int uid, int gid, params int[] additionalGids)
    {
        Process["user"] = new JsonObject
        {
            ["uid"] = uid,
            ["gid"] = gid,
            ["additionalGids"] = new JsonArray([.. additionalGids.Select(group => (JsonNode)group)]),
        };
        return this;
    }

    /// <summary>Gives the process these capabilities in the bounding, effective, permitted and, if asked, other sets.</summary>
    public TestBundle Capabilities(params string[] names)
    {
        Process["capabilities"] = new JsonObject
        {
            ["bounding"] = Strings(names),
            ["effective"] = Strings(names),
            ["permitted"] = Strings(names),
        };
        return this;
    }

    /// <summary>Makes the root file system writable.</summary>
    public TestBundle Writable()
    {
        Section(Config, "root")["readonly"] = false;
        return this;
    }

    /// <summary>Gives the process a terminal.</summary>
    public TestBundle Terminal()
    {
        Process["terminal"] = true;
        return this;
    }

    /// <summary>Appends to `mounts`; a null source or type is left out.</summary>
    public TestBundle AddMount(string destination, string? type, string? source, params string[] options)
    {
        JsonObject mount = new() { ["destination"] = destination };
        AddIfPresent(mount, "type", type);
        AddIfPresent(mount, "source", source);
        if (options.Length > 0) mount["options"] = Strings(options);
        Mounts.Add(mount);
        return this;
    }

    /// <summary>Removes the mounts at a destination.</summary>
    public TestBundle RemoveMount(string destination)
    {
        RemoveWhere(Mounts, "destination", destination);
        return this;
    }

    /// <summary>Adds a namespace, or changes the path of the one that is there.</summary>
    public TestBundle AddNamespace(string type, string? path = null)
    {
        RemoveNamespace(type);
        JsonObject added = new() { ["type"] = type };
        AddIfPresent(added, "path", path);
        Namespaces.Add(added);
        return this;
    }

    /// <summary>Removes a namespace, so that the container shares the host's.</summary>
    public TestBundle RemoveNamespace(string type)
    {
        RemoveWhere(Namespaces, "type", type);
        return this;
    }

    /// <summary>Adds a user namespace with one range; the root file system is not chowned.</summary>
    public TestBundle WithUserNamespace(int hostId = 100000, int size = 65536)
    {
        AddNamespace("user");
        foreach (string kind in (string[])["uidMappings", "gidMappings"])
            Linux[kind] = new JsonArray(new JsonObject { ["containerID"] = 0, ["hostID"] = hostId, ["size"] = size });
        return this;
    }

    /// <summary>Gives the root file system's upper directories to the root of the user namespace.</summary>
    public TestBundle WithDirectoriesOfItsRoot()
    {
        int owner = (int)Linux["uidMappings"]![0]!["hostID"]!;
        foreach (string directory in (string[])[Rootfs, .. System.IO.Directory.GetDirectories(Rootfs)])
            Libc.Check(Syscall.chown(directory, (uint)owner, (uint)owner), $"chown {directory}");
        return this;
    }

    /// <summary>Sets a cgroupsPath that no other container of any run has.</summary>
    public TestBundle WithCgroup()
    {
        Linux["cgroupsPath"] = $"/{TestRun.Token}/{TestRun.NextNumber()}";
        return this;
    }

    /// <summary>The cgroupsPath, if one is set.</summary>
    public string? CgroupsPath => Linux["cgroupsPath"]?.GetValue<string>();

    /// <summary>Adds a hook of the given kind, for example `createRuntime`, that runs a host program.</summary>
    public TestBundle AddHook(string kind, params string[] command)
    {
        List(Section(Config, "hooks"), kind).Add(new JsonObject { ["path"] = command[0], ["args"] = Strings(command) });
        return this;
    }

    /// <summary>Writes a file into the root file system.</summary>
    public TestBundle WriteFile(string path, string content, int mode = 0b110_100_100)
    {
        string full = InRootfs(path);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
        File.SetUnixFileMode(full, (UnixFileMode)mode);
        return this;
    }

    /// <summary>Writes config.json.</summary>
    public TestBundle Save()
    {
        File.WriteAllText(ConfigPath, Config.ToJsonString(Indented));
        return this;
    }

    /// <summary>A JSON array of strings.</summary>
    public static JsonArray Strings(params string[] values) => new([.. values.Select(value => (JsonNode)value)]);

    /// <inheritdoc/>
    public void Dispose()
    {
        // A runtime that left a mount on the host would otherwise have its source deleted through it.
        Cleaner.UnmountBelow(Directory).ForEach(mount => Leaks.Report($"mount left on the host: {mount}"));
        Cleaner.DeleteTree(Directory);
    }

    private static JsonObject Section(JsonObject parent, string name)
    {
        if (parent[name] is null) parent[name] = new JsonObject();
        return parent[name]!.AsObject();
    }

    private static JsonArray List(JsonObject parent, string name)
    {
        if (parent[name] is null) parent[name] = new JsonArray();
        return parent[name]!.AsArray();
    }

    private static void AddIfPresent(JsonObject target, string name, string? value)
    {
        if (value is not null) target[name] = value;
    }

    private static void RemoveWhere(JsonArray list, string property, string value)
    {
        foreach (JsonNode? item in list.Where(item => item?[property]?.GetValue<string>() == value).ToArray()) list.Remove(item);
    }
}
