using System.Collections;
using System.Reflection;
using System.Text.Json;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>One property of one object of a configuration.</summary>
/// <param name="Path">As in config.json, with "[]" for any element and "*" for any key: "linux.devices[].major",
/// "linux.netDevices.*.name".</param>
/// <param name="Property">The property of the type.</param>
/// <param name="Value">What was read.</param>
internal sealed record SpecProperty(string Path, PropertyInfo Property, object? Value)
{
    /// <summary>"Type.Property".</summary>
    public string Name => $"{Property.DeclaringType!.Name}.{Property.Name}";
}

/// <summary>All properties of all objects of a configuration. In spec-fixtures/kitchen-sink.json each property occurs.</summary>
internal static class SpecWalk
{
    /// <summary>In depth, each object before what it contains.</summary>
    public static IEnumerable<SpecProperty> Of(RuntimeSpec spec) => Below("", spec);

    private static IEnumerable<SpecProperty> Below(string path, object node)
    {
        Type type = node.GetType();
        if (node is IEnumerable list and not string)
        {
            foreach (object element in list)
            {
                (string step, object value) = Element(element);
                foreach (SpecProperty below in Below(path + step, value)) yield return below;
            }
            yield break;
        }
        if (type.Namespace != typeof(RuntimeSpec).Namespace) yield break;
        foreach (PropertyInfo property in type.GetProperties())
        {
            string name = $"{path}{(path.Length > 0 ? "." : "")}{JsonNamingPolicy.CamelCase.ConvertName(property.Name)}";
            object? value = property.GetValue(node);
            yield return new SpecProperty(name, property, value);
            if (value is null) continue;
            foreach (SpecProperty below in Below(name, value)) yield return below;
        }
    }

    private static (string Step, object Value) Element(object element)
    {
        Type type = element.GetType();
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(KeyValuePair<,>)
            ? (".*", type.GetProperty("Value")!.GetValue(element)!) : ("[]", element);
    }
}
