using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`run` to the end of a program that tells what it is in.</summary>
internal class RunVerb(TestBundle bundle) : LaunchVerb(bundle)
{
    private protected override string[] Command => Container.RunToEnd;

    internal override string Observe(Meddled run) => $"{Promises.Digest(run.Result.Stdout)}{string.Join('\n', Remains())}";

    internal override bool OwnsUp(CommandResult result) =>
        result.Stderr.Contains("has ended, but could not be removed", StringComparison.Ordinal);
}

/// <summary>`run --detach` of one that goes on.</summary>
internal sealed class DetachedRunVerb(TestBundle bundle) : RunVerb(bundle)
{
    private protected override string[] Command => [.. base.Command[..^1], "--detach", base.Command[^1]];

    internal override string Observe(Meddled run)
    {
        Eventually.Becomes(() => run.Output.Text.Contains(Promises.End, StringComparison.Ordinal), TimeSpan.FromSeconds(2));
        return $"{Container.Broken()} {Promises.Digest(run.Output.Text)}";
    }
}
