using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`delete` of a container that has ended, or by force of one that waits for its start.</summary>
internal class DeleteVerb(TestBundle bundle, bool force, string space = "") : SweepVerb(bundle, space)
{
    private protected override string[] Command =>
        force ? Container.Command("delete", "--force", Container.Id) : Container.Command("delete", Container.Id);

    internal override void Prepare()
    {
        Container.CallCreate().ShouldSucceed();
        if (force) return;
        Container.Call("start", Container.Id).ShouldSucceed();
        Eventually.True(() => Container.Call("state", Container.Id).Stdout.Contains("\"stopped\"", StringComparison.Ordinal), "its end");
    }

    internal override string Observe(Meddled run) => string.Join('\n', Remains());

    /// <summary>What a delete that failed was to take away is there for the next.</summary>
    private protected override List<string> Left() => [];
}

/// <summary>
/// The shim's own `delete`, which takes the place of one that has died: it runs in the bundle and finds in a file where the state is.
/// </summary>
internal sealed class ShimDeleteVerb(TestBundle bundle) : DeleteVerb(bundle, force: true, TestRun.Token)
{
    private string Bundle => Container.Bundle.Directory;

    private protected override string[] Command =>
    [
        "/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", Bundle, Ocirun.Binary.Path, "shim", "-namespace", TestRun.Token, "-id", Container.Id,
        "-bundle", Bundle, "delete",
    ];

    private protected override string Marker => "options.json";

    internal override void Prepare()
    {
        base.Prepare();
        File.WriteAllText($"{Bundle}/options.json", $$"""{"root": "{{Path.GetDirectoryName(Container.StateRoot)}}"}""");
    }
}
