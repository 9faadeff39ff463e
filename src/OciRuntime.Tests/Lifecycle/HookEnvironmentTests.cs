using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>What hooks inherit: without `env` the environment of whoever runs them, and always his umask.</summary>
public sealed class HookEnvironmentTests
{
    private const string Program = "FROM_PROGRAM=1", Caller = "FROM_CALLER";

    /// <summary>An environment of the verb's own, to tell whose a hook has.</summary>
    private static CommandOptions CalledAs(string verb) =>
        new() { Env = new Dictionary<string, string?> { [Caller] = verb, ["EMPTY"] = "" } };

    [Test]
    public void Without_env_it_is_that_of_the_verb_and_in_the_container_that_of_the_program()
    {
        using HookBundle hooks = Bundle(env: null);
        Life(hooks);
        foreach ((string kind, string verb) in new[]
        {
            ("prestart", "create"), ("createRuntime", "create"), ("createContainer", "create"), ("poststart", "start"),
            ("poststop", "delete")
        })
        {
            string[] variables = Variables(hooks, kind);
            variables.Should().Contain($"{Caller}={verb}", kind).And.Contain("EMPTY=",
                kind).And.Contain($"PATH={Environment.GetEnvironmentVariable("PATH")}", kind);
            variables.Should()
                .NotContain(Program, "{0}: CVE-2025-23266", kind).And.NotContain(variable => variable.StartsWith("_OCIRUN"), kind);
        }
        Variables(hooks, "startContainer").Should()
            .Contain(Program).And.Contain("HOME=/root").And.NotContain(variable => variable.StartsWith(Caller));
    }

    /// <summary>The journal keeps the difference for poststart and poststop.</summary>
    [Test]
    public void An_empty_list_is_an_empty_environment()
    {
        using HookBundle hooks = Bundle(env: new JsonArray());
        Life(hooks);
        foreach (string kind in HookBundle.AllKinds)
        {
            // A shell adds these by itself, busybox a PATH, too.
            Variables(hooks, kind).Should()
                .OnlyContain(v => (v.StartsWith("PATH=") && kind == "startContainer") || v.StartsWith("PWD=") || v.StartsWith("SHLVL=")
                || v.StartsWith("OLDPWD=") || v.StartsWith("_="), kind);
        }
    }

    [Test]
    public void Null_is_as_absent()
    {
        using HookBundle hooks = Bundle(env: null);
        foreach (string kind in HookBundle.AllKinds) hooks.Bundle.Config["hooks"]![kind]![0]!["env"] = null;
        Life(hooks);
        Variables(hooks, "poststop").Should().Contain($"{Caller}=delete");
    }

    /// <summary>`delete` is not executed again from a sealed copy, which would leave a variable.</summary>
    [Test]
    public void A_caller_without_any_variable_has_his_hooks_run_without()
    {
        using HookBundle hooks = Bundle(env: null);
        using TestContainer container = new(hooks.Bundle, Ocirun.Binary with { Launcher = ["env", "-i"] });
        container.Create().ShouldSucceed();
        container.Call("start", container.Id).ShouldSucceed();
        container.Call("delete", "--force", container.Id).ShouldSucceed().Stderr.Should().BeEmpty();
        Variables(hooks, "poststop").Should()
            .OnlyContain(v => v.StartsWith("PWD=") || v.StartsWith("SHLVL=") || v.StartsWith("OLDPWD=") || v.StartsWith("_="));
    }

    /// <summary>What is not UTF-8 arrives as it was.</summary>
    [Test]
    public void Variables_are_bytes()
    {
        using HookBundle hooks = Bundle(env: null);
        using TestContainer container = new(hooks.Bundle);
        hooks.Bundle.Save();
        string command =
            $"X=\"$(printf '\\377\\376')\" exec {Ocirun.Binary.Path} --root {container.StateRoot} create --bundle "
            + $"{hooks.Bundle.Directory} {container.Id}";
        Command.Run("sh", "-c", command).ShouldSucceed();
        foreach (string kind in HookBundle.BeforeStart)
        {
            File.ReadAllBytes(Path.Combine(hooks.Log, kind)).AsSpan().IndexOf((ReadOnlySpan<byte>)[0, (byte)'X', (byte)'=', 0xff, 0xfe, 0])
                .Should().BeGreaterThan(0, kind);
        }
    }

