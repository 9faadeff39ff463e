using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// `./build.sh build` where there is no .NET SDK and no package of it: what it fetches, and what it makes of what is not what it should
/// be. Instead of Microsoft's script one of the tests is served, which makes an SDK of a few lines.
/// </summary>
public sealed class FirstBuildTests
{
    // Takes the options of dotnet-install.sh. The SDK that it installs "compiles" a program of its own.
    private const string Script = """
        #!/usr/bin/env bash
        printf '%s\n' "$*" >>called
        while [ $# -gt 0 ]; do
          case $1 in --install-dir) dir=$2 ;; --zip-path) archive=$2 ;; esac
          shift
        done
        mkdir -p "$dir"
        printf 'an archive' >"$archive"
        cat >"$dir/dotnet" <<'DOTNET'
        #!/usr/bin/env bash
        if [ "$1" = --list-sdks ]; then echo '10.0.401 [here]'; exit; fi
        echo '{}' >"$2/obj/project.assets.json"
        while [ "$1" != -o ]; do shift; done
        mkdir -p "$2" && printf '#!/bin/sh\necho compiled\n' >"$2/ocirun" && chmod +x "$2/ocirun"
        DOTNET
        chmod +x "$dir/dotnet"
        """;

    private ScratchCheckout _checkout = null!;
    private TcpListener _server = null!;
    private Task _serving = null!;

    [SetUp]
    public void Begin()
    {
        _checkout = new();
        // Where apt offers an SDK it would be installed.
        _checkout.AddProgram("apt-cache", "exit 1");
        _server = new TcpListener(IPAddress.Loopback, 0);
        _server.Start();
        _serving = OwnThread.Run(Serve);
    }

    [TearDown]
    public void End()
    {
        _server.Dispose();
        _serving.Wait();
        _checkout.Dispose();
    }

    [Test]
    public void The_sdk_is_fetched_once_for_this_checkout()
    {
        Build().ShouldSucceed().Stdout.Should().Contain("into out/dotnet");
        Command.Run($"{_checkout.Directory}/out/ocirun").ShouldSucceed().Text.Should().Be("compiled");
        File.Delete($"{_checkout.Directory}/out/ocirun");
        Build("/nothing").ShouldSucceed();
        Called.Should().ContainSingle().Which.Should().MatchRegex("^--version 10[.]0[.][0-9]+ --install-dir .*/out/.* --no-path ");
        Directory.GetFileSystemEntries($"{_checkout.Directory}/out").Select(Path.GetFileName)
            .Should().BeEquivalentTo("dotnet", "ocirun", "ocirun.assets.json", "build.log");
    }

    [Test]
    public void A_script_with_another_checksum_does_not_run()
    {
        string another = Sum(SHA256.HashData("another"u8));
        Build(sum: another).ShouldFail(1, "dotnet-install.sh is not what it was", another);
        Called.Should().BeEmpty();
        NothingIsLeft();
    }

    [Test]
    public void An_sdk_with_another_checksum_is_not_used()
    {
        Build(archive: "another archive").ShouldFail(1, "sdk.tar.gz is not what it was");
        Called.Should().ContainSingle();
        NothingIsLeft();
    }

    [Test]
    public void What_cannot_be_fetched_is_named() => Build("/nothing").ShouldFail(1, $"{Address}/nothing", "404");

    /// <summary>A distribution of which build.sh knows no package manager, and a machine without a compiler.</summary>
    [Test]
    public void Elsewhere_it_says_what_is_missing()
    {
        string programs = Directory.CreateDirectory($"{_checkout.Directory}/elsewhere").FullName;
        foreach (string name in (string[])["bash", "dirname", "find", "cat", "uname", "ld.lld", "sudo"])
            File.CreateSymbolicLink($"{programs}/{name}", Requires.Tool(name is "sudo" or "ld.lld" ? "true" : name));
        CommandOptions options = new() { Env = new Dictionary<string, string?> { ["PATH"] = programs } };
        Command.Run("bash", [_checkout.Script], options)
            .ShouldFail(1, "these are missing, and there is neither apt-get nor dnf to install them with: clang binutils\n");
    }

    /// <summary>Before anything is asked for, though this machine has all that is needed.</summary>
    [Test]
    public void On_Alpine_it_is_not_built() => Command.Run("unshare", [
        "--mount", "--propagation", "private", "sh", "-c",
        "mkdir etc && : >etc/alpine-release && mount -t overlay none -o lowerdir=$PWD/etc:/etc /etc && exec ./build.sh"],
        _checkout.Options).ShouldFail(1, "ocirun is not built on Alpine");

    private string Address => $"http://{_server.LocalEndpoint}";

    private string[] Called => _checkout.LinesOf("called");

    private void NothingIsLeft() =>
        Directory.GetFileSystemEntries($"{_checkout.Directory}/out").Select(Path.GetFileName).Should().BeEquivalentTo("build.log");

    // With this machine's SDK out of sight.
    private CommandResult Build(string path = "/script", string? sum = null, string archive = "an archive") => Command.Run(
        "unshare",
        [
            "--mount", "--propagation", "private", "sh", "-c",
            "for d in /usr/share/dotnet /usr/lib/dotnet /usr/lib64/dotnet \"$HOME/.dotnet\"; do "
                + "[ ! -d $d ] || mount -t tmpfs none $d; done; exec ./build.sh",
        ],
        new CommandOptions
        {
            WorkingDirectory = _checkout.Directory,
            // Asking apt takes ten seconds on a busy machine.
            Timeout = TimeSpan.FromMinutes(2),
            Env = new Dictionary<string, string?>
            {
                ["DOTNET_ROOT"] = null,
                ["PATH"] = _checkout.SearchPath,
                ["OCIRUN_SDK_SCRIPT"] = Address + path,
                ["OCIRUN_SDK_SCRIPT_SHA256"] = sum ?? Sum(SHA256.HashData(Encoding.UTF8.GetBytes(Script))),
                ["OCIRUN_SDK_SHA512"] = Sum(SHA512.HashData(Encoding.UTF8.GetBytes(archive))),
            },
        });

    private static string Sum(byte[] hash) => Convert.ToHexStringLower(hash);

    private void Serve()
    {
        try
        {
            while (true)
            {
                using TcpClient client = _server.AcceptTcpClient();
                using StreamReader reader = new(client.GetStream());
                bool found = reader.ReadLine()!.StartsWith("GET /script ", StringComparison.Ordinal);
                while (reader.ReadLine() is { Length: > 0 }) { }
                string answer = found ? $"HTTP/1.0 200 OK\r\n\r\n{Script}" : "HTTP/1.0 404 Not Found\r\n\r\n";
                client.GetStream().Write(Encoding.UTF8.GetBytes(answer));
            }
        }
        catch (SocketException)
        {
            // The test is over.
        }
    }
}
