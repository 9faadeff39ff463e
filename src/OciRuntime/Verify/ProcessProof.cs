using System.Buffers.Text;
using OciRuntime.Host;

namespace OciRuntime.Verify;

/// <summary>Every process of the container against what each of them is promised to have at most.</summary>
internal sealed class ProcessProof
{
    private const string Entered = "it entered the container from outside, as exec does",
        Adopted = "it may have been left behind by an exec, as there was one with other rights";

    private readonly Subject _subject;
    private readonly List<ProcessPromise> _promises;
    private readonly List<(int Promise, int Pid, Seen Seen)> _found = [];
    private readonly Dictionary<int, (int Parent, int Session)> _known = [];

    private ProcessProof(Subject subject, FileTree tree, FileTree host)
    {
        _subject = subject;
        _promises =
        [
            .. CgroupProof.OfProcesses(subject, tree),
            .. NamespaceProof.OfProcesses(subject), .. PrivilegeProof.OfProcesses(subject), .. LimitProof.OfProcesses(subject),
            .. new DescriptorProof(subject, tree, host).OfProcesses(), .. RdtProof.OfProcesses(subject),
        ];
    }

    public static void Add(Report report, Subject subject, FileTree tree, FileTree host) =>
        new ProcessProof(subject, tree, host).Add(report);

    private void Add(Report report)
    {
        Members members = _subject.Members();
        foreach (ProcessFiles process in _subject.EachOf(members))
        {
            // A zombie has nothing any more.
            if (!process.IsAlive) continue;
            report.Processes++;
            _known[process.Pid] = (process.Parent, Session(process));
            if (LiveThread.IsNeeded(process)) CompareThread(process);
            else Compare(process, process.Pid);
        }
        foreach (int pid in members.Doubtful) AddDoubtful(report, pid);
        bool[] differ = new bool[_promises.Count];
        foreach ((int number, int pid, Seen seen) in _found)
        {
            ProcessPromise promise = _promises[number];
            string origin = Origin(pid);
            if (promise.IsAboutEntered && origin != Entered) continue;
            differ[number] = true;
            // Who has entered from outside, as exec does, was given what the caller wanted it to have.
            bool isGiven = seen.Outcome == Outcome.Broken && promise.MayDifferWhenEntered && origin.Length > 0;
            report.Add(promise.Promise, isGiven ? new(Outcome.Drifted, $"{seen.Found}; {origin}") : seen, pid);
        }
        for (int i = 0; i < differ.Length; i++) if (!differ[i]) report.Add(_promises[i].Promise, Seen.Held);
    }

    // What it may do is another container's affair, as likely as not.
    private static void AddDoubtful(Report report, int pid) => report.Add(CgroupProof.Everyone, Seen.Unchecked(
        "it is in none of them, and in another mount namespace: it may have been left behind by another container in this pid namespace"),
        pid);

    private void Compare(ProcessFiles shown, int pid)
    {
        for (int i = 0; i < _promises.Count; i++)
        {
            Seen seen = _promises[i].Look(shown);
            if (seen.Outcome != Outcome.Held && shown.IsAlive) _found.Add((i, pid, seen));
        }
    }

    private void CompareThread(ProcessFiles process)
    {
        using ProcessFiles? thread = LiveThread.Of(process);
        if (thread is not null) Compare(thread, process.Pid);
        if (thread is { IsAlive: true } || !process.IsAlive) return;
        for (int i = 0; i < _promises.Count; i++) _found.Add((i, process.Pid, Seen.Unchecked(LiveThread.None)));
    }

    /// <summary>
    /// How a process came by what the container's program does not have; "" for what descends from the first process. That has adopted it
    /// where its own parent has ended: only of a child of the first process it is not known whose it was.
    /// </summary>
    private string Origin(int pid)
    {
        int init = _subject.State.Init.Pid;
        if (ChildOfFirst(pid) is not { } child) return Entered;
        // Sessions are handed on by fork, and by nothing else; an exec begins one of its own.
        int session = _known[child].Session;
        if (child == init || session == _known.GetValueOrDefault(init).Session) return "";
        return _known.ContainsKey(session) && ChildOfFirst(session) is null ? Entered : _subject.HadOtherRights ? Adopted : "";
    }

    /// <summary>The one above it, or itself, that is a child of the first process, or that one; null where there is none.</summary>
    private int? ChildOfFirst(int pid)
    {
        for (int hops = 0; hops <= _known.Count && _known.TryGetValue(pid, out (int Parent, int Session) its); hops++)
        {
            if (pid == _subject.State.Init.Pid || its.Parent == _subject.State.Init.Pid) return pid;
            pid = its.Parent;
        }
        return null;
    }

    /// <summary>Field 6 of proc_pid_stat(5); 0 where it is a process that cannot be named here.</summary>
    private static int Session(ProcessFiles process) =>
        Utf8Parser.TryParse(StatLine.From(process.Read("stat", out _), 6), out int session, out _) ? session : 0;
}
