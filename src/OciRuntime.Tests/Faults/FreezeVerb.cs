using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>`pause`, or `resume` of one that is paused.</summary>
internal sealed class FreezeVerb(TestBundle bundle, bool pause) : LiveVerb(bundle)
{
    private static string Thawed => CgroupHost.V1MountPoint("freezer") is null ? " 0" : "THAWED 0";

    private protected override string[] Command => Container.Command(pause ? "pause" : "resume", Container.Id);

    internal override void Prepare()
    {
        if (!pause) Container.Call("pause", Container.Id).ShouldSucceed();
    }

    internal override string Observe(Meddled run) => State();

    /// <summary>A pause that failed stops nobody; what a resume that failed leaves may be tried again.</summary>
    private protected override List<string> Left() => pause && State() != Thawed ? [State(), .. Strays()] : Strays();

    internal override string? Recover()
    {
        if (State() == Thawed) return base.Recover();
        CommandResult resume = Container.Call("resume", Container.Id);
        return resume.Succeeded ? base.Recover() : $"{resume}";
    }

    /// <summary>Of both freezers: what one has stopped the other does not let go on.</summary>
    private string State() => $"{Promises.Read(Init, "freezer", "freezer.state")} {Promises.Read(Init, "", "cgroup.freeze")}";
}
