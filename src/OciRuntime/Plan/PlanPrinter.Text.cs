using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

internal static partial class PlanPrinter
{
    /// <summary>Lines are made to fit this many columns; only a word that is longer by itself goes beyond.</summary>
    private const int Width = 120;

    /// <summary>Pointers begin in the column that leaves this much; nearly all are shorter.</summary>
    private const int PointerWidth = 30;

    private const int NumberWidth = 5, Gap = 2, FullWidth = Width - NumberWidth - Gap, TextWidth = FullWidth - Gap - PointerWidth;

    /// <summary>The explanation for a person: what is done on the left, the JSON pointer that asked for it on the right.</summary>
    public static string Text(Explanation e)
    {
        StringBuilder text = new(8192);
        Facts(text, e);
        Lines(text, "Warnings", e.Warnings);
        Actions(text, "Preparation", e.Prepare);
        if (e.DeviceProgram.Length > 0)
        {
            // On v1 each rule is a write of its own and stands above already.
            Lines(text, "Device rules: a later one overrides an earlier one", e.DeviceRules);
            Lines(text, "Device program: r0 is the verdict, r2 the type, r3 the access, r4 and r5 the numbers", e.DeviceProgram);
        }
        Clone(text, e);
        Steps(text, e);
        Process(text, e.Plan);
        Actions(text, "After \"ocirun start\"", e.Start);
        Actions(text, "On \"ocirun delete\"", e.Delete);
        return text.ToString();
    }

    private static void Facts(StringBuilder text, Explanation e)
    {
        text.Append("Plan for container ").Append(e.Id).Append("; nothing of it has been done.\n\n");
        foreach ((string name, string value) in (ReadOnlySpan<(string, string)>)[("bundle", e.Bundle), ("config", e.Config),
            ("rootfs", e.Rootfs)])
        {
            text.Append("  ").Append(name.PadRight(8)).Append(VisibleText.Line(value)).Append('\n');
        }
    }

    private static void Heading(StringBuilder text, string heading) => text.Append('\n').Append(heading).Append('\n');

    private static void Lines(StringBuilder text, string heading, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0) return;
        Heading(text, heading);
        foreach (string line in lines) Row(text, "", line, "");
    }

    private static void Actions(StringBuilder text, string heading, List<RuntimeAction> actions)
    {
        if (actions.Count == 0) return;
        Heading(text, heading);
        foreach (RuntimeAction action in actions) Row(text, "", action.Text, action.Pointer);
    }

    private static void Clone(StringBuilder text, Explanation e)
    {
        Heading(text, "Clone");
        RuntimeAction clone = CloneWords(e.Plan);
        Row(text, "", clone.Text, clone.Pointer);
        if (e.BornIn is not null) Row(text, "", $"in the cgroup {e.BornIn} (CLONE_INTO_CGROUP)", "");
        foreach (RuntimeAction action in e.Adopt) Row(text, "", action.Text, action.Pointer);
    }

    private static void Steps(StringBuilder text, Explanation e)
    {
        string chapter = "";
        for (int i = 0; i < e.Plan.Steps.Count; i++)
        {
            PlanStep step = e.Plan.Steps[i];
            if (Chapter(step.Chapter) is { } next && next != chapter) Heading(text, chapter = next);
            Row(text, (i + 1).ToString(), step.Describe(), step.Origin.ToString());
            foreach (RuntimeAction answer in e.Answers(step)) Row(text, "", "  runtime: " + answer.Text, answer.Pointer);
        }
    }

    private static void Process(StringBuilder text, LaunchPlan plan)
    {
        Lines(text, "Arguments", Array.ConvertAll(plan.Arguments, VisibleText.Line));
        List<string> environment = plan.Environment.ConvertAll(VisibleText.Line);
        if (plan.HomeFromImage) environment.Add("HOME=<from /etc/passwd of the image>");
        Lines(text, "Environment", environment);
    }

    /// <summary>One line, or several where the text does not fit: number, text, pointer.</summary>
    private static void Row(StringBuilder text, string number, string words, string pointer)
    {
        int width = pointer.Length > 0 ? TextWidth : FullWidth;
        string rest = VisibleText.Line(words);
        // A continuation is indented as deep as what it continues, and two more.
        int indent = rest.Length - rest.TrimStart(' ').Length + 2;
        for (bool first = true; first || rest.Length > 0; first = false)
        {
            int room = first ? width : width - indent;
            int cut = rest.Length <= room ? rest.Length : BreakAt(rest, room);
            string line = rest[..cut].TrimEnd();
            rest = rest[cut..].TrimStart();
            text.Append((first ? number : "").PadLeft(NumberWidth)).Append(' ', first ? Gap : Gap + indent).Append(line);
            if (first && pointer.Length > 0) text.Append(' ', Math.Max(width - line.Length, 0) + Gap).Append(VisibleText.Line(pointer));
            text.Append('\n');
        }
    }

    /// <summary>
    /// Where to break: behind the last blank that fits, or where that leaves the line nearly empty, behind a comma; else after the first
    /// word.
    /// </summary>
    private static int BreakAt(string text, int room)
    {
        // Not within the indentation, which would make an empty line.
        int start = text.Length - text.TrimStart(' ').Length;
        int blank = start + text.AsSpan(start, room + 1 - start).LastIndexOf(' ');
        if (blank > room / 2) return blank;
        int comma = start + text.AsSpan(start, room - start).LastIndexOf(',');
        if (comma > blank && comma > start) return comma + 1;
        if (blank > start) return blank;
        int next = text.IndexOf(' ', start);
        return next < 0 ? text.Length : next;
    }
}
