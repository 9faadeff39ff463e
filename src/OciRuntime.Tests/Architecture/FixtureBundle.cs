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
        // Nor the security modules.
        foreach (string label in (string[])["apparmorProfile", "selinuxLabel"]) bundle.Process.Remove(label);
        // No such interface, volume or hook program here, and perhaps the machine has not been up for two days.
        if (bundle.Linux["timeOffsets"]?["monotonic"] is JsonObject monotonic) monotonic["secs"] = 1;
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
        if (bundle.Linux["seccomp"] is JsonObject seccomp) AdaptSeccomp(seccomp);
        AdaptLimits(bundle);
        GiveToRootOfUserNamespace(bundle);
    }

    /// <summary>The profile allows nothing, and nobody listens; as one that allows the rest it is loaded all the same.</summary>
    private static void AdaptSeccomp(JsonObject seccomp)
    {
        foreach (string member in (string[])["defaultErrnoRet", "listenerPath", "listenerMetadata"]) seccomp.Remove(member);
        seccomp["defaultAction"] = "SCMP_ACT_ALLOW";
        JsonArray rules = seccomp["syscalls"]!.AsArray();
        foreach (JsonNode? rule in rules.Where(static rule => (string?)rule!["action"] == "SCMP_ACT_NOTIFY").ToArray()) rules.Remove(rule);
        rules[0]!["names"] = new JsonArray("chmod");
    }

    /// <summary>Limits of hardware and controllers that few machines have are the parent's affair, not the child's; and there is no CAP_SYS_RESOURCE.</summary>
    private static void AdaptLimits(TestBundle bundle)
    {
        foreach (string kind in bundle.Resources.Select(member => member.Key).Except(["devices", "memory", "pids"]).ToArray()) bundle.Resources.Remove(kind);
        if (bundle.Resources["memory"] is JsonObject) bundle.Resources["memory"] = Plans.Json("""{"limit":536870912}""");
        foreach (string controller in (string[])["memory", "pids"])
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
