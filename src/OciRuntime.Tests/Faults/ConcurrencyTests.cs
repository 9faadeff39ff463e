using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>Several runtimes at the same container at the same time.</summary>
public sealed class ConcurrencyTests
{
    /// <summary>One wins; the others say "already exists" and do the winner no harm.</summary>
    [Test]
    public void Same_id_created_by_six_at_once()
    {
        for (int round = 0; round < 10; round++)
        {
            using FaultContainer container = new();
            CommandResult[] results = new CommandResult[6];
            using (Barrier start = new(results.Length))
            {
                Task[] racers = [.. Enumerable.Range(0, results.Length).Select(i => OwnThread.Run(() =>
                {
                    start.SignalAndWait();
                    results[i] = container.Call("create", "--bundle", container.Bundle.Directory, container.Id);
                }))];
                Task.WaitAll(racers);
            }
            results.Count(result => result.Succeeded).Should().Be(1, "{0}", string.Join('\n', (object[])results));
            foreach (CommandResult loser in results.Where(result => !result.Succeeded))
                loser.ShouldFail(1, "container with given ID already exists");
            container.Call("state", container.Id).ShouldSucceed().Json["status"]!.GetValue<string>().Should().Be("created");
            container.Call("start", container.Id).ShouldSucceed();
        }
    }

    /// <summary>Whatever the order, no verb crashes, the list is always readable, and in the end nothing is left.</summary>
    [Test]
    public void Random_verbs_on_four_containers()
    {
        const int Threads = 4, Seconds = 10;
        string root = TestRun.NewDirectory("state");
        TestBundle[] bundles = [.. Enumerable.Range(0, 4).Select(_ => new TestBundle().Args("sleep", "1").WithCgroup().Save())];
        string[] ids = [.. bundles.Select(_ => $"{TestRun.Token}-{TestRun.NextNumber()}")];
        ConcurrentQueue<string> wrong = [];
        ConcurrentDictionary<string, int> counts = [];
        long end = Environment.TickCount64 + (Seconds * 1000);
        Task[] threads = [.. Enumerable.Range(0, Threads).Select(number => OwnThread.Run(() =>
        {
            Random random = new(number);
            while (Environment.TickCount64 < end)
            {
                int which = random.Next(ids.Length);
                string[] verb = random.Next(8) switch
                {
                    0 or 1 => ["create", "--bundle", bundles[which].Directory, ids[which]],
                    2 => ["start", ids[which]],
                    3 => ["state", ids[which]],
                    4 => ["kill", ids[which], "KILL"],
                    5 => ["delete", ids[which]],
                    6 => ["delete", "--force", ids[which]],
                    _ => ["list", "--format", "json"],
                };
                CommandResult result = Ocirun.Run(["--root", root, .. verb]);
                counts.AddOrUpdate($"{verb[0]} {(result.Succeeded ? "ok" : "refused")}", 1, (_, count) => count + 1);
                if (Complaint(verb, result) is { } complaint) wrong.Enqueue(complaint);
            }
        }))];
        Task.WaitAll(threads);
        foreach (string id in ids) Ocirun.Run("--root", root, "delete", "--force", id).ShouldSucceed();
        TestContext.Out.WriteLine(string.Join(", ", counts.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}")));
        wrong.Should().BeEmpty();
        Directory.GetFileSystemEntries(root).Should().BeEmpty();
        foreach (TestBundle bundle in bundles)
        {
            CgroupHost.Mounts.Select(mount => mount.MountPoint + bundle.CgroupsPath).Where(Directory.Exists).Should().BeEmpty();
            bundle.Dispose();
        }
        Directory.Delete(root);
        counts.Should().ContainKeys("create ok", "start ok", "delete ok");
    }

    private static string? Complaint(string[] verb, CommandResult result)
    {
        if (result.Status.Signal != 0) return $"ended by a signal: {result}";
        if (Failure.Crash(result) is { } crash) return crash;
        if (verb[0] == "list")
        {
            try
            {
                return result.Succeeded && (result.Json is JsonArray or null) ? null : $"list: {result}";
            }
            catch (InvalidDataException)
            {
                return null; // The JSON value null: an empty list, as runc prints it.
            }
            catch (System.Text.Json.JsonException e)
            {
                return $"list is not JSON: {e.Message} {result}";
            }
        }
        return verb[..^1] is ["delete", "--force"] && !result.Succeeded ? $"delete --force: {result}" : null;
    }
}
