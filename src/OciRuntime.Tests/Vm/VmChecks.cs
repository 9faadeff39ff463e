using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// Checks done in one boot of the virtual machine (`build.sh vm`), because booting takes longer than checking. A fixture adds them all,
/// each under the name of the test that judges it, then runs them; the tests only look at the results.
/// </summary>
internal sealed class VmChecks
{
    /// <summary>Has the kernel loop devices, which in some are built in.</summary>
    internal const string LoopDevices = "[ -e /sys/block/loop0 ] || insmod /lib/modules/loop.ko";

    /// <summary>Loads the AppArmor profile that docs/rootless.md has for Ubuntu: its only lines that begin so.</summary>
    internal static string LoadAppArmorProfile => "apparmor_parser --add --skip-cache <<'EOF'\n"
        + string.Concat(File.ReadLines(Path.Combine(Ocirun.RepositoryRoot, "docs/rootless.md"))
            .Where(static line => Regex.IsMatch(line, "^    (abi|profile) ")).Select(static line => line + '\n'))
        + "EOF";

    // A boot takes 5 s on a quiet machine and a check less than one; this is for a machine on which others compile.
    private static readonly TimeSpan DefaultLimit = TimeSpan.FromMinutes(4.5);

    private TimeSpan _limit = DefaultLimit;
    private bool _anyRuntime;
    private bool _foreign;
    private string _suite = "bookworm";
    private readonly string _directory = TestRun.NewDirectory("vm");
    private readonly string _mark = $"@@{Guid.NewGuid():N}";
    private readonly List<string> _names = [];
    private readonly List<string> _options = [];
    private readonly Dictionary<string, CommandResult> _results = [];
    private readonly Dictionary<string, string> _left = [];

    /// <summary>Adds options of `build.sh vm`.</summary>
    public VmChecks Options(params string[] options)
    {
        _options.AddRange(options);
        return this;
    }

    /// <summary>Allows more time, for many checks or slow ones.</summary>
    public VmChecks Within(double minutes)
    {
        _limit = TimeSpan.FromMinutes(minutes);
        return this;
    }

    /// <summary>
    /// Takes a machine of that architecture, as Debian names it, and the binary for it; after a hyphen the size of its pages: arm64-16k.
    /// </summary>
    public VmChecks On(string machine)
    {
        string[] words = machine.Split('-');
        _foreign = words[0] != "amd64";
        Options("--arch", words[0]);
        return words.Length == 1 ? this : Options("--pages", words[1]);
    }

    /// <summary>Takes a machine of that suite of Debian: its kernel and, with systemd, all of it. scripts/suites.sh has the list.</summary>
    public VmChecks Of(string suite)
    {
        _suite = suite;
        return this;
    }

    /// <summary>For checks of an engine: the runtime that $RT names is what is called ocirun in the machine.</summary>
    public VmChecks WithAnyRuntime()
    {
        _anyRuntime = true;
        return this;
    }

    /// <summary>Adds a file of this directory, or any other, to the root of the machine.</summary>
    public VmChecks GuestFile(string path) => Options("--file", Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests/Vm", path));

    /// <summary>Puts a program of this host, with the libraries it is linked to, into the machine's PATH, before busybox.</summary>
    public VmChecks GuestProgram(string name)
    {
        string path = Requires.Tool(name);
        foreach (string word in Command.Run("ldd", path).Stdout.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            // Libraries are links to files with longer names; the program looks for the short ones.
            if (word.StartsWith('/') && File.Exists(word))
                Options("--file", $"{new FileInfo(word).ResolveLinkTarget(true)?.FullName ?? word}:{word}");
        }
        return Options("--file", $"{path}:/usr/sbin/{name}");
    }

    /// <summary>A shell script that runs before the checks.</summary>
    public VmChecks Prelude(string script)
    {
        File.WriteAllText(Path.Combine(_directory, "prelude"), script);
        return this;
    }

    /// <summary>
    /// Adds a check: a shell script that runs as root in the machine, in a bundle made by <paramref name="configure"/>, with the check's
    /// name in $id. The bundle's root file system is busybox, its cgroup /$id.
    /// </summary>
    public void Add(string name, Action<TestBundle> configure, string script)
    {
        using TestBundle bundle = new();
        bundle.Config["root"]!["path"] = "/rootfs";
        bundle.Linux["cgroupsPath"] = "/" + name;
        configure(bundle);
        string directory = Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;
        File.WriteAllText(Path.Combine(directory, "config.json"), bundle.Config.ToJsonString());
        File.WriteAllText(Path.Combine(directory, "script"), script);
        _names.Add(name);
    }

    /// <summary>Adds a file of spec-fixtures/ that few hosts can run, under its own name: the machine explains and runs it.</summary>
    public void AddFixture(string section) => Add(section, bundle =>
    {
        bundle.Config =
            JsonNode.Parse(File.ReadAllText(Path.Combine(Ocirun.RepositoryRoot, $"spec-fixtures/sections/{section}.json")))!.AsObject();
        bundle.Config["root"]!["path"] = "/rootfs";
        // One that a finished container does not leave a parent of.
        bundle.Linux["cgroupsPath"] = "/" + section;
    }, "ocirun explain | grep -q 'execute true' && ocirun run $id");

    /// <summary>Boots the machine, does all checks, and keeps their results.</summary>
    public void Run()
    {
        try
        {
            if (!_anyRuntime) Requires.OcirunItself();
            if (!X86Base.X64.IsSupported) Assert.Ignore("missing: an x86_64 machine, for the virtual one");
            GuestFile("runner.sh");
            if (!_foreign) Options("--runtime", Ocirun.Binary.Path);
            string[] command = [
                "vm", "--suite", _suite, "--timeout", $"{_limit.TotalSeconds - 30}", .. _options, "--dir", $"{_directory}:/checks",
                "--", "sh", "/runner.sh", _mark, .. _names];
            CommandResult result =
                Command.Run(Path.Combine(Ocirun.RepositoryRoot, "build.sh"), command, new CommandOptions { Timeout = _limit });
            Parse(result.ShouldSucceed());
            TestContext.Progress.WriteLine($"{_names.Count} checks in the virtual machine: {result.Duration.TotalSeconds:F0} s");
        }
        finally
        {
            Cleaner.DeleteTree(_directory);
        }
    }

    /// <summary>What the check of the calling test gave; fails when it left a mount, cgroup, state, file or process behind.</summary>
    public CommandResult Result([CallerMemberName] string name = "")
    {
        CommandResult result = _results[name];
        _left[name].Should().BeEmpty("the check shall leave nothing: {0}", result);
        return result;
    }

    // Each part follows a line `MARK NAME PART`, where the first part of a check is its exit code.
    private void Parse(CommandResult whole)
    {
        string[] sections = whole.Stdout.Split(_mark + ' ');
        sections[^1].Should().Be("end\n", "all checks were done: {0}", whole);
        for (int i = 1; i < sections.Length - 1; i += 4)
        {
            string[] head = sections[i].TrimEnd('\n').Split(' ');
            string name = head[0];
            string Part(int offset) => sections[i + offset][(sections[i + offset].IndexOf('\n') + 1)..];
            _results[name] = new CommandResult(name, new ExitStatus(int.Parse(head[1]), 0), Part(1), Part(2), whole.Duration);
            _left[name] = Part(3);
        }
    }
}
