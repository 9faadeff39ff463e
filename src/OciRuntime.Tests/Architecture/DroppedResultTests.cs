using System.Reflection;
using System.Reflection.Emit;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// No result of a system call is dropped without a reason: whatever gives a negated errno, which is what a long is here, is looked at, or a
/// comment at the call says why not. The calls are found in the compiled code, so that the search in the source misses no method.
/// </summary>
public sealed partial class DroppedResultTests
{
    /// <summary>The first has the reason at its declaration, the second at its class; the third throws.</summary>
    private static readonly string[] Exempt = ["Files.Close", "ServiceTarget.Send", "OciException.Check"];

    [Test]
    public void A_result_that_is_dropped_has_its_reason_in_a_comment()
    {
        Dictionary<string, int> dropped = Compiled();
        dropped.Should().ContainKey("Files.UnlinkAt", "the search finds something").And.ContainKey("Processes.Kill");
        List<string> bare = [];
        Dictionary<string, int> found = [];
        foreach (string file in Directory.GetFiles(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime"), "*.cs",
            SearchOption.AllDirectories).Where(static f => !f.Contains("/obj/")))
        {
            string[] lines = File.ReadAllLines(file);
            int explained = -1;
            for (int i = 0; i < lines.Length; i++)
            {
                if (dropped.Keys.FirstOrDefault(name => IsStatement(lines, i, name)) is not { } name) continue;
                found[name] = found.GetValueOrDefault(name) + 1;
                // One reason serves for several calls in a row.
                if (lines[i].Contains("// ") || IsComment(lines[i - 1]) || (IsComment(lines[i - 2]) && Opens(lines[i - 1]))
                    || explained == i - 1)
                {
                    explained = i;
                }
                else
                {
                    bare.Add($"{Path.GetFileName(file)}:{i + 1}: {lines[i].Trim()}");
                }
            }
        }
        bare.Should().BeEmpty();
        dropped.Keys.Except(found.Keys).Should().BeEmpty("each method that the compiled code calls like this is found in the source");
    }

    /// <summary>
    /// How often the result of which method is dropped. Methods are named as calls name them, those of one's own class without it.
    /// </summary>
    private static Dictionary<string, int> Compiled()
    {
        Dictionary<string, int> dropped = [];
        foreach (MethodBase method in typeof(Program).Assembly.GetTypes().SelectMany(IlReader.MethodsOf))
        {
            Instruction[] code = [.. IlReader.Read(method)];
            for (int i = 0; i + 1 < code.Length; i++)
            {
                if (code[i + 1].Code != OpCodes.Pop || code[i].Operand is not MethodInfo called || called.ReturnType != typeof(long)
                    || called.Module != method.Module)
                {
                    continue;
                }
                string full = $"{called.DeclaringType!.Name}.{called.Name}", name = Outermost(method.DeclaringType!) == called.DeclaringType
                    ? called.Name : full;
                if (!Exempt.Contains(full)) dropped[name] = dropped.GetValueOrDefault(name) + 1;
            }
        }
        return dropped;
    }

    /// <summary>
    /// The line has a call of it that is a whole statement, perhaps behind an if, for or fixed. A variable goes by the name of its type.
    /// </summary>
    private static bool IsStatement(string[] lines, int i, string name)
    {
        int at = lines[i].IndexOf(name + "(", StringComparison.OrdinalIgnoreCase);
        if (at < 0 || !Before().IsMatch(lines[i][..at]) || (lines[i][..at].Trim().Length == 0 && !Begins().IsMatch(lines[i - 1].Trim())))
            return false;
        int depth = 0;
        for (int end = at + name.Length; end < lines[i].Length; end++)
        {
            if (lines[i][end] == '(') depth++;
            else if (lines[i][end] == ')' && --depth == 0) return end + 1 < lines[i].Length && lines[i][end + 1] == ';';
        }
        return false;
    }

    private static bool IsComment(string line) => line.TrimStart().StartsWith("// ", StringComparison.Ordinal);

    private static bool Opens(string line) => line.TrimEnd().EndsWith(')') || line.Trim() is "{" or "else";

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    [GeneratedRegex(@"^\s*((else )?(if|for|foreach|while|fixed) \(.*\) |else )*$")]
    private static partial Regex Before();

    [GeneratedRegex(@"^$|^//|[;{})]( // .*)?$|^else$")]
    private static partial Regex Begins();
}
