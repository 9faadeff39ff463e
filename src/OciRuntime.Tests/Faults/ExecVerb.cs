using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`exec` of a program that tells what it is in.</summary>
internal sealed class ExecVerb(TestBundle bundle) : LiveVerb(bundle)
{
    private protected override string[] Command =>
        Container.Command(["exec", "--pid-file", Path.Combine(Container.PidDirectory, "pid"), Container.Id, .. Promises.Program]);

    internal override void Prepare()
    {
    }

    internal override string Observe(Meddled run) => Promises.Digest(run.Result.Stdout);
}
