using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>`./build.sh build` with a compiler of a few lines: when it compiles, and what it keeps of it.</summary>
public sealed class BuildTests
{
    private ScratchCheckout _checkout = null!;

    [SetUp]
    public void Begin()
    {
        _checkout = new();
        _checkout.AddProgram("dpkg-query", "printf installed");
        _checkout.AddProgram("uname", "echo x86_64");
        _checkout.AddProgram("dotnet", """
            if [ "$1" = --list-sdks ]; then echo '10.0.401 [here]'; exit; fi
            echo "$*" >>"$HERE/compiled"
            project=$2
            while [ "$1" != -r ]; do shift; done
            echo "$2" >"$project/obj/project.assets.json"
            while [ "$1" != -o ]; do shift; done
            printf '#!/bin/sh\n' >"$2/ocirun" && chmod +x "$2/ocirun"
            sleep 0.1
            if [ -e "$HERE/saves" ]; then : >"$project/saved.cs"; rm "$HERE/saves"; fi
            """);
    }

    [TearDown]
    public void End() => _checkout.Dispose();

    [Test]
    public void What_is_saved_while_it_is_compiled_is_compiled_next_time()
    {
        File.WriteAllText($"{_checkout.Directory}/saves", "");
        Build().Should().NotContain("up to date");
        Build().Should().NotContain("up to date");
        Build().Should().Contain("out/ocirun is up to date");
        _checkout.LinesOf("compiled").Should().HaveCount(2);
    }

    /// <summary>Restoring for one architecture overwrites what there was for the other.</summary>
    [Test]
    public void What_it_is_made_of_is_kept_for_each_architecture()
    {
        Build();
        Build("--arch", "arm64");
        _checkout.LinesOf("out/ocirun.assets.json").Should().Equal("linux-x64");
        _checkout.LinesOf("out/arm64/ocirun.assets.json").Should().Equal("linux-arm64");
        Build().Should().Contain("out/ocirun is up to date");
    }

    /// <summary>The code is the same.</summary>
    [Test]
    public void Only_for_this_machine_the_compiler_looks_at_the_style()
    {
        Build();
        Build("--arch", "arm64");
        string[] compiled = _checkout.LinesOf("compiled");
        compiled[0].Should().NotContain("RunAnalyzers");
        compiled[1].Should().Contain("-p:RunAnalyzers=false").And.Contain("-p:EnforceCodeStyleInBuild=false");
    }

    private string Build(params string[] options) =>
        Command.Run(_checkout.Script, ["build", .. options], _checkout.Options).ShouldSucceed().Stdout;
}
