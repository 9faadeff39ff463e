using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using CommandLine;

namespace OciRuntime.Cli;

/// <summary>Reads the attributes of options classes. Reflection, and therefore only for help and error messages, never on the way to a launch.</summary>
public static class VerbDescription
{
    /// <summary>The line about the command in the list of commands.</summary>
    public static string Summary(VerbDefinition verb) => verb.OptionsType.GetCustomAttribute<VerbAttribute>()?.HelpText ?? "";

    public static OptionDescription[] GlobalOptions() => OptionsOf(typeof(GlobalOptions));

    /// <summary>The options by long name: the order of reflection promises nothing.</summary>
    public static OptionDescription[] OptionsOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type) =>
    [
        .. from property in type.GetProperties()
           let option = property.GetCustomAttribute<OptionAttribute>()
           where option is not null
           orderby option.LongName
           select new OptionDescription(
               option.ShortName.Length == 0 ? null : option.ShortName,
               option.LongName,
               property.PropertyType == typeof(bool) ? null : option.MetaValue.Length == 0 ? "VALUE" : option.MetaValue,
               option.HelpText,
               Typed(option.Default),
               option.Hidden),
    ];

    /// <summary>The arguments in their order.</summary>
    public static ArgumentDescription[] ArgumentsOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type) =>
    [
        .. from property in type.GetProperties()
           let value = property.GetCustomAttribute<ValueAttribute>()
           where value is not null
           orderby value.Index
           select new ArgumentDescription(value.MetaName, value.Required, IsList(property.PropertyType), value.HelpText, Typed(value.Default)),
    ];

    private static bool IsList(Type type) => type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable));

    // Enumeration members are written in lower case on the command line.
    private static string? Typed(object? value) => value is Enum ? value.ToString()!.ToLowerInvariant() : value?.ToString();
}
