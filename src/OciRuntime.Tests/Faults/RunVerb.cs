using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`run` of a program that tells what it is in, and is looked at from outside before it ends.</summary>
/// <param name="bundle">Its program waits for a SIGTERM.</param>
internal sealed class RunVerb(TestBundle bundle) : LaunchVerb(bundle)
{
    private string _broken = "";

    private protected override string[] Command => Container.RunToEnd;

    internal override Meddled Run(string what, CallPoint point) => Meddler.Run(Command, Marker, what, point, run =>
    {
        _broken = "broken: it has ended by itself";
        while (run.IsRunning && !Promises.IsAll(run.Stdout)) Thread.Sleep(2);
        if (!run.IsRunning) return;
        // It says "creating" for a moment after its program's beginning.
        Eventually.Becomes(() => !(_broken = Container.Broken()).StartsWith(FaultContainer.Unverified, StringComparison.Ordinal),
            TimeSpan.FromSeconds(2));
        // Where the runtime is told to end by a fault, the container may have ended before.
        for (int i = 0; run.IsRunning && i < 100; i++)
        {
            if (i % 10 == 0) Container.Call("kill", Container.Id, "TERM");
            Thread.Sleep(5);
        }
    });

    internal override string Observe(Meddled run) => $"{_broken} {Promises.Digest(run.Result.Stdout)}{string.Join('\n', Remains())}";

    internal override bool OwnsUp(CommandResult result) =>
        result.Stderr.Contains("has ended, but could not be removed", StringComparison.Ordinal);
}

/// <summary>`run --detach` of one that goes on.</summary>
internal class DetachedRunVerb(TestBundle bundle) : LaunchVerb(bundle)
{
    private protected override string[] Command => [.. Container.RunToEnd[..^1], "--detach", Container.RunToEnd[^1]];

    internal override string Observe(Meddled run)
    {
        Eventually.Becomes(() => run.Output.Text.Contains(Promises.End, StringComparison.Ordinal), TimeSpan.FromSeconds(2));
        return $"{Container.Broken()} {Promises.Digest(run.Output.Text)}";
    }
}
