using System.Reflection;
using System.Reflection.Emit;

namespace OciRuntime.Tests.Architecture;

/// <summary>One instruction; the operand is a member, a string or a signature, as far as it names something.</summary>
public readonly record struct Instruction(OpCode Code, object? Operand);

/// <summary>Reads the code of methods of the compiled program.</summary>
public static class IlReader
{
    public const BindingFlags Everything = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance
        | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Methods and constructors of a type, those of nested types not included.</summary>
    public static IEnumerable<MethodBase> MethodsOf(Type type) => [.. type.GetMethods(Everything), .. type.GetConstructors(Everything)];

    /// <summary>The instructions of a method; none for one without a body.</summary>
    public static IEnumerable<Instruction> Read(MethodBase method)
    {
        byte[]? il = method.GetMethodBody()?.GetILAsByteArray();
        Type[] typeArguments = method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : [];
        Type[] methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        for (int at = 0; at < (il?.Length ?? 0);)
        {
            short value = il![at++];
            if (value == 0xfe) value = (short)(0xfe00 | il[at++]);
            OpCode code = Codes[value];
            int size = Size(code, il, at);
            object? operand = code.OperandType switch
            {
                OperandType.InlineString => method.Module.ResolveString(BitConverter.ToInt32(il, at)),
                OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType =>
                    method.Module.ResolveMember(BitConverter.ToInt32(il, at), typeArguments, methodArguments),
                _ => null,
            };
            yield return new(code, operand);
            at += size;
        }
    }

    private static int Size(OpCode code, byte[] il, int at) => code.OperandType switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(il, at)),
        _ => 4,
    };
}
