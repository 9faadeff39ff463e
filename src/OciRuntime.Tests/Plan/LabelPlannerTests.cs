using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Host;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

/// <summary>Which labels go where, on machines whose kernels this one is not.</summary>
public sealed class LabelPlannerTests
{
    private const string Label = "system_u:object_r:container_file_t:s0:c1,c2";

    private static HostFacts Machine(bool appArmor = false, bool selinux = false) =>
        new() { LastCapability = 40, Permitted = Plans.Root.Permitted, AppArmor = appArmor, Selinux = selinux };

    [Test]
    public void Profile_is_written_through_the_hosts_proc_before_it_is_closed()
    {
        LaunchPlan plan = Plans.Default(c => c["process"]!["apparmorProfile"] = "docker-default", Machine(appArmor: true));
        plan.Refusals.Should().BeEmpty();
        plan.Steps<KeepHostProcStep>().Should().ContainSingle();
        plan.Words().Should().ContainInOrder("write exec docker-default to `/proc/self/attr/apparmor/exec`, or to `/proc/self/attr/exec`",
            "close what is left open of the host",
            "give up gaining privileges by execve (no_new_privs)");
    }

    [Test]
    public void Process_label_is_for_keyring_and_execve()
    {
        LaunchPlan plan = Plans.Default(c => c["process"]!["selinuxLabel"] = "u:r:t:s0", Machine(selinux: true));
        plan.Refusals.Should().BeEmpty();
        plan.Words().Should()
            .ContainInOrder("write u:r:t:s0 to `/proc/self/attr/keycreate` if it exists", "join a new session keyring _ses.c",
            "write u:r:t:s0 to `/proc/self/attr/exec`", "close what is left open of the host");
    }

    [Test]
    public void What_the_host_cannot_do_is_a_refusal()
    {
        LaunchPlan plan = Plans.Default(c =>
        {
            c["process"]!["apparmorProfile"] = "p";
            c["process"]!["selinuxLabel"] = "u:r:t:s0";
        }, Machine());
        plan.Refusals.Should().Equal(
            "/process/apparmorProfile: \"p\" cannot be written to `/proc/self/attr/exec`: AppArmor is not enabled on this host",
            "/process/selinuxLabel: \"u:r:t:s0\": selinux label is specified in config, but selinux is disabled or not supported");
    }

    [Test]
    public void Mount_label_is_an_option_of_new_file_systems_but_not_of_the_kernels_own()
    {
        LaunchPlan plan = Plans.Default(c => c["linux"]!["mountLabel"] = Label, Machine(selinux: true), Plans.Hybrid);
        plan.Warnings.Should().BeEmpty();
        foreach (MountFilesystemStep step in plan.Steps<MountFilesystemStep>())
        {
            bool own = step.Type is "proc" or "sysfs" or "mqueue" or "cgroup" or "cgroup2";
            step.Options.Contains(new("context", Label)).Should().Be(!own, "{0}", step.Type);
        }
        plan.Steps<MaskPathStep>().Should().NotBeEmpty().And.OnlyContain(step => step.Options.Contains(new("context", Label)));
        plan.Words().Should().ContainInOrder(plan.Words().Single(words => words.StartsWith("mount mqueue")), $"label /dev/mqueue {Label}");
    }

    [TestCase("fscontext")]
    [TestCase("defcontext")]
    [TestCase("rootcontext")]
    public void Kind_of_context_is_chosen_by_annotation(string kind)
    {
        LaunchPlan plan = Plans.Default(c =>
        {
            c["linux"]!["mountLabel"] = Label;
            c["annotations"] = new JsonObject { ["run.oci.mount_context_type"] = kind };
        }, Machine(selinux: true));
        plan.Steps<MountFilesystemStep>().Single(step => step.Target.Path == "dev/shm").Options.Should()
            .Contain(new KeyValuePair<string, string?>(kind, Label));
    }

    [Test]
    public void Mount_label_without_selinux_is_a_warning()
    {
        LaunchPlan plan = Plans.Default(c => c["linux"]!["mountLabel"] = Label, Machine());
        plan.Warnings.Should().Equal($"/linux/mountLabel: \"{Label}\" has no effect: SELinux is not enabled on this host");
        plan.Steps<MountFilesystemStep>().Should().NotContain(step => step.Options.Exists(option => option.Key == "context"));
        plan.Steps<LabelQueuesStep>().Should().BeEmpty();
    }

    [Test]
    public void Empty_labels_are_none()
    {
        LaunchPlan plan = Plans.Default(c =>
            (c["process"]!["apparmorProfile"], c["process"]!["selinuxLabel"], c["linux"]!["mountLabel"]) = ("", "", ""), Machine());
        plan.Refusals.Should().BeEmpty();
        plan.Warnings.Should().BeEmpty();
        plan.Steps<SecurityAttributeStep>().Should().BeEmpty();
        plan.Steps<KeepHostProcStep>().Should().BeEmpty();
    }
}
