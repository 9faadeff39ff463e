using System.Text.Json.Nodes;
using OciRuntime.Spec;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>A file of spec-fixtures/ as a bundle that this machine can run: the least is changed or left out.</summary>
internal static class FixtureBundle
{
    public static TestBundle Create(string name)
    {
        JsonObject config = JsonNode.Parse(SpecFixtures.Read(name))!.AsObject();
        RemoveUnsupported(config);
        config["root"]!["path"] = "rootfs";
        config["process"] ??= Plans.Json("""{"cwd":"/","user":{"uid":0,"gid":0}}""");
        config["process"]!["terminal"] = false;
        config["process"]!["args"] = new JsonArray("/bin/true");
        TestBundle bundle = new() { Config = config };
        bundle.WithCgroup();
        Adapt(bundle);
        return bundle;
    }

    /// <summary>What this version does not do, as it says itself. Backwards, so that the places of list elements stay right.</summary>
    private static void RemoveUnsupported(JsonObject config)
    {
        SpecProblems problems = new();
        UnsupportedFeatures.Check(SpecReader.Parse(System.Text.Encoding.UTF8.GetBytes(config.ToJsonString()), problems), problems);
        foreach (SpecProblem problem in problems.Errors.Reverse()) Remove(config, problem.Pointer);
    }

    private static void Remove(JsonNode config, string pointer)
    {
        string[] parts = pointer.Split('/')[1..];
        JsonNode node = config;
        foreach (string part in parts[..^1]) node = node is JsonArray list ? list[int.Parse(part)]! : node[part]!;
        if (node is JsonArray array) array.RemoveAt(int.Parse(parts[^1]));
        else node.AsObject().Remove(parts[^1]);
        // Mappings of a mount come in pairs.
        if (parts[^1] == "uidMappings") node.AsObject().Remove("gidMappings");
    }

    private static void Adapt(TestBundle bundle)
    {
        // No such interface, volume or hook program here.
        bundle.Linux["sysctl"]?.AsObject().Remove("net/ipv4/conf/eth0.100/rp_filter");
        foreach (JsonNode? space in bundle.Linux["namespaces"]?.AsArray() ?? []) space!.AsObject().Remove("path");
        foreach (JsonNode? mount in bundle.Config["mounts"]?.AsArray() ?? [])
        {
            if ((string?)mount!["source"] == "/srv/data") mount["source"] = bundle.Directory;
        }
        foreach (KeyValuePair<string, JsonNode?> kind in bundle.Config["hooks"]?.AsObject() ?? [])
        {
            foreach (JsonNode? hook in kind.Value!.AsArray()) hook!["path"] = "/bin/true";
        }
        if (bundle.Linux["devices"] is JsonArray devices && !File.Exists("/dev/fuse")) devices.RemoveAt(0);
        AdaptLimits(bundle);
        GiveToRootOfUserNamespace(bundle);
    }

    /// <summary>Fewer processors and controllers, and no CAP_SYS_RESOURCE.</summary>
    private static void AdaptLimits(TestBundle bundle)
    {
        if (bundle.Resources["cpu"] is JsonObject cpu) cpu["cpus"] = "0";
        if (!CgroupHost.HasController("cpuset")) bundle.Resources["cpu"]?.AsObject().Remove("cpus");
        bundle.Resources["memory"]?.AsObject().Remove("swap");
        foreach (string controller in (string[])["cpu", "memory", "pids"])
        {
            if (!CgroupHost.HasController(controller)) bundle.Resources.Remove(controller);
        }
        foreach (JsonNode? limit in bundle.Process["rlimits"]?.AsArray() ?? [])
        {
            if ((string)limit!["type"]! == "RLIMIT_CORE") (limit["soft"], limit["hard"]) = (0, 0);
        }
    }

    private static void GiveToRootOfUserNamespace(TestBundle bundle)
    {
        if (bundle.Linux["uidMappings"] is not JsonArray { Count: > 0 } maps) return;
        string owner = $"{maps[0]!["hostID"]}:{bundle.Linux["gidMappings"]![0]!["hostID"]}";
        // Directories only: the files are links to what all bundles share.
        string[] directories = [bundle.Rootfs, .. Directory.GetDirectories(bundle.Rootfs)];
        Command.Run("chown", [owner, .. directories], new CommandOptions()).ShouldSucceed();
    }
}