    /// <summary>A caller without a single variable (env -i) has an environment all the same. `ps` runs ps(1) with it.</summary>
    [Test]
    public void The_callers_may_be_empty()
    {
        using HookBundle hooks = Bundle(env: null);
        using TestContainer container = new(hooks.Bundle);
        hooks.Bundle.Save();
        string runtime = $"env -i {Ocirun.Binary.Path} --root {container.StateRoot}", id = container.Id;
        CommandResult life =
            Command.Run("sh", "-c",
            $"{runtime} create --bundle {hooks.Bundle.Directory} {id} && {runtime} start {id} && {runtime} ps "
            + $"{id} && {runtime} delete -f {id}");
        life.ShouldSucceed().Stderr.Should().BeEmpty();
        life.Stdout.Should().Contain("sleep 100");
        foreach (string kind in (string[])["prestart", "createRuntime", "createContainer", "poststart", "poststop"])
        {
            // The shell's own.
            Variables(hooks, kind).Should()
                .OnlyContain(v => v.StartsWith("PWD=") || v.StartsWith("SHLVL=") || v.StartsWith("OLDPWD=") || v.StartsWith("_="), kind);
        }
    }

    /// <summary>
    /// They are hidden from the .NET runtime of this program alone, in the verbs that start a second time from a sealed copy and in the
    /// others.
    /// </summary>
    [Test]
    public void Settings_of_a_dotnet_runtime_are_the_hooks_too_and_the_programs_only_as_configured()
    {
        string[] callers = ["DOTNET_X=1", "COMPlus_X=1"], configured = ["DOTNET_GCHeapHardLimit=100000"];
        using HookBundle hooks = Bundle(env: null);
        hooks.Bundle.Env(configured[0]);
        using TestContainer container =
            new(hooks.Bundle)
            {
                Options = new CommandOptions { Env = callers.ToDictionary(static one => one[..^2], static string? (_) => "1") }
            };
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        container.Init.Environ.Should().Contain(configured).And.NotContain(callers);
        container.Delete("--force").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds)
        {
            if (kind == "startContainer") Variables(hooks, kind).Should().Contain(configured).And.NotContain(callers);
            else Variables(hooks, kind).Should().Contain(callers, kind).And.NotContain(configured, kind);
        }
    }

    [TestCase("0022")]
    [TestCase("0077")]
    [TestCase("0000")]
    public void The_umask_is_the_callers(string umask)
    {
        using HookBundle hooks = new("umask > /log/program; exec sleep 100");
        hooks.Bundle.Process["user"]!["umask"] = 0b000_010_111;
        foreach (string kind in HookBundle.AllKinds) hooks.Add(kind, $"umask > $LOG/{kind}; echo > $LOG/{kind}.file");
        using TestContainer container = new(hooks.Bundle);
        hooks.Bundle.Save();
        string runtime = $"{Ocirun.Binary.Path} --root {container.StateRoot}";
        Command.Run("sh", "-c",
            $"umask {umask}; {runtime} create --bundle {hooks.Bundle.Directory} {container.Id} >/dev/null && "
            + $"{runtime} start {container.Id} && {runtime} delete -f {container.Id}").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds)
        {
            hooks.Read(kind).Should().Be(umask + "\n", kind);
            int mode = (int)File.GetUnixFileMode(Path.Combine(hooks.Log, kind + ".file"));
            mode.Should().Be(Convert.ToInt32("666", 8) & ~Convert.ToInt32(umask, 8), kind);
        }
    }

    private static HookBundle Bundle(JsonArray? env)
    {
        HookBundle hooks = new();
        hooks.Bundle.Env(Program);
        foreach (string kind in HookBundle.AllKinds)
        {
            hooks.Bundle.AddHook(kind, "/bin/sh", "-c", $"/bin/cat /proc/self/environ > {hooks.LogOf(kind)}/{kind}");
            if (env is not null) hooks.Bundle.Config["hooks"]![kind]![0]!["env"] = env.DeepClone();
        }
        return hooks;
    }

    private static void Life(HookBundle hooks)
    {
        using TestContainer container = new(hooks.Bundle) { Options = CalledAs("create") };
        container.Create().ShouldSucceed();
        container.Call(["start", container.Id], CalledAs("start")).ShouldSucceed();
        container.Call(["delete", "--force", container.Id], CalledAs("delete")).ShouldSucceed();
    }

    private static string[] Variables(HookBundle hooks, string kind) =>
        hooks.Read(kind)!.Split('\0', StringSplitOptions.RemoveEmptyEntries);
}
