using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`update` of three limits: all are changed or none.</summary>
internal sealed class UpdateVerb(TestBundle bundle) : LiveVerb(bundle)
{
    private string _before = "";

    private protected override string[] Command =>
        Container.Command("update", "--pids-limit", "300", "--memory", "128m", "--cpu-share", "1000", Container.Id);

    internal override void Prepare()
    {
        Container.Call("update", "--pids-limit", "200", "--memory", "64m", "--cpu-share", "512", Container.Id).ShouldSucceed();
        _before = Limits();
    }

    internal override string Observe(Meddled run) => Limits();

    private protected override List<string> Left() => Limits() != _before ? [$"limits {Limits()}", .. Strays()] : Strays();

    internal override string? Recover()
    {
        Prepare();
        return base.Recover();
    }

    private string Limits() => Promises.Limits(Init);
}
