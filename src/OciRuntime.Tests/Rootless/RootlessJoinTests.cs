using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>An ordinary user's pod: the user namespace is entered before what belongs to it, wherever it stands in the list.</summary>
public sealed class RootlessJoinTests
{
    private static readonly string[] Kinds = ["pid", "mount", "ipc", "uts", "network", "cgroup", "time"];

    private OrdinaryUser _user = null!;
    private TestBundle _firstBundle = null!;
    private TestContainer _first = null!;

    [OneTimeSetUp]
    public void MakePod()
    {
        _user = OrdinaryUser.WithoutRanges();
        _firstBundle = _user.Bundle();
        foreach (string kind in Kinds) _firstBundle.AddNamespace(kind);
        _first = _user.Container(_firstBundle.Args("sleep", "1000")).Started();
    }

    [OneTimeTearDown]
    public void RemovePod()
    {
        _first.Dispose();
        _firstBundle.Dispose();
        _user.Dispose();
    }

    /// <summary>
    /// None, each and all of the others (in a joined mount namespace the bundle is not to be found), with the pid namespace and without it.
    /// </summary>
    private static IEnumerable<string[]> Sets()
    {
        string[] others = [.. Kinds.Except(["pid", "mount"])];
        foreach (string[] set in (string[][])[[], .. others.Select(static kind => new[] { kind }), others])
        {
            yield return set;
            yield return [.. set, "pid"];
        }
    }

    /// <summary>
    /// The namespaces that are not joined are new. What the kernel shows of the process, with the user namespace before and behind them in
    /// the list.
    /// </summary>
    [Test]
    public void Every_kind_of_namespace([Values] bool userLast)
    {
        foreach (string[] set in Sets())
        {
            using TestBundle bundle = Bundle(set, userLast);
            string[] files = [.. Kinds.Select(FileOf)];
            using TestContainer second =
                _user.Container(bundle.Script($"for kind in user {string.Join(' ', files)}; do readlink /proc/self/ns/$kind; done"));
            string because = $"joined user {string.Join(' ', set)}";
            CommandResult result = second.Run();
            result.Succeeded.Should().BeTrue("{0}: {1}", because, result);
            string[] lines = result.Lines;
            lines[0].Should().Be($"user:[{_first.NamespaceInode("user")}]", because);
            for (int i = 0; i < Kinds.Length; i++)
            {
                string firsts = $"{files[i]}:[{_first.NamespaceInode(files[i])}]";
                if (set.Contains(Kinds[i]))
                {
                    lines[i + 1].Should().Be(firsts, because);
                }
                else
                {
                    lines[i + 1].Should()
                        .NotBe(firsts, because).And.NotBe($"{files[i]}:[{ProcessView.HostNamespaceInode(files[i])}]", because);
                }
            }
        }
    }

    [Test]
    public void Life_from_create_to_delete()
    {
        using TestBundle bundle = Bundle(["pid"], userLast: true);
        using TestContainer second = _user.Container(bundle.Script("echo $$; sleep 100"));
        second.Create().ShouldSucceed();
        second.Exec("true").ShouldSucceed();
        second.Start().ShouldSucceed();
        second.WaitOutput("\n");
        second.Init.Status("PPid").Should().Be($"{Environment.ProcessId}", "the process in the middle is gone");
        second.Output.Trim().Should().Be(second.Init.Status("NSpid").Split('\t')[^1]);
        second.Kill("KILL").ShouldSucceed();
        second.WaitExit().Signal.Should().Be(9);
        second.Delete().ShouldSucceed();
        _first.Status.Should().Be("running");
    }

    private TestBundle Bundle(string[] joined, bool userLast)
    {
        TestBundle bundle = _user.Bundle();
        foreach (string kind in Kinds)
            bundle.AddNamespace(kind, joined.Contains(kind) ? $"/proc/{_first.InitPid}/ns/{FileOf(kind)}" : null);
        bundle.AddNamespace("user", $"/proc/{_first.InitPid}/ns/user");
        if (!userLast)
        {
            JsonNode user = bundle.Namespaces[^1]!;
            bundle.Namespaces.RemoveAt(bundle.Namespaces.Count - 1);
            bundle.Namespaces.Insert(0, user);
        }
        bundle.Linux.Remove("uidMappings");
        bundle.Linux.Remove("gidMappings");
        // What the namespace's owner has set is not this container's to set again.
        if (joined.Contains("uts")) bundle.Config.Remove("hostname");
        return bundle;
    }

    private static string FileOf(string kind) => Array.Find(NamespaceTests.All, pair => pair.Type == kind).File;
}
