using System.Text.Json.Nodes;

namespace OciRuntime.Tests.Support;

/// <summary>Mounts for `mounts add` and `mounts remove`.</summary>
public static class LiveMount
{
    /// <summary>A mount as in config.json.</summary>
    public static JsonObject Of(string destination, string? type, string? source, params string[] options)
    {
        JsonObject mount = new() { ["destination"] = destination };
        if (type is not null) mount["type"] = type;
        if (source is not null) mount["source"] = source;
        if (options.Length > 0) mount["options"] = TestBundle.Strings(options);
        return mount;
    }

    /// <summary>Only where one is.</summary>
    public static JsonObject At(string destination) => Of(destination, null, null);

    /// <summary>`mounts add ID -`.</summary>
    public static CommandResult Add(TestContainer container, params JsonObject[] mounts) => Call(container, "add", mounts);

    /// <summary>`mounts remove ID -`.</summary>
    public static CommandResult Remove(TestContainer container, params JsonObject[] mounts) => Call(container, "remove", mounts);

    /// <summary>Gives the root file system to root of the user namespace, so that mount points can be made in it.</summary>
    public static TestBundle Own(TestBundle bundle, int hostId = 100000)
    {
        Command.Run("chown", "-R", $"{hostId}:{hostId}", bundle.Rootfs).ShouldSucceed();
        return bundle;
    }

    /// <summary>The array.</summary>
    public static string Json(params JsonObject[] mounts) =>
        new JsonArray([.. mounts.Select(static mount => mount.DeepClone())]).ToJsonString();

    private static CommandResult Call(TestContainer container, string action, JsonObject[] mounts) =>
        container.Call(["mounts", action, container.Id, "-"], container.Options with { Stdin = Json(mounts) });
}
