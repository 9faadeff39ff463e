using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// `process.apparmorProfile`, `process.selinuxLabel` and `linux.mountLabel` on a kernel without either module. With them: the virtual
/// machine's tests.
/// </summary>
public sealed class LabelTests
{
    private const string Label = "system_u:object_r:container_file_t:s0:c1,c2";

    [OneTimeSetUp]
    public void NeitherModule()
    {
        string modules = ProcessTree.ReadOrEmpty("/sys/kernel/security/lsm");
        if (modules.Contains("apparmor") || modules.Contains("selinux")) Assert.Ignore("missing: a kernel without AppArmor and SELinux");
    }

    [TestCase("docker-default")]
    [TestCase("unconfined")]
    public void Profile_that_nothing_would_enforce_is_refused(string profile)
    {
        using TestBundle bundle = new();
        bundle.Process["apparmorProfile"] = profile;
        Observe.Refused(bundle).Should()
            .Contain($"/process/apparmorProfile: \"{profile}\" cannot be written to `/proc/self/attr/exec`: AppArmor is not enabled on "
            + $"this host");
    }

    [Test]
    public void Process_label_that_nothing_would_enforce_is_refused()
    {
        using TestBundle bundle = new();
        bundle.Process["selinuxLabel"] = "system_u:system_r:container_t:s0";
        Observe.Refused(bundle).Should()
            .Contain("/process/selinuxLabel: \"system_u:system_r:container_t:s0\": selinux label is specified in config, but selinux is "
            + "disabled or not supported");
    }

    [Test]
    public void Mount_label_is_left_out_with_a_warning()
    {
        using TestBundle bundle = new();
        bundle.Linux["mountLabel"] = Label;
        using TestContainer container = new(bundle.Script("stat -f -c %T /dev/shm"));
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--log", log]);
        container.Run().ShouldSucceed().Text.Should().Be("tmpfs");
        File.ReadAllText(log).Should().Contain("/linux/mountLabel").And.Contain("SELinux is not enabled");
    }

    [Test]
    public void Kind_of_mount_context_must_be_one_of_four()
    {
        using TestBundle bundle = new();
        bundle.Annotations["run.oci.mount_context_type"] = "newcontext";
        Observe.Refused(bundle).Should()
            .Contain("/annotations/run.oci.mount_context_type: \"newcontext\" is unknown; allowed: context, fscontext, defcontext, "
            + "rootcontext");
    }

    [Test]
    public void Explain_shows_the_plan_and_says_that_it_would_be_refused()
    {
        using TestBundle bundle = new();
        bundle.Process["apparmorProfile"] = "docker-default";
        CommandResult result = Ocirun.Run("explain", "--bundle", bundle.Save().Directory).ShouldSucceed();
        string text = System.Text.RegularExpressions.Regex.Replace(result.Stdout + result.Stderr, @"\s+", " ");
        text.Should()
            .Contain("AppArmor is not enabled on this host").And.Contain("write exec docker-default to `/proc/self/attr/apparmor/exec`");
    }

    /// <summary>The kernel is made to look as if it had AppArmor; what it answers to the write is its own.</summary>
    [Test]
    public void Profile_is_written_in_the_kernels_words_and_a_refusal_is_explained()
    {
        using TestBundle bundle = new();
        bundle.Process["apparmorProfile"] = "docker-default";
        string error = Observe.Refused(bundle, Wrapped.SeeminglyAppArmor);
        error.Should()
            .Contain("/process/apparmorProfile: write exec docker-default to `/proc/self/attr/apparmor/exec`, or to "
            + "`/proc/self/attr/exec`: invalid argument (EINVAL)");
        using TestContainer container = new(bundle);
        string calls =
            Strace.Record([Wrapped.SeeminglyAppArmor.Path, "--root", container.StateRoot, "create", "--bundle", bundle.Directory,
            container.Id], "openat2,write");
        calls.Should()
            .MatchRegex("openat2\\(\\d+, \"self/attr/apparmor/exec\", .*RESOLVE_NO_XDEV.* = -1 ENOENT").And.MatchRegex(
            "openat2\\(\\d+, \"self/attr/exec\", .* = \\d+")
            .And.MatchRegex("write\\(\\d+, \"exec docker-default\", 19\\) += -1 EINVAL");
    }
}
