using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>What makes a container of a bundle.</summary>
internal abstract class LaunchVerb(TestBundle bundle) : SweepVerb(bundle)
{
    private int _turn;

    private protected override string Marker => "config.json";

    private protected virtual CommandResult CreateAgain() => Container.CallCreate();

    internal override void Prepare()
    {
    }

    /// <summary>By turns what is left half made is undone by the next `create` first.</summary>
    internal override string? Recover()
    {
        if (Container.Left().Count == 0 || Container.IsComplete || _turn++ % 2 == 0) return base.Recover();
        CommandResult again = CreateAgain();
        string? wrong = base.Recover();
        return again.Succeeded ? wrong : $"{again}";
    }
}
