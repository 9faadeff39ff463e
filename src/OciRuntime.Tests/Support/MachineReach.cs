using System.Reflection;
using System.Reflection.Emit;
using NUnit.Framework;
using OciRuntime.Tests.Architecture;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Which methods of the tests reach something marked with <see cref="NeedsMachineAttribute"/>, read from the compiled code. It errs on the
/// side of the machine: who makes an object is taken to call all that may be called through its interfaces and base types, who touches a
/// type to run its static constructor.
/// </summary>
internal sealed class MachineReach
{
    private static readonly Type[] AroundTests = [typeof(SetUpAttribute), typeof(TearDownAttribute), typeof(OneTimeSetUpAttribute),
        typeof(OneTimeTearDownAttribute)];

    private readonly Assembly _tests;
    private readonly HashSet<MethodBase> _reaching = [];
    private readonly Dictionary<Type, bool> _fixtures = [];

    public MachineReach(Assembly tests)
    {
        _tests = tests;
        Dictionary<MethodBase, List<MethodBase>> callers = [];
        Queue<MethodBase> open = [];
        foreach (MethodBase method in tests.GetTypes().SelectMany(IlReader.MethodsOf))
        {
            if (IsMarked(method) && _reaching.Add(method)) open.Enqueue(method);
            foreach (MethodBase callee in Callees(method).Distinct())
            {
                if (!callers.TryGetValue(callee, out List<MethodBase>? list)) callers[callee] = list = [];
                list.Add(method);
            }
        }
        while (open.TryDequeue(out MethodBase? callee))
        {
            foreach (MethodBase caller in callers.GetValueOrDefault(callee, []))
            {
                if (_reaching.Add(caller)) open.Enqueue(caller);
            }
        }
    }

    /// <summary>Whether a test of a fixture, its data or what runs around it reaches the machine.</summary>
    public bool IsNeededBy(MethodInfo test, Type fixture)
    {
        if (!_fixtures.TryGetValue(fixture, out bool needed)) _fixtures[fixture] = needed = IsNeededBy(fixture);
        return needed || Reaches(test) || Data(test).Any(Reaches);
    }

    // Overrides, because a test in a base class calls them.
    private bool IsNeededBy(Type fixture) =>
        fixture.GetConstructors(IlReader.Everything).Any(Reaches)
        || Hierarchy(fixture).SelectMany(type => type.GetMethods(IlReader.Everything))
            .Any(method => (method.IsVirtual || AroundTests.Any(around => method.IsDefined(around, inherit: true))) && Reaches(method));

    private static IEnumerable<MethodBase> Data(MethodInfo test) =>
        test.GetCustomAttributes<TestCaseSourceAttribute>().Where(source => source.SourceName is not null)
            .SelectMany(source => (source.SourceType ?? test.DeclaringType!).GetMember(source.SourceName!, IlReader.Everything))
            .Select(member => member is PropertyInfo property ? property.GetMethod : member as MethodBase).OfType<MethodBase>();

    private bool Reaches(MethodBase method) => _reaching.Contains(Definition(method));

    private static bool IsMarked(MethodBase method) =>
        method.IsDefined(typeof(NeedsMachineAttribute)) || HasMark(method.DeclaringType)
        || method.DeclaringType!.GetProperties(IlReader.Everything)
            .Any(property => property.IsDefined(typeof(NeedsMachineAttribute))
            && (property.GetMethod == method || property.SetMethod == method));

    private static bool HasMark(Type? type) =>
        type is not null && (type.IsDefined(typeof(NeedsMachineAttribute), inherit: true) || HasMark(type.DeclaringType));

    private IEnumerable<MethodBase> Callees(MethodBase method)
    {
        foreach (Instruction instruction in IlReader.Read(method))
        {
            if (instruction.Operand is not MemberInfo { DeclaringType: { } type } member || type.Assembly != _tests) continue;
            if (member is MethodBase called) yield return Definition(called);
            if (TypeDefinition(type).TypeInitializer is { } initializer) yield return initializer;
            if (instruction.Code != OpCodes.Newobj && instruction.Code != OpCodes.Initobj) continue;
            foreach (MethodInfo possible in Hierarchy(TypeDefinition(type)).SelectMany(each => each.GetMethods(IlReader.Everything))
                .Where(each => each.IsVirtual))
            {
                yield return possible;
            }
        }
        // An async method hands its state machine to the framework, which calls it.
        if (method.GetCustomAttribute<System.Runtime.CompilerServices.StateMachineAttribute>() is { } machine)
        {
            foreach (MethodInfo step in TypeDefinition(machine.StateMachineType).GetMethods(IlReader.Everything)) yield return step;
        }
    }

    private IEnumerable<Type> Hierarchy(Type? type)
    {
        for (; type is not null && type.Assembly == _tests; type = type.BaseType is { } parent ? TypeDefinition(parent) : null)
            yield return type;
    }

    private static Type TypeDefinition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;

    // Of a generic method or a method of a generic type, the one that has been written. Reflection makes one object for each base type it
    // is seen through, too.
    private static MethodBase Definition(MethodBase method) => method.Module.ResolveMethod(method.MetadataToken)!;
}
