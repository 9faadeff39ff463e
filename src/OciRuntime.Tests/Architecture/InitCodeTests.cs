using System.Reflection;
using System.Reflection.Emit;
using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// The rule of Init/, read from the compiled code: after clone3 the other threads are gone, with whatever lock they held, so nothing there
/// may allocate, throw, or call what might. Followed through every method of the program that is called from there.
/// </summary>
public sealed class InitCodeTests
{
    private const string Room = "OciRuntime.Init";

    /// <summary>What of .NET is known to be plain reads, writes and arithmetic.</summary>
    private static readonly string[] Harmless =
    [
        "System.GC.GetAllocatedBytesForCurrentThread",
        "System.ReadOnlySpan`1.GetPinnableReference", "System.Span`1.GetPinnableReference",
        "System.ReadOnlySpan`1..ctor", "System.Span`1..ctor",
        "System.ReadOnlySpan`1.get_Item", "System.Span`1.get_Item",
        "System.ReadOnlySpan`1.get_Length", "System.Span`1.get_Length",
        "System.Span`1.Clear",
    ];

    /// <summary>Numbers, set before the clone by the only thread that does: whatever the clone finds there is whole.</summary>
    private static readonly string[] Inherited = ["s_notes", "IsShared", "s_callersFiles"];

    private static readonly OpCode[] Forbidden = [OpCodes.Newarr, OpCodes.Box, OpCodes.Ldstr, OpCodes.Throw, OpCodes.Rethrow];

    [Test]
    public void Init_code_neither_allocates_nor_throws_nor_calls_what_might()
    {
        IEnumerable<Type> types = typeof(OciRuntime.Init.InitMain).Assembly.GetTypes().Where(type => Outermost(type).Namespace == Room);
        Search(types.SelectMany(IlReader.MethodsOf), out int methods).Should().BeEmpty();
        methods.Should().BeGreaterThan(100, "the search starts somewhere");
    }

    [TestCase(nameof(Sins.Allocate), "newarr")]
    [TestCase(nameof(Sins.Create), "new Sins")]
    [TestCase(nameof(Sins.Box), "box")]
    [TestCase(nameof(Sins.Text), "ldstr")]
    [TestCase(nameof(Sins.Throw), "throw")]
    [TestCase(nameof(Sins.Catch), "exception handling")]
    [TestCase(nameof(Sins.Call), "calls System.IO.File.Exists")]
    [TestCase(nameof(Sins.CallIndirectly), "Sins.CallIndirectly > ")]
    [TestCase(nameof(Sins.Share), "static field")]
    public void The_search_finds(string sin, string expected) =>
        Search([typeof(Sins).GetMethod(sin, IlReader.Everything)!], out _).Should()
        .Contain(found => found.Contains(expected, StringComparison.Ordinal));

    private sealed class Sins
    {
        private static int _shared;

        internal static int[] Allocate() => new int[3];

        internal static Sins Create() => new();

        internal static string Box(int number) => string.Concat((object)number, null);

        internal static string Text() => "text";

        internal static int Throw() => throw new NotSupportedException();

        internal static int Catch(int[] numbers)
        {
            try
            {
                return numbers[0];
            }
            catch (IndexOutOfRangeException)
            {
                return 0;
            }
        }

        internal static bool Call(string path) => File.Exists(path);

        internal static bool CallIndirectly(string path) => Call(path);

        internal static int Share() => ++_shared;
    }

    private static List<string> Search(IEnumerable<MethodBase> methods, out int count)
    {
        Dictionary<MethodBase, string> seen = [];
        Queue<MethodBase> next = new();
        foreach (MethodBase method in methods) Visit(method, "", seen, next);
        List<string> wrong = [];
        while (next.TryDequeue(out MethodBase? method)) Check(method, seen, next, wrong);
        count = seen.Count;
        return wrong;
    }

    private static void Visit(MethodBase method, string from, Dictionary<MethodBase, string> seen, Queue<MethodBase> next)
    {
        if (seen.TryAdd(method, from)) next.Enqueue(method);
    }

    private static void Check(MethodBase method, Dictionary<MethodBase, string> seen, Queue<MethodBase> next, List<string> wrong)
    {
        string path = seen[method] + Name(method);
        if (method.GetMethodBody()?.ExceptionHandlingClauses.Count > 0) wrong.Add($"{path}: has exception handling");
        foreach (Instruction instruction in IlReader.Read(method))
        {
            if (Forbidden.Contains(instruction.Code)) wrong.Add($"{path}: {instruction.Code} {instruction.Operand}");
            if (instruction.Operand is FieldInfo { IsStatic: true, IsInitOnly: false, IsLiteral: false } field
                && !Inherited.Contains(field.Name))
            {
                wrong.Add($"{path}: static field {field.Name}, shared with threads that are gone");
            }
            if (instruction.Operand is not MethodBase called) continue;
            if (instruction.Code == OpCodes.Newobj && !called.DeclaringType!.IsValueType)
                wrong.Add($"{path}: new {called.DeclaringType.Name}");
            else if (instruction.Code == OpCodes.Callvirt && called.IsVirtual) wrong.Add($"{path}: virtual call of {Name(called)}");
            else if (called.Module == method.Module) Visit(called, path + " > ", seen, next);
            else if (!Harmless.Contains(Name(called))) wrong.Add($"{path}: calls {Name(called)}");
        }
    }

    private static string Name(MethodBase method)
    {
        Type type = method.DeclaringType!;
        string name = type.Namespace + "." + type.Name + "." + method.Name;
        return name.StartsWith("OciRuntime.", StringComparison.Ordinal) ? name["OciRuntime.".Length..] : name;
    }

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;
}
