using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class DevicePlannerTests
{
    private static readonly string[] Defaults = ["null", "zero", "full", "random", "urandom", "tty"];

    [Test]
    public void Default_devices_and_links_are_made()
    {
        LaunchPlan plan = Plans.Default();
        plan.Steps<DeviceNodeStep>().Select(step => step.Path).Should().Equal(Defaults.Select(name => "dev/" + name));
        plan.Steps<DeviceNodeStep>().Should().OnlyContain(step => step.Origin.ToString() == "");
        plan.Words().Should().Contain("make the device /dev/null (c 1:3, mode 0666)");
        plan.Steps<SymlinkStep>().Select(step => step.Path).Should()
            .Contain(["dev/fd", "dev/stdin", "dev/stdout", "dev/stderr", "dev/ptmx"]);
        plan.Steps<SymlinkStep>().Single(step => step.Path == "dev/ptmx").Existing.Should().Be(ExistingLink.IsReplaced);
    }

    [Test]
    public void Configured_device_takes_the_place_of_a_default_one()
    {
        LaunchPlan plan = WithDevices("""{"type":"c","path":"/dev/../dev/null","major":1,"minor":5,"fileMode":384,"uid":7,"gid":8}""");
        plan.Words().Should()
            .Contain("make the device /dev/null (c 1:5, mode 0600, owner 7:8)").And.NotContain(
            "make the device /dev/null (c 1:3, mode 0666)");
        plan.Steps<DeviceNodeStep>().Single(step => step.Path == "dev/null").Origin.ToString().Should().Be("/linux/devices/0");
    }

    [TestCase("""{"type":"b","path":"/dev/sda","major":8,"minor":300000}""", "make the device /dev/sda (b 8:300000, mode 0666)")]
    [TestCase("""{"type":"u","path":"/x/y","major":4095,"minor":1048575}""", "make the device /x/y (c 4095:1048575, mode 0666)")]
    [TestCase("""{"type":"p","path":"/dev/fifo","fileMode":4480}""", "make the named pipe /dev/fifo (mode 0600)")]
    public void Types_and_numbers(string device, string expected) => WithDevices(device).Words().Should().Contain(expected);

    /// <summary>A node would be the host's multiplexer: the container's own is pts/ptmx.</summary>
    [Test]
    public void Ptmx_is_always_the_containers_own() =>
        WithDevices("""{"type":"c","path":"/dev/ptmx","major":5,"minor":2}""").Words().Should()
        .Contain("make the symbolic link /dev/ptmx -> pts/ptmx")
            .And.NotContain(words => words.Contains("device /dev/ptmx", StringComparison.Ordinal));

    /// <summary>mknod(2) is not permitted there, except for pipes.</summary>
    [Test]
    public void In_a_user_namespace_devices_of_the_host_are_bound()
    {
        LaunchPlan plan = Plans.Default(
            c => c["linux"]!["devices"] =
            JsonNode.Parse("""[{"type":"c","path":"/dev/fuse","major":10,"minor":229},{"type":"p","path":"/dev/fifo"}]"""),
            new Host.HostFacts { LastCapability = 40, Permitted = ulong.MaxValue, InUserNamespace = true });
        plan.Steps<DeviceBindStep>().Select(step => step.Path).Should().Equal([.. Defaults.Select(name => "dev/" + name), "dev/fuse"]);
        plan.Steps<DeviceNodeStep>().Select(step => step.Path).Should().Equal("dev/fifo");
    }

    /// <summary>Its devices are its owner's affair, and making some there would change the host's /dev.</summary>
    [Test]
    public void Bound_dev_is_left_alone()
    {
        LaunchPlan plan =
            Plans.Default(c => c["mounts"]!.AsArray().Add(Plans.Json("""{"destination":"/dev","source":"/dev","options":["rbind"]}""")));
        plan.Steps.Should().NotContain(step => step is DeviceNodeStep || step is DeviceBindStep || step is SymlinkStep);
    }

    /// <summary>There is one devtmpfs only, the host's.</summary>
    [Test]
    public void In_a_devtmpfs_nothing_is_made_and_no_option_is_set()
    {
        LaunchPlan plan = Plans.Default(c =>
        {
            c["mounts"]![1]!["type"] = "devtmpfs";
            c["linux"]!["devices"] = JsonNode.Parse("""[{"type":"c","path":"/dev/fuse","major":10,"minor":229}]""");
        });
        plan.Steps.Should().NotContain(step => step is SymlinkStep);
        // It has to be there, which the child sees.
        plan.Steps<DeviceNodeStep>().Select(step => step.Path).Should().Equal("dev/fuse");
        MountFilesystemStep mount = plan.Steps<MountFilesystemStep>().Single(step => step.Type == "devtmpfs");
        mount.Options.Should().BeEquivalentTo([new KeyValuePair<string, string?>("source", "tmpfs")]);
        mount.HostDevices.Should().BeTrue();
        plan.Warnings.Should()
            .Contain("/mounts/1 /dev: option \"size\" is left out: there is one devtmpfs only, the host's").And.Contain(warning =>
            warning.Contains("\"mode\""));
    }

    /// <summary>It covers the other: the container has a /dev of its own.</summary>
    [Test]
    public void A_tmpfs_over_the_hosts_dev_gets_devices()
    {
        LaunchPlan plan = Plans.Default(c => c["mounts"]!.AsArray().Insert(1, Plans.Json("""{"destination":"/dev","type":"devtmpfs"}""")));
        plan.Steps<DeviceNodeStep>().Should().HaveCount(Defaults.Length);
    }

    /// <summary>A flag of the superblock would be the host's: only the mount is read-only.</summary>
    [TestCase("devtmpfs")]
    [TestCase("efivarfs")]
    [TestCase("configfs")]
    [TestCase("pstore")]
    [TestCase("binfmt_misc")]
    [TestCase("selinuxfs")]
    [TestCase("tracefs")]
    public void What_exists_once_is_not_made_read_only_itself(string type)
    {
        LaunchPlan plan = Plans.Default(c => c["mounts"]!.AsArray()
            .Add(Plans.Json($$"""{"destination":"/x","type":"{{type}}","source":"none","options":["ro","sync"]}""")));
        MountFilesystemStep mount = plan.Steps<MountFilesystemStep>().Single(step => step.Target.Path == "x");
        mount.Options.Select(option => option.Key).Should().Equal("source");
        mount.Describe().Should().Be($"mount {type} on /x (ro)");
    }

    /// <summary>Who has the right makes them, for the container's ids.</summary>
    [Test]
    public void In_a_new_user_namespace_the_runtime_makes_listed_devices()
    {
        LaunchPlan plan = Plans.Default(c =>
        {
            c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"user"}"""));
            c["linux"]!["uidMappings"] = JsonNode.Parse("""[{"containerID":0,"hostID":100000,"size":100}]""");
            c["linux"]!["gidMappings"] = c["linux"]!["uidMappings"]!.DeepClone();
            c["linux"]!["devices"] =
                JsonNode.Parse("""[{"type":"c","path":"/dev/fuse","major":10,"minor":229,"fileMode":416,"uid":10,"gid":11}]""");
        });
        plan.Steps<DeviceMountStep>().Select(step => step.Describe()).Should()
            .Equal("make the device /dev/fuse (c 10:229, mode 0640, owner 10:11): the runtime makes it, as a user namespace cannot");
        plan.Steps<DeviceBindStep>().Select(step => step.Path).Should().Equal(Defaults.Select(name => "dev/" + name));
    }

    private static LaunchPlan WithDevices(string device) => Plans.Default(c => c["linux"]!["devices"] = new JsonArray(Plans.Json(device)));
}
