using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>What an ordinary user cannot have is an error that says where config.json asks for it and why it cannot be.</summary>
public sealed class RootlessRefusalTests
{
    private OrdinaryUser _user = null!;

    [OneTimeSetUp]
    public void MakeUser() => _user = OrdinaryUser.WithoutRanges();

    [TearDown]
    public void CheckRuntimeDirectory() => Directory.GetFileSystemEntries(_user.RuntimeDirectory).Should().BeEmpty();

    [OneTimeTearDown]
    public void RemoveUser() => _user.Dispose();

    private static IEnumerable<TestCaseData> Refused()
    {
        yield return Case("No_user_namespace", c => Remove(c, "user"), "/linux/namespaces: rootless container requires user namespaces: ");
        yield return Case("Id_of_another", c => c["linux"]!["uidMappings"]![0]!["hostID"] = 1, "/linux/uidMappings: ", "newuidmap",
            " 0 1 1: exit status 1: ", "user 61234 may map nothing: /etc/subuid has no line for him");
        yield return Case("Range", c => c["linux"]!["gidMappings"]![0]!["size"] = 2, "/linux/gidMappings: ", "newgidmap",
            "/etc/subgid has no line for him (as root: usermod --add-subgids");
        yield return Case("Groups", c => c["process"]!["user"]!["additionalGids"] = new JsonArray(0),
            "/process/user/additionalGids: [0]: cannot set any additional groups");
        yield return Case("Unmapped_user", c => c["process"]!["user"]!["uid"] = 7,
            "/process/user/uid: 7 is not mapped by /linux/uidMappings");
        yield return Case("Unmapped_group_of_devpts", c => Mount(c, "devpts", "devpts", "gid=5"),
            "/mounts/7 /x: option \\\"gid=5\\\": the id is not mapped by /linux/gidMappings");
        yield return Case("Unmapped_owner_of_tmpfs", c => Mount(c, "tmpfs", "tmpfs", "size=1m,uid=1"),
            "/mounts/7 /x: option \\\"uid=1\\\": the id is not mapped by /linux/uidMappings");
        yield return Case("Block_file_system", c => Mount(c, "ext4", "/dev/vda"),
            "/mounts/7: mount ext4 from /dev/vda on /x: create file system: operation not permitted (EPERM): the kernel lets a user "
            + "namespace mount ext4 only where its file system is made for that");
        yield return Case("Processes_of_the_host", c => Remove(c, "pid"),
            "/mounts/0: mount proc on /proc: create file system: operation not permitted (EPERM): a user namespace may mount proc only "
            + "with a pid namespace of its own");
        yield return Case("Device_that_the_host_does_not_have",
            c => c["linux"]!["devices"] = JsonNode.Parse("""[{"path":"/dev/none-such","type":"c","major":1,"minor":3}]"""),
            "/linux/devices/0: bind the host's device /dev/none-such",
            "no such file or directory (ENOENT): making device nodes takes CAP_MKNOD outside of any user namespace");
        yield return Case("Device_with_another_owner",
            c => c["linux"]!["devices"] =
            JsonNode.Parse("""[{"path":"/dev/zero","type":"c","major":1,"minor":5,"uid":0,"fileMode":384}]"""),
            "/linux/devices/0: bind the host's device /dev/zero on /dev/zero: it has not the owner or mode that it should have: operation "
            + "not permitted (EPERM): making device nodes takes CAP_MKNOD outside of any user namespace",
            "as it is (here uid 0, gid 0, mode 0666); asked for is uid 0, fileMode 0600");
        yield return Case("Device_of_another_number",
            c => c["linux"]!["devices"] = JsonNode.Parse("""[{"path":"/dev/zero","type":"c","major":1,"minor":7}]"""),
            "/linux/devices/0: bind the host's device /dev/zero on /dev/zero: not the device it should be: no such device (ENODEV): "
            + "making device nodes takes CAP_MKNOD");
        yield return Case("Files_out_of_reach", c => Mount(c, null, "/root/x", "bind"),
            "/mounts/7: bind /root/x on /x: source: permission denied (EACCES): the container's root user cannot reach it");
        yield return Case("Directory_without_what_is_mounted_below", c => Mount(c, null, "/", "bind"),
            "/mounts/7: bind / on /x: source: invalid argument (EINVAL): a user namespace can bind a mount of the host that has others "
            + "below it only with them (option rbind)");
        yield return Case("Hard_limit_raised",
            c => c["process"]!["rlimits"] = JsonNode.Parse("""[{"type":"RLIMIT_NOFILE","soft":1,"hard":1073741816}]"""),
            "/process/rlimits/0: set RLIMIT_NOFILE soft 1 hard 1073741816: operation not permitted (EPERM): the kernel allows at most ",
            " (/proc/sys/fs/nr_open)");
        yield return Case("Hard_limit_raised_for_real_time",
            c => c["process"]!["rlimits"] = JsonNode.Parse("""[{"type":"RLIMIT_RTPRIO","soft":0,"hard":99}]"""),
            "/process/rlimits/0: set RLIMIT_RTPRIO soft 0 hard 99: operation not permitted (EPERM): the hard limit of the runtime is 0, "
            + "raising it needs CAP_SYS_RESOURCE");
        yield return Case("Oom_score_lowered", c => c["process"]!["oomScoreAdj"] = -1,
            "/process/oomScoreAdj: set oom_score_adj to -1: permission denied (EACCES): lowering it below what the caller has needs "
            + "CAP_SYS_RESOURCE");
        yield return Case("Limit_without_a_cgroup", c => c["linux"]!["resources"] = JsonNode.Parse("""{"pids":{"limit":10}}"""),
            "create cgroup ",
            "permission denied (EACCES): rootless needs no limits + no cgrouppath when no permission is granted for cgroups");
        yield return Case("Cgroup_that_is_not_his", c => c["linux"]!["cgroupsPath"] = $"/{TestRun.Token}/x", "create cgroup ",
            "permission denied (EACCES): rootless needs no limits + no cgrouppath");
        // One's own: joining needs a privilege over it, which the new user namespace's maker has only over what belongs to it.
        yield return Case("Namespace_of_the_host", c => c["linux"]!["namespaces"]![1]!["path"] = "/proc/self/ns/ipc",
            "/linux/namespaces/1/path: join the ipc namespace /proc/self/ns/ipc: operation not permitted (EPERM)");
        yield return Case("Namespaces_of_the_host", JoinOwn,
            "/linux/namespaces/0/path: join the pid namespace /proc/self/ns/pid: operation not permitted (EPERM)");
        yield return Case("Namespace_of_root", c => c["linux"]!["namespaces"]![1]!["path"] = "/proc/1/ns/ipc",
            "/linux/namespaces/1/path /proc/1/ns/ipc: permission denied (EACCES)");
    }

