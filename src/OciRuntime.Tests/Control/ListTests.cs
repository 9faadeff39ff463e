using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.State;
using OciRuntime.Tests.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`list` on a host full of containers: in time that grows with their number and not with its square.</summary>
public sealed class ListTests
{
    private static TimeSpan Best(string root, int count, params string[] options)
    {
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            CommandResult result = Ocirun.Binary.Run(["--root", root, "list", .. options],
                new CommandOptions { Timeout = TimeSpan.FromMinutes(1) }).ShouldSucceed();
            result.Lines.Length.Should().Be(options.Contains("json") ? 1 : options.Contains("-q") ? count : count + 1);
            if (result.Duration < best) best = result.Duration;
        }
        return best;
    }

    /// <summary>Half of them run, in the person of the tests; the others have ended.</summary>
    private static TemporaryRoot Crowd(int count)
    {
        TemporaryRoot root = new();
        ProcessIdentity alive = ProcessIdentity.Self(), dead = new(4_000_000, 1);
        for (int i = 0; i < count; i++)
        {
            int number = i;
            root.Create($"container-{i}", s => s.Init = number % 2 == 0 ? alive : dead);
        }
        return root;
    }

    [MeasuresTime]
    [Test]
    public void Ten_thousand_containers()
    {
        using TemporaryRoot few = Crowd(1000);
        using TemporaryRoot many = Crowd(10_000);
        foreach (string[] options in (string[][])[[], ["--format", "json"], ["-q"]])
        {
            TimeSpan small = Best(few.Root, 1000, options), large = Best(many.Root, 10_000, options);
            TestContext.Out.WriteLine(
                $"list {string.Join(' ', options)}: 1,000 in {small.TotalMilliseconds:0} ms, 10,000 in {large.TotalMilliseconds:0} ms");
            large.Should().BeLessThan(small * 20 + TimeSpan.FromMilliseconds(100),
                "ten times the containers are ten times the work, and the machine is shared");
            large.Should().BeLessThan(TimeSpan.FromSeconds(5));
        }
    }

    /// <summary>As CRI-O writes them, 20 KB for each: together more than the runtime's heap may have.</summary>
    [Test]
    public void Annotations_of_thousands_of_containers()
    {
        const int Count = 2500, Length = 20_000;
        using TemporaryRoot root = new();
        string annotation = new('a', Length);
        for (int i = 0; i < Count; i++) root.Create($"container-{i}", s => s.Annotations["a"] = annotation);
        foreach (string[] verb in (string[][])[["list"], ["list", "--format", "json"], ["top", "--json", "--once", "--interval", "1ms"]])
        {
            string stdout = Ocirun.Run(["--root", root.Root, .. verb]).ShouldSucceed().Stdout;
            Regex.Matches(stdout, "container-[0-9]+(?=[ \"])").Select(static match => match.Value).Distinct().Should().HaveCount(Count);
            if (verb.Length == 3) stdout.Length.Should().BeGreaterThan(Count * Length);
        }
    }

    [Test]
    public void Listing_while_containers_come_and_go_fails_for_nobody()
    {
        using TemporaryRoot root = Crowd(300);
        using CancellationTokenSource end = new(TimeSpan.FromSeconds(2));
        Task churn = OwnThread.Run(() =>
        {
            for (int i = 0; !end.IsCancellationRequested; i++)
            {
                root.Create($"guest-{i % 50}", s => s.Init = new ProcessIdentity(4_000_000, 1));
                Ocirun.Run("--root", root.Root, "delete", "--force", $"guest-{i % 50}").ShouldSucceed();
            }
        });
        int lists = 0;
        while (!end.IsCancellationRequested)
        {
            Ocirun.Run("--root", root.Root, "list", "--format", "json").ShouldSucceed().Json.AsArray().Count.Should().BeInRange(300, 301);
            lists++;
        }
        churn.GetAwaiter().GetResult();
        lists.Should().BePositive();
    }
}
