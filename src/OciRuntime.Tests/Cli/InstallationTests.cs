using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// While build.sh installs packages no service may start, by a file of Debian's; afterwards that is gone, however the installation ends.
/// </summary>
public sealed class InstallationTests
{
    private const int SIGINT = 2, SIGTERM = 15;

    // With a /usr/sbin of its own, for one command; then it waits for what an interrupted one has left at work.
    private const string Sandbox = """
        mount -t tmpfs none /usr/sbin || exit
        [ ! -e policy ] || cp policy /usr/sbin/policy-rc.d
        trap : INT TERM
        ./build.sh build
        status=$?
        until [ -e finished ] || [ ! -e installing ]; do sleep 0.1; done
        for i in $(seq 50); do if [ -e installing ] && [ -e /usr/sbin/policy-rc.d ]; then sleep 0.1; fi; done
        ls -A /usr/sbin
        exit $status
        """;

    private ScratchCheckout _checkout = null!;

    [SetUp]
    public void Begin()
    {
        _checkout = new();
        _checkout.AddProgram("dpkg-query", "[ -e \"$HERE/installed\" ] && printf installed");
        _checkout.AddProgram("dotnet", """[ "$1" = --list-sdks ] && echo '10.0.401 [here]'""");
        _checkout.AddProgram("apt-get", """
            case " $* " in *' install '*) ;; *) exit ;; esac
            trap 'rm "$HERE/installing"; trap - INT; kill -INT $$' INT
            cp /usr/sbin/policy-rc.d "$HERE/seen" && : >"$HERE/installing"
            for i in 1 2 3 4 5; do sleep 0.2; done
            cp /usr/sbin/policy-rc.d "$HERE/finished"
            """);
    }

    [TearDown]
    public void End() => _checkout.Dispose();

    [Test]
    public void It_forbids_services_for_its_time_only()
    {
        using RunningCommand run = Start();
        run.Wait().Lines.Should().NotContain("policy-rc.d");
        _checkout.LinesOf("finished").Should().StartWith("#!/bin/sh").And.EndWith("exit 101");
    }

    /// <summary>apt-get itself ends at ^C; a request to end it is not given, as half an installation is worse than a late end.</summary>
    [TestCase(SIGINT, false)]
    [TestCase(SIGTERM, true)]
    public void Interrupted_it_leaves_none(int signal, bool isFinished)
    {
        using RunningCommand run = Start();
        Eventually.True(() => File.Exists($"{_checkout.Directory}/installing"), "apt-get is at work");
        Libc.Check(Libc.kill(-run.Pid, signal), "kill");
        run.Wait().Succeeded.Should().BeFalse();
        run.Stdout.Split('\n').Should().NotContain("policy-rc.d");
        _checkout.LinesOf("seen").Should().EndWith("exit 101");
        File.Exists($"{_checkout.Directory}/finished").Should().Be(isFinished);
    }

    /// <summary>One of ours, whose process is gone, goes with the next command; anybody else's stays.</summary>
    [TestCase("#!/bin/sh\n# There while build.sh installs packages; process 2147483647\nexit 101\n", false)]
    [TestCase("#!/bin/sh\n# There while build.sh installs packages; process 1\nexit 101\n", true)]
    [TestCase("#!/bin/sh\nexit 101\n", true)]
    public void One_that_was_left_goes(string policy, bool stays)
    {
        File.WriteAllText($"{_checkout.Directory}/policy", policy);
        File.WriteAllText($"{_checkout.Directory}/installed", "");
        using RunningCommand run = Start();
        run.Wait().Lines.Contains("policy-rc.d").Should().Be(stays);
    }

    private RunningCommand Start() => Command.Start("unshare", ["--mount", "--propagation", "private", "sh", "-c", Sandbox],
        _checkout.Options with { NewSession = true });
}
