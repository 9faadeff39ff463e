using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`create`, and a start of what it has made.</summary>
internal sealed class CreateVerb(TestBundle bundle) : LaunchVerb(bundle)
{
    private protected override string[] Command => Container.Create;

    internal override string Observe(Meddled run)
    {
        string broken = Container.Broken();
        CommandResult start = Container.Call("start", Container.Id);
        Eventually.Becomes(() => run.Output.Text.Contains(Promises.End, StringComparison.Ordinal), TimeSpan.FromSeconds(2));
        return $"{broken} {start.Status} {start.Stderr} {Promises.Digest(run.Output.Text)}";
    }
}
