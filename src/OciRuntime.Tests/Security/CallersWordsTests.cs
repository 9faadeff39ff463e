using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A created container waits for long, and whoever may trace in it can read the runtime's memory there: nothing of the caller's is left in
/// it.
/// </summary>
public sealed class CallersWordsTests
{
    private readonly string _secret = Guid.NewGuid().ToString("N");

    private CommandOptions Options => new() { Env = new Dictionary<string, string?> { ["OCIRUN_SECRET"] = _secret } };

    [Test]
    public void Created_container_has_neither_the_callers_variables_nor_his_arguments([Values] bool joinsPidNamespace, [Values] bool hooks)
    {
        using TestBundle firstBundle = new();
        using TestContainer? first = joinsPidNamespace ? new TestContainer(firstBundle.Args("sleep", "1000")).Started() : null;
        using TestBundle bundle = new();
        string seen = Path.Combine(bundle.Directory, "seen");
        // Two of them inherit, and are the last that may.
        if (hooks)
        {
            bundle.AddHook("createContainer", "/bin/sh", "-c", $"echo $OCIRUN_SECRET >>{seen}")
                .AddHook("createContainer", "/bin/sh", "-c", $"echo $OCIRUN_SECRET >>{seen}");
        }
        if (first is not null) bundle.AddNamespace("pid", $"/proc/{first.InitPid}/ns/pid");
        using TestContainer container = new(bundle.Env("MINE=1").Script("echo $MINE; sleep 1000")) { Options = Options };
        container.Create().ShouldSucceed();
        if (hooks) File.ReadAllLines(seen).Should().Equal(_secret, _secret);
        ProcessView init = container.Init;
        init.Environ.Should().BeEmpty();
        init.CommandLine.Should().Equal("ocirun", "init");
        FindInMemory(init.Pid).Should().BeEmpty();
        container.Start().ShouldSucceed();
        container.WaitOutput("1\n");
        // The shell becomes it.
        Eventually.True(() => init.CommandLine is ["sleep", ..], "the program runs");
        init.Environ.Should().Contain("MINE=1").And.NotContain(static variable => variable.StartsWith("OCIRUN_", StringComparison.Ordinal));
    }

    /// <summary>Init has what it does itself, and nothing of the runtime's heap; annotations are for hooks and engines.</summary>
    [Test]
    public void Nor_has_it_the_rest_of_the_configuration()
    {
        using TestBundle bundle = new();
        bundle.Annotations["org.example.secret"] = _secret;
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        FindInMemory(container.Init.Pid).Should().BeEmpty();
    }

    /// <summary>Writable mappings that hold the word.</summary>
    private List<string> FindInMemory(int pid)
    {
        List<string> found = [];
        using FileStream memory = File.OpenRead($"/proc/{pid}/mem");
        foreach (string line in File.ReadAllLines($"/proc/{pid}/maps").Where(static line => line.Contains(" rw", StringComparison.Ordinal)))
        {
            string[] range = line.Split(' ')[0].Split('-');
            byte[] content = new byte[Convert.ToInt64(range[1], 16) - Convert.ToInt64(range[0], 16)];
            memory.Position = Convert.ToInt64(range[0], 16);
            memory.ReadExactly(content);
            if (content.AsSpan().IndexOf(Encoding.ASCII.GetBytes(_secret)) >= 0) found.Add(line);
        }
        return found;
    }
}
