using System.Text;
using OciRuntime.Linux;
using OciRuntime.Rdt;

namespace OciRuntime.Verify;

/// <summary>Intel RDT: the groups that each process is in, and what the class of service has.</summary>
internal static class RdtProof
{
    private const string Title = "resctrl", Pointer = "/linux/intelRdt";
    private const int MaxFile = 1 << 20;

    public static IEnumerable<ProcessPromise> OfProcesses(Subject subject)
    {
        if (subject.Rdt is not { } plan) yield break;
        string words = $"in the class of service {plan.Group}{(plan.Monitor is null ? "" : $", monitored by {plan.Monitor}")}";
        yield return new(new(Title, Pointer, words), process => process.Text("cpu_resctrl_groups", out long error) is { } text
            ? Groups(plan, text) : Seen.Unchecked(ErrnoText.Full((int)-error)));
    }

    public static void Add(Report report, Subject subject)
    {
        if (subject.Rdt is { } plan) Add(report, plan);
        else if (subject.Spec.Linux?.IntelRdt is not null)
            report.Add(Title, Pointer, "a class of service", Seen.Unchecked("no resctrl file system is mounted here"));
    }

    /// <summary>What the class has, line by line.</summary>
    internal static void Add(Report report, ResctrlPlan plan)
    {
        string path = $"{plan.Group}/schemata";
        byte[]? bytes = Files.ReadFileAt(Files.AT_FDCWD, path, MaxFile, out long error);
        foreach (SchemaLine line in (List<SchemaLine>)[.. plan.Described, .. plan.Schemata])
        {
            string text = Encoding.UTF8.GetString(bytes ?? []);
            report.Add(Title, line.Pointer, $"{path} has {line.Text}", bytes is null ? new(Outcome.Broken, ErrnoText.Full((int)-error))
                : Schema.Agrees(line.Text, text) ? Seen.Held : new(Outcome.Drifted, $"it is {text.Trim().Replace("\n", ", ")}"));
        }
    }

    /// <summary>Whether these are the plan's.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="text">Of /proc/PID/cpu_resctrl_groups, "res:NAME" and "mon:NAME"; "/" is the default class.</param>
    internal static Seen Groups(ResctrlPlan plan, string text)
    {
        string group = Resctrl.GroupOf(plan.Root, text) ?? plan.Root;
        if (group != plan.Group)
        {
            // Root of the host moves processes. That there is no limit at all is another matter.
            return group == plan.Root ? new(Outcome.Broken, "it is in the default class, which is everybody's")
                : new(Outcome.Drifted, $"it is in {group}");
        }
        if (plan.Monitor is null || text.Contains($"\nmon:{Path.GetFileName(plan.Monitor)}\n")) return Seen.Held;
        return new(Outcome.Drifted, "another group monitors it, or none");
    }
}
