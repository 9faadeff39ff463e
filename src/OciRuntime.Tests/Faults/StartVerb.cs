using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`start` of a container that is made for it.</summary>
internal sealed class StartVerb(TestBundle bundle) : SweepVerb(bundle)
{
    private OutputFile _output = null!;

    private protected override string[] Command => Container.Command("start", Container.Id);

    internal override void Prepare()
    {
        using RunningCommand create = Support.Command.Start(Container.Create[0], Container.Create[1..], new CommandOptions());
        create.Wait().ShouldSucceed();
        _output = create.Output.Stdout;
    }

    internal override string Observe(Meddled run)
    {
        Eventually.Becomes(() => _output.Text.Contains(Promises.End, StringComparison.Ordinal), TimeSpan.FromSeconds(2));
        return $"{Container.Broken()} {Promises.Digest(_output.Text)}";
    }

    /// <summary>The container, which a start that fails does not take away.</summary>
    private protected override List<string> Left() => [];
}
