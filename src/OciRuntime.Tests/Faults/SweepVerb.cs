using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>A command that a sweep does its faults to: what has to be there before, what must be or not be there afterwards.</summary>
internal abstract class SweepVerb : IDisposable
{
    private readonly HashSet<int> _processes;

    private protected SweepVerb(TestBundle bundle, string space = "")
    {
        Container = new FaultContainer(bundle, space);
        _processes = [.. ProcessTree.DescendantsOf(Environment.ProcessId)];
    }

    internal FaultContainer Container { get; }

    /// <summary>The command and its arguments.</summary>
    private protected abstract string[] Command { get; }

    /// <summary>The file with whose opening the sweep begins.</summary>
    private protected virtual string Marker => "state.json";

    /// <summary>Before each run.</summary>
    internal abstract void Prepare();

    /// <summary>Has it done, and does WHAT, in meddle's words, at a point.</summary>
    internal virtual Meddled Run(string what, CallPoint point) => Meddler.Run(Command, Marker, what, point);

    /// <summary>What there is to see after a success; it must be what it is after an undisturbed one.</summary>
    internal abstract string Observe(Meddled run);

    /// <summary>
    /// The verb has succeeded, and the process that it has made has ended, or failed when nobody listened any more: then there is a
    /// container that has stopped, and nothing runs that could lack something.
    /// </summary>
    internal virtual bool HasEnded() => Container.Call("state", Container.Id).Stdout.Contains("\"stopped\"", StringComparison.Ordinal);

    /// <summary>It says that it has left something, though its exit code is another one's.</summary>
    internal virtual bool OwnsUp(CommandResult result) => false;

    /// <summary>What is left after a failure that should not be, when what is dying had a moment.</summary>
    internal List<string> LeftAfter(TimeSpan moment) => Settled(Left, moment);

    /// <summary>The same, now.</summary>
    private protected virtual List<string> Left() => Everything();

    /// <summary>Takes away what was left, and the container, by `delete --force` alone. What is wrong then, or null.</summary>
    internal virtual string? Recover()
    {
        CommandResult deleted = Container.DeleteByForce();
        Container.ForgetPidFile();
        List<string> left = Remains();
        return !deleted.Succeeded ? $"{deleted}" : left.Count > 0 ? $"left in the end: {string.Join("; ", left)}" : null;
    }

    /// <summary>Everything of the container that is there, when what is dying had two seconds.</summary>
    private protected List<string> Remains() => Settled(Everything);

    private protected static List<string> Settled(Func<List<string>> look, TimeSpan? moment = null)
    {
        List<string> left = [];
        Eventually.Becomes(() => (left = look()).Count == 0, moment ?? TimeSpan.FromSeconds(2));
        return left;
    }

    private List<string> Everything() => [.. Container.Left(), .. Strangers(), .. Mounts()];

    /// <summary>Processes that were not there in the beginning.</summary>
    private protected IEnumerable<string> Strangers() =>
        ProcessTree.DescendantsOf(Environment.ProcessId).Except(_processes)
        .Select(static pid => $"process {pid} {ProcessTree.CommandLine(pid)}");

    /// <summary>What is there from now on does not count.</summary>
    private protected void KnowProcesses(params int[] more) =>
        _processes.UnionWith([.. ProcessTree.DescendantsOf(Environment.ProcessId), .. more]);

    /// <summary>Of the container, on the host.</summary>
    private IEnumerable<string> Mounts() =>
        MountInfo.Of().Select(static mount => mount.MountPoint)
        .Where(point => point.StartsWith(Container.Bundle.Directory, StringComparison.Ordinal)
            || point.StartsWith(Container.StateRoot, StringComparison.Ordinal)).Select(static point => $"mount {point}");

    public virtual void Dispose() => Container.Dispose();
}
