using System.Reflection;
using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Architecture;

/// <summary>The arrows of docs/architecture.md, read from the compiled program: who may know whom.</summary>
public sealed class LayeringTests
{
    private const string Root = "OciRuntime";

    private static readonly Lazy<List<(string From, string To, string Where)>> Uses = new(FindUses);

    [Test]
    public void Every_room_knows_only_the_rooms_that_it_may_know()
    {
        IEnumerable<string> wrong = Uses.Value.Where(static use => use.From.Length > 0 && !Rooms.Find(use.From).Knows.Contains(use.To))
            .Select(static use => $"{use.From} -> {use.To}: {use.Where}");
        wrong.Distinct().Should().BeEmpty();
    }

    [Test]
    public void Every_room_knows_the_rooms_that_the_picture_says() =>
        Rooms.All.SelectMany(static room => room.Value.Knows.Select(known => (room.Key, known)))
            .Except(Uses.Value.Select(static use => (use.From, use.To))).Should().BeEmpty();

    [Test]
    public void The_arrows_go_one_way()
    {
        // Each room stands above those that it knows: a picture with a ring in it cannot be sorted.
        Dictionary<string, Room> left = new(Rooms.All);
        while (left.Keys.FirstOrDefault(name => left.Values.All(room => !room.Knows.Contains(name))) is { } top) left.Remove(top);
        left.Keys.Should().BeEmpty();
    }

    [Test]
    public void Every_room_has_a_place_in_the_picture() =>
        Types().Select(RoomOf).Where(static room => room is { Length: > 0 }).Distinct().Should().BeEquivalentTo(Rooms.All.Keys);

    /// <summary>The specification is text: of the kernel it needs only the names in it, and there is one way to show text.</summary>
    [Test]
    public void Spec_uses_the_kernels_names_only() =>
        Uses.Value.Where(use => use is { From: "Spec", To: "Linux" })
        .Select(use => use.Where[(use.Where.LastIndexOf(' ') + 1)..]).Distinct()
            .Should().BeSubsetOf(["CapabilityNames", "ResourceNames", "NamespaceNames", "VisibleText"]);

    [Test]
    public void The_search_finds_what_is_there()
    {
        Uses.Value.Should()
            .Contain(use => use.From == "Plan" && use.To == "Init").And.Contain(use => use.From == "Init" && use.To == "Linux");
        Uses.Value.Should()
            .Contain(use => use.From == "Commands" && use.To == "Launch").And.Contain(use => use.From == "" && use.To == "Commands");
    }

    private static Type[] Types() => typeof(OciRuntime.Plan.LaunchPlan).Assembly.GetTypes();

    /// <summary>"" for Program; null for what is not the program's own or has no namespace (compiler-generated data).</summary>
    private static string? RoomOf(Type type)
    {
        while (type.HasElementType) type = type.GetElementType()!;
        while (type.DeclaringType is not null) type = type.DeclaringType;
        if (type.Assembly != typeof(OciRuntime.Plan.LaunchPlan).Assembly || type.Namespace is not { } name
            || !name.StartsWith(Root, StringComparison.Ordinal))
        {
            return null;
        }
        return name.Length == Root.Length ? "" : name[(Root.Length + 1)..].Split('.')[0];
    }

    private static List<(string, string, string)> FindUses()
    {
        List<(string, string, string)> uses = [];
        foreach (Type type in Types())
        {
            if (RoomOf(type) is not { } from) continue;
            foreach ((Type used, string where) in UsedBy(type))
            {
                if (RoomOf(used) is { } to && to != from) uses.Add((from, to, $"{type.Name}.{where} uses {Outermost(used).Name}"));
            }
        }
        return uses;
    }

    private static Type Outermost(Type type)
    {
        while (type.HasElementType) type = type.GetElementType()!;
        return type.DeclaringType is { } outer ? Outermost(outer) : type;
    }

    private static IEnumerable<(Type, string)> UsedBy(Type type)
    {
        if (type.BaseType is { } parent) foreach (Type used in Parts(parent)) yield return (used, "base");
        foreach (Type contract in type.GetInterfaces()) foreach (Type used in Parts(contract)) yield return (used, "interface");
        foreach (FieldInfo field in type.GetFields(IlReader.Everything))
        {
            foreach (Type used in Parts(field.FieldType))
                yield return (used, field.Name);
        }
        foreach (MethodBase method in IlReader.MethodsOf(type))
        {
            foreach (Type used in UsedBy(method).SelectMany(Parts))
                yield return (used, method.Name);
        }
    }

    private static IEnumerable<Type> UsedBy(MethodBase method)
    {
        if (method is MethodInfo info) yield return info.ReturnType;
        foreach (ParameterInfo parameter in method.GetParameters()) yield return parameter.ParameterType;
        foreach (LocalVariableInfo local in method.GetMethodBody()?.LocalVariables ?? []) yield return local.LocalType;
        foreach (Instruction instruction in IlReader.Read(method))
        {
            if (instruction.Operand is not MemberInfo member) continue;
            if (member as Type is { } type) yield return type;
            if (member.DeclaringType is { } owner) yield return owner;
            if (member is FieldInfo field) yield return field.FieldType;
            if (member is MethodBase { IsGenericMethod: true } generic)
            {
                foreach (Type argument in generic.GetGenericArguments())
                    yield return argument;
            }
        }
    }

    /// <summary>A type with its elements and type arguments.</summary>
    private static IEnumerable<Type> Parts(Type type)
    {
        yield return type;
        if (type.HasElementType) foreach (Type part in Parts(type.GetElementType()!)) yield return part;
        if (type.IsGenericType) foreach (Type part in type.GetGenericArguments().SelectMany(Parts)) yield return part;
    }
}
