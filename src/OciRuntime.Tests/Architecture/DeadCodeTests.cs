using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using CommandLine;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// What nobody in the program uses is not there: methods, properties, fields, constants. Members are looked for in the compiled code;
/// constants, of which the compiler leaves only the value, by their names in the source. What the tests alone use counts as unused.
/// </summary>
public sealed partial class DeadCodeTests
{
    /// <summary>Unused, for a reason. Nothing stays here that is used after all.</summary>
    private static readonly string[] Exempt =
    [
        // A property of the specification: it is read and kept, as the others are, but no kernel has a choice any more.
        "MemoryResources.get_UseHierarchy",
        // Tests read to the end.
        "BusReader.get_AtEnd",
        // The generators read these.
        "AlsoAttribute..ctor", "AlsoAttribute.get_Word", "CommandAttribute..ctor", "CommandAttribute.get_Place",
        "CommandAttribute.get_Prelude",
        "ReadWithAttribute..ctor", "ReadWithAttribute.get_Method", "ReaderOfAttribute..ctor", "ReaderOfAttribute.get_Root",
        "TextAttribute..ctor",
    ];

    private static readonly Assembly Product = typeof(OciRuntime.Plan.LaunchPlan).Assembly;

    private static readonly Type[] Types =
        [.. Product.GetTypes().Where(static type => !IsGenerated(type) && !IsOptions(type) && type != typeof(OciRuntime.Cli.BuildInfo))];

    [Test]
    public void Every_member_is_used()
    {
        HashSet<int> used = FindUsed();
        used.Should().HaveCountGreaterThan(2000, "the search finds uses");
        Report(Types.SelectMany(MembersOf).Where(member => !used.Contains(member.MetadataToken)), Exempt);
    }

    [Test]
    public void Every_constant_is_used()
    {
        Dictionary<string, int> words = [];
        string root = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime");
        foreach (string file in Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains("/obj/", StringComparison.Ordinal)) continue;
            foreach (Match match in Word().Matches(Comment().Replace(File.ReadAllText(file), "")))
                words[match.Value] = words.GetValueOrDefault(match.Value) + 1;
        }
        FieldInfo[] constants = [.. Types.Where(static type => !type.IsEnum).SelectMany(static type => type.GetFields(IlReader.Everything))
            .Where(static field => field.IsLiteral)];
        constants.Should().Contain(static constant => constant.Name == "EPERM");
        Report(constants.Where(constant => words.GetValueOrDefault(constant.Name) < 2), []);
    }

    private static void Report(IEnumerable<MemberInfo> dead, string[] exempt)
    {
        IEnumerable<string> names = dead.Select(static member => $"{member.DeclaringType!.Name}.{member.Name}").Distinct();
        string.Join(", ", names.Order()).Should().Be(string.Join(", ", exempt.Order()));
    }

    private static IEnumerable<MemberInfo> MembersOf(Type type) =>
        [.. IlReader.MethodsOf(type).Where(Counts), .. type.GetFields(IlReader.Everything).Where(Counts)];

    // Not: what others call by a contract of theirs, what the compiler makes, and what only a `with` or an initializer sets.
    private static bool Counts(MethodBase method)
    {
        string name = method.Name;
        if (method == Product.EntryPoint || method is ConstructorInfo { IsStatic: true }) return false;
        if ((method.IsVirtual && !method.IsAbstract) || name.Contains('<') || name.LastIndexOf('.') > 0 || name == "get_EqualityContract")
            return false;
        if (name.StartsWith("set_", StringComparison.Ordinal)) return false;
        return !IsGenerated(method) || (name.StartsWith("get_", StringComparison.Ordinal) && !method.DeclaringType!.IsValueType);
    }

    // A structure's fields may be there for their places.
    private static bool Counts(FieldInfo field) => !field.IsLiteral && !IsGenerated(field) && !field.DeclaringType!.IsValueType;

    private static bool IsGenerated(MemberInfo member) =>
        member.IsDefined(typeof(CompilerGeneratedAttribute), false) || (member.DeclaringType is { } outer && IsGenerated(outer));

    // Made by the parser, and declared for the help.
    private static bool IsOptions(Type type) => type.IsDefined(typeof(VerbAttribute), false)
        || type.GetProperties().Any(static property => property.IsDefined(typeof(OptionAttribute), false));

    private static HashSet<int> FindUsed()
    {
        HashSet<int> used = [];
        foreach (MethodBase method in Product.GetTypes().SelectMany(IlReader.MethodsOf))
        {
            // Records print and compare whatever they have.
            if (method.Name is "PrintMembers" or "Deconstruct" or "Equals" or "GetHashCode") continue;
            foreach (Instruction instruction in IlReader.Read(method))
            {
                if (instruction.Operand is not MemberInfo member || member is Type || member.Module != method.Module) continue;
                // A recursion alone is no use.
                if (member.MetadataToken != method.MetadataToken) used.Add(member.MetadataToken);
            }
        }
        return used;
    }

    [GeneratedRegex(@"//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