    [TestCaseSource(nameof(Refused))]
    public void Is_refused_by_name(Action<JsonObject> change, string[] message)
    {
        using TestBundle bundle = _user.Bundle();
        change(bundle.Config);
        using TestContainer container = _user.Container(bundle.Args("true"));
        container.Run().ShouldFail(1, message);
        container.Create().ShouldFail(1, message);
    }

    private static TestCaseData Case(string name, Action<JsonObject> change, params string[] message) =>
        new TestCaseData(change, message).SetArgDisplayNames(name);

    /// <summary>The one that is tried first is not the first in the list.</summary>
    private static void JoinOwn(JsonObject config)
    {
        JsonArray namespaces = config["linux"]!["namespaces"]!.AsArray();
        foreach (string type in (string[])["ipc", "pid"])
            namespaces.Single(item => item!["type"]!.GetValue<string>() == type)!["path"] = $"/proc/self/ns/{type}";
    }

    private static void Remove(JsonObject config, string type)
    {
        JsonArray namespaces = config["linux"]!["namespaces"]!.AsArray();
        namespaces.Remove(namespaces.Single(item => item!["type"]!.GetValue<string>() == type));
        if (type != "user") return;
        config["linux"]!.AsObject().Remove("uidMappings");
        config["linux"]!.AsObject().Remove("gidMappings");
    }

    private static void Mount(JsonObject config, string? type, string source, params string[] options)
    {
        JsonObject mount = new() { ["destination"] = "/x", ["source"] = source, ["options"] = TestBundle.Strings(options) };
        if (type is not null) mount["type"] = type;
        config["mounts"]!.AsArray().Add(mount);
    }
}
