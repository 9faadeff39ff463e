using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>CVE-2024-21626: descriptors of the host as working directory or as the way to a program.</summary>
public sealed class DescriptorTests
{
    /// <summary>A caller that leaks descriptors of a host directory, 3 to 12.</summary>
    private static CommandOptions Leaky(int directory) => new() { ExtraFds = [.. Enumerable.Repeat(directory, 10)] };

    [Test]
    public void Working_directory_is_never_a_descriptor()
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Writable().Script("ls -a .");
        for (int fd = 3; fd <= 40; fd++)
        {
            bundle.Process["cwd"] = $"/proc/self/fd/{fd}";
            using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
            CommandResult result = container.Run();
            result.Stdout.Should().NotContain(HostDirectory.Marker, "cwd /proc/self/fd/{0}", fd);
            result.Succeeded.Should().BeFalse("no descriptor is a directory of the container: {0}", result);
        }
    }

    /// <summary>The same by a link in the image, which the configuration does not show.</summary>
    [Test]
    public void Working_directory_is_a_link_to_a_descriptor([Values(3, 4, 5, 6, 9)] int fd)
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Writable().Script("ls -a .");
        File.CreateSymbolicLink(bundle.InRootfs("work"), $"/proc/self/fd/{fd}");
        bundle.Process["cwd"] = "/work";
        using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
        container.Run().Stdout.Should().NotContain(HostDirectory.Marker);
    }

    [Test]
    public void Program_is_not_found_through_a_descriptor()
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Writable();
        bundle.Process["cwd"] = "/";
        for (int fd = 3; fd <= 40; fd++)
        {
            // Only the host has this file, and a link in the image may lead there.
            File.Delete(bundle.InRootfs("bin/link"));
            File.CreateSymbolicLink(bundle.InRootfs("bin/link"), $"/proc/self/fd/{fd}/program");
            foreach (string program in (string[])[$"/proc/self/fd/{fd}/program",
                $"/proc/self/fd/{fd}/1/root{host.Directory}/program", "link"])
            {
                if (program != "link" && fd > 12) continue;
                bundle.Args(program);
                using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
                CommandResult result = container.Create();
                result.Succeeded.Should().BeFalse("{0} is outside the container: {1}", program, result);
            }
        }
    }

    [Test]
    public void Container_has_only_its_standard_streams()
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Script("exec sleep 100");
        using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
        container.Started();
        Eventually.True(() => container.Init.CommandLine[0] == "sleep", "the program runs");
        container.Init.Descriptors.Keys.Should().BeEquivalentTo([0, 1, 2]);
    }

    [Test]
    public void Preserved_descriptors_are_exactly_those_asked_for()
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
        container.Create("--preserve-fds", "2").ShouldSucceed();
        container.Start().ShouldSucceed();
        container.Init.Descriptors.Keys.Should().BeEquivalentTo([0, 1, 2, 3, 4]);
    }

    /// <summary>While it waits for `start`, init has nothing of the host open: whoever gets into its /proc entry finds nothing.</summary>
    [Test]
    public void Created_container_holds_nothing_of_the_host()
    {
        using HostDirectory host = new();
        using TestBundle bundle = new TestBundle().Args("sleep", "100").WithCgroup();
        using TestContainer container = new(bundle) { Options = Leaky(host.Fd) };
        container.Create().ShouldSucceed();
        foreach ((int fd, string target) in container.Init.Descriptors.Where(descriptor => descriptor.Key > 2))
        {
            if (target.StartsWith("socket:", StringComparison.Ordinal)) continue;
            // Only the container's own root is left, and a descriptor of it leads nowhere else.
            target.Should().Be("/", "descriptor {0}", fd);
            Command.Run("stat", "-L", "-c", "%d:%i", $"/proc/{container.InitPid}/fd/{fd}").Text
                .Should().Be(Command.Run("stat", "-c", "%d:%i", bundle.Rootfs).Text, "descriptor {0}", fd);
        }
    }
}
