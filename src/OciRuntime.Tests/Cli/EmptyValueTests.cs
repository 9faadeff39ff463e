using System.Collections;
using System.Reflection;
using CommandLine;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// An option with an empty value is one that is not given: scripts and clients pass variables on that may be unset (runc).
/// </summary>
public sealed class EmptyValueTests
{
    private static IEnumerable<TestCaseData> Options() =>
        from type in new[] { typeof(GlobalOptions) }.Concat(Verbs.All.Select(verb => verb.GetType()))
        from property in type.GetProperties()
        let option = property.GetCustomAttribute<OptionAttribute>()
        where option is { MetaValue.Length: > 0 } && option.LongName != "root"
        select new TestCaseData(type, option.LongName).SetArgDisplayNames(type.Name, option.LongName);

    [TestCaseSource(nameof(Options))]
    public void Changes_nothing(Type type, string name)
    {
        foreach (string[] words in (string[][])[[$"--{name}="], [$"--{name}", ""]])
        {
            OptionSet set = New(type);
            ArgumentCursor a = new(words.AsSpan(1));
            OptionReader.TryRead(set, words[0], ref a).Should().BeTrue();
            a.AtEnd.Should().BeTrue("the empty word is the value");
            Values(set).Should().Equal(Values(New(type)));
        }
    }

    /// <summary>The last one counts, as ever.</summary>
    [Test]
    public void Takes_back_an_earlier_value()
    {
        ExecOptions options = new();
        foreach (string word in (string[])["--pid-file=/x", "--pid-file="])
        {
            ArgumentCursor a = default;
            OptionReader.TryRead(options, word, ref a).Should().BeTrue();
        }
        options.PidFile.Should().BeNull();
    }

    [Test]
    public void A_life_with_unset_variables()
    {
        using TestBundle bundle = new TestBundle().Script("exec sleep 100");
        using TestContainer container = new(bundle);
        container.GlobalOptions.AddRange(["--log", "", "--log-format", "", "--log-level", "", "--cgroup-manager", "", "--rootless",
            "", "--criu="]);
        container.Create("--pid-file", "", "--console-socket", "", "--pidfd-socket", "", "--config", "", "--preserve-fds", "")
            .ShouldSucceed();
        container.Start().ShouldSucceed();
        container.ExecWith(
            ["--user", "", "--cwd", "", "--pid-file", "", "--env", "", "--cap", "", "--additional-gids", "", "--apparmor", "",
            "--process-label", "", "--process", "", "--console-socket", "", "--preserve-fds", "", "--cgroup", ""],
            "sh", "-c", "id -u; pwd").ShouldSucceed().Text.Should().Be("0\n/");
        container.Invoke("events", "--stats", "--interval", "").ShouldSucceed();
        container.Invoke("ps", "--format", "").ShouldSucceed();
        container.Call("list", "--format", "").ShouldSucceed();
    }

    private static OptionSet New(Type type) => (OptionSet)Activator.CreateInstance(type)!;

    private static List<string> Values(OptionSet set) =>
        [.. set.GetType().GetProperties().Where(p => p.GetIndexParameters().Length == 0).Select(p => $"{p.Name}={Show(p.GetValue(set))}")];

    private static string Show(object? value) =>
        value is IEnumerable list and not string ? $"[{string.Join(',', list.Cast<object>())}]" : $"{value ?? "null"}";
}
