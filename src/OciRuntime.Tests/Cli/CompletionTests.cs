using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>The completion scripts in the shells they are for.</summary>
public sealed class CompletionTests
{
    private static readonly string[] Shells = ["bash", "zsh", "fish"];
    private string _directory = "";

    [OneTimeSetUp]
    public void WriteScripts()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("completion");
        foreach (string shell in Shells) File.WriteAllText(ScriptOf(shell), Ocirun.Run("completion", shell).ShouldSucceed().Stdout);
        // What the scripts call.
        File.CreateSymbolicLink(Path.Combine(_directory, "ocirun"), Ocirun.Binary.Path);
        Directory.CreateDirectory(Path.Combine(_directory, "bundles"));
        File.WriteAllText(Path.Combine(_directory, "bundle.json"), "");
    }

    [OneTimeTearDown]
    public void Remove() => Cleaner.DeleteTree(_directory);

    [TestCaseSource(nameof(Shells))]
    public void Every_command_and_every_option_is_in_every_script(string shell)
    {
        string script = File.ReadAllText(ScriptOf(shell));
        foreach ((string verb, OptionDescription[] options) in CompletionScript.AllOptions())
        {
            if (verb.Length > 0) script.Should().Contain(verb);
            foreach (OptionDescription option in options.Where(o => !o.Hidden))
            {
                (string name, string text) = shell switch
                {
                    "bash" => ($"'--{option.Long}'", option.Long),
                    "zsh" => ($"--{option.Long}", option.Text.Replace("[", "\\[").Replace("]", "\\]").Replace("'", "'\\''")),
                    _ => ($" -l {option.Long} ", option.Text.Replace("'", "\\'")),
                };
                script.Should().Contain(name).And.Contain(text);
            }
        }
        script.Should().NotContainAny("--criu", "--usage", "--kernel-memory", "-l kernel-memory", "eval");
    }

    [TestCaseSource(nameof(Shells))]
    public void The_shell_finds_no_fault_with_the_syntax(string shell) =>
        Command.Run(Requires.Tool(shell), "-n", ScriptOf(shell)).ShouldSucceed().Stderr.Should().BeEmpty();

    [Test]
    public void Another_shell_is_named_in_the_error() =>
        Ocirun.Run("completion", "tcsh").ShouldFail(1, "unknown shell \"tcsh\": expected bash, zsh or fish");

    // What has been typed, with | between readline's words, and what is offered.
    [TestCase("cr", "create")]
    [TestCase("--root|/x|cr", "create")]
    [TestCase("--root|=|/x|cr", "create")]
    [TestCase("--log-f", "--log-format")]
    [TestCase("--log-format|", "text,json")]
    [TestCase("--log-format|j", "json")]
    [TestCase("--log-level|", "error,warning,info,debug")]
    [TestCase("--cgroup-manager|", "cgroupfs,systemd,disabled")]
    [TestCase("--rootless|", "auto,true,false")]
    [TestCase("list|--format|=", "table,json")]
    [TestCase("list|--format|=|t", "table")]
    [TestCase("list|-f|t", "table")]
    [TestCase("create|--bu", "--bundle")]
    [TestCase("create|--bundle|b", "bundles")]
    [TestCase("create|--config|bun", "bundle.json,bundles")]
    [TestCase("create|--pid-file|p|new", "", Description = "the name of a new container is anybody's guess")]
    [TestCase("kill|x|KI", "KILL")]
    [TestCase("exec|--pidf", "--pidfd-socket")]
    [TestCase("exec|-u|1000|:|1000|--cap|CAP_SYS_A", "CAP_SYS_ADMIN")]
    [TestCase("exec|x|--", "", Description = "what follows the container belongs to its program")]
    [TestCase("state|--|--", "")]
    [TestCase("help|pa", "pause")]
    [TestCase("completion|", "bash,zsh,fish")]
    public void Bash(string typed, string offered) => InBash(typed.Split('|')).Should().BeEquivalentTo(Words(offered));

    [Test]
    public void Bash_without_the_equals_sign_among_the_word_breaks() =>
        InBash(["list", "--format=t"], "COMP_WORDBREAKS=' '").Should().Equal("--format=table");

    [TestCase("cr", "create")]
    [TestCase("--root /x cr", "create")]
    [TestCase("--root=/x cr", "create")]
    [TestCase("--log-f", "--log-format")]
    [TestCase("--log-format ", "text,json")]
    [TestCase("--log-level ", "error,warning,info,debug")]
    [TestCase("list --format=", "--format=table,--format=json")]
    [TestCase("list -f t", "table")]
    [TestCase("create --bu", "--bundle")]
    [TestCase("create --bundle b", "bundles/")]
    [TestCase("create --config bun", "bundle.json,bundles/")]
    [TestCase("create --pid-file p new", "")]
    [TestCase("kill x KI", "KILL")]
    [TestCase("exec --pidf", "--pidfd-socket")]
    [TestCase("exec x --", "")]
    [TestCase("help pa", "pause")]
    [TestCase("completion ", "bash,zsh,fish")]
    public void Fish(string typed, string offered) => InFish(typed).Should().BeEquivalentTo(Words(offered));

    [TestCase("cr", "create ")]
    [TestCase("--log-f", "--log-format=")]
    [TestCase("--root /x --log-format=j", "json ")]
    [TestCase("create --bund", "--bundle=")]
    [TestCase("create --bundle b", "bundles/")]
    [TestCase("--cgroup-manager sys", "systemd ")]
    [TestCase("create --bundle . --no-p", "--no-pivot ")]
    [TestCase("explain --form", "--format=")]
    [TestCase("ps --form", "--format=")]
    [TestCase("kill x KI", "KILL ")]
    [TestCase("kill --al", "--all ")]
    [TestCase("exec --pidf", "--pidfd-socket=")]
    [TestCase("help pa", "pause ")]
    [TestCase("completion z", "zsh ")]
    public void Zsh(string typed, string completed) => InZsh($"ocirun {typed}").Should()
    .EndWith(completed).And.HaveLength($"ocirun {typed}".Length - typed.Split(' ', '=')[^1].Length + completed.Length);

    [Test]
    public void Containers_below_the_given_root_are_offered()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        string beginning = container.Id[..^1];
        InBash(["--root", container.StateRoot, "state", beginning]).Should().Equal(container.Id);
        InBash(["--root", "=", container.StateRoot, "exec", "-t", beginning]).Should().Equal(container.Id);
        InBash(["state", beginning]).Should().BeEmpty("it is not in the default root");
        InFish($"--root {container.StateRoot} kill {beginning}").Should().Equal(container.Id);
        InZsh($"ocirun --root {container.StateRoot} delete {beginning}").Should().EndWith($" delete {container.Id} ");
    }

    /// <summary>No such container can be made; but a state directory can be given that somebody else has filled.</summary>
    [Test]
    public void A_hostile_name_is_not_evaluated()
    {
        string directory = TestRun.NewDirectory("completion");
        string trap = Path.Combine(directory, "trap");
        string fake = Path.Combine(directory, "ocirun");
        File.WriteAllText(fake, $"#!/bin/sh\nprintf '%s\\n' 'web$(touch {trap})' 'web`touch {trap}`' 'web;touch {trap}'\n");
        File.SetUnixFileMode(fake, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        InBash(["state", "we"], path: directory).Should().HaveCount(3).And.Contain($"web$(touch {trap})");
        InFish("state we", directory).Should().HaveCount(3);
        InZsh("ocirun state we", directory);
        File.Exists(trap).Should().BeFalse();
        Cleaner.DeleteTree(directory);
    }

    private static string[] Words(string list) => list.Split(',', StringSplitOptions.RemoveEmptyEntries);

    private string ScriptOf(string shell) => Path.Combine(_directory, shell == "zsh" ? "_ocirun" : $"script.{shell}");

    private CommandOptions Options(string? path) =>
        new()
        {
            WorkingDirectory = _directory,
            Env = new Dictionary<string, string?>
            {
                ["PATH"] = $"{path ?? _directory}:{Environment.GetEnvironmentVariable("PATH")}",
                ["HOME"] = _directory
            }
        };

    private string[] InBash(string[] words, string before = "", string? path = null)
    {
        const string Complete = """
            source "$1"; shift; COMP_WORDS=(ocirun "$@"); COMP_CWORD=$#
            _ocirun ocirun "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            if ((${#COMPREPLY[@]})); then printf '%s\n' "${COMPREPLY[@]}"; fi
            """;
        CommandResult result = Command.Run(Requires.Tool("bash"),
            ["--norc", "-c", $"{before}\n{Complete}", "bash", ScriptOf("bash"), .. words], Options(path));
        result.ShouldSucceed().Stderr.Should().BeEmpty();
        return result.Lines;
    }

    private string[] InFish(string line, string? path = null)
    {
        CommandResult result = Command.Run(Requires.Tool("fish"),
            ["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", ScriptOf("fish"), $"ocirun {line}"], Options(path));
        result.ShouldSucceed().Stderr.Should().BeEmpty();
        return [.. result.Lines.Select(offer => offer.Split('\t')[0])];
    }

    /// <summary>An interactive zsh on a terminal: the line as it is after the tabulator.</summary>
    private string InZsh(string line, string? path = null)
    {
        const string Complete = """
            zmodload zsh/zpty
            zpty inner zsh -f -i
            zpty -w inner "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; dump() { print -rn -- \"\$BUFFER\" > $3.new; mv $3.new $3 }; zle -N dump; bindkey '^G' dump; bindkey '^I' complete-word; print re''ady"
            # Typed ahead it would be the terminal's, not the line editor's.
            zpty -r inner seen '*ready*'
            zpty -w -n inner "$2"$'\t\a'
            repeat 500; do [[ -e $3 ]] && break; zpty -rt inner seen; sleep 0.02; done
            zpty -d inner
            cat $3
            """;
        string file = TestRun.NewPath("completion");
        CommandResult result = Command.Run(Requires.Tool("zsh"), ["-f", "-c", Complete, "zsh", _directory, line, file], Options(path));
        File.Delete(file);
        return result.ShouldSucceed().Stdout;
    }
}
