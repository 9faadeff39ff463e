using System.Reflection;

namespace OciRuntime.Cli;

/// <summary>An attribute as it is written in the source: its constructor arguments and named properties.</summary>
/// <remarks>
/// CommandLineParser's attribute objects look their texts up as localised resources by reflection, which cannot be compiled ahead of time
/// without trim warnings. What is written down is all we want, so its code does not run at all.
/// </remarks>
internal sealed class AttributeFacts(CustomAttributeData data)
{
    /// <summary>The attribute of type <typeparamref name="T"/> on <paramref name="member"/>, or null.</summary>
    public static AttributeFacts? Of<T>(MemberInfo member)
        where T : Attribute
    {
        foreach (CustomAttributeData data in member.GetCustomAttributesData())
        {
            if (data.AttributeType == typeof(T))
            {
                return new(data);
            }
        }

        return null;
    }

    public IEnumerable<object?> ConstructorArguments => data.ConstructorArguments.Select(a => a.Value);

    public string Text(string property) => Named(property)?.Value as string ?? "";

    public bool Switch(string property) => Named(property)?.Value is true;

    /// <summary>The value as one types it on the command line, where enumeration members are in lower case.</summary>
    public string? Typed(string property) => Named(property) switch
    {
        { ArgumentType.IsEnum: true, Value: { } number } typed => Enum.ToObject(typed.ArgumentType, number).ToString()!.ToLowerInvariant(),
        { Value: { } value } => value.ToString(),
        _ => null,
    };

    private CustomAttributeTypedArgument? Named(string property)
    {
        foreach (CustomAttributeNamedArgument argument in data.NamedArguments)
        {
            if (argument.MemberName == property)
            {
                return argument.TypedValue;
            }
        }

        return null;
    }
}
