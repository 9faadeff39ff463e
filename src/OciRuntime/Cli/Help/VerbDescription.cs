using System.Collections;
using System.Diagnostics.CodeAnalysis;
using CommandLine;

namespace OciRuntime.Cli;

/// <summary>Reads the attributes of options classes. Reflection, and therefore only for help and error messages, never on the way to a launch.</summary>
public static class VerbDescription
{
    /// <summary>The line about the command in the list of commands.</summary>
    public static string Summary(VerbDefinition verb) => AttributeFacts.Of<VerbAttribute>(verb.OptionsType)?.Text(nameof(VerbAttribute.HelpText)) ?? "";

    public static OptionDescription[] GlobalOptions() => OptionsOf(typeof(GlobalOptions));

    /// <summary>The options by long name: the order of reflection promises nothing.</summary>
    public static OptionDescription[] OptionsOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type) =>
    [
        .. from property in type.GetProperties()
           let option = AttributeFacts.Of<OptionAttribute>(property)
           where option is not null
           let name = option.ConstructorArguments.OfType<string>().SingleOrDefault() ?? ""
           let metaValue = option.Text(nameof(OptionAttribute.MetaValue))
           orderby name
           select new OptionDescription(
               option.ConstructorArguments.OfType<char>().Select(c => c.ToString()).SingleOrDefault(),
               name,
               property.PropertyType == typeof(bool) ? null : metaValue,
               option.Text(nameof(OptionAttribute.HelpText)),
               option.Typed(nameof(OptionAttribute.Default)),
               option.Switch(nameof(OptionAttribute.Hidden)),
               IsList(property.PropertyType),
               ValueHint.OfOption(property.PropertyType, metaValue)),
    ];

    /// <summary>The arguments in their order.</summary>
    public static ArgumentDescription[] ArgumentsOf([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type) =>
    [
        .. from property in type.GetProperties()
           let value = AttributeFacts.Of<ValueAttribute>(property)
           where value is not null
           let name = value.Text(nameof(ValueAttribute.MetaName))
           let repeated = IsList(property.PropertyType)
           orderby (int)value.ConstructorArguments.Single()!
           select new ArgumentDescription(
               name,
               value.Switch(nameof(ValueAttribute.Required)),
               repeated,
               value.Text(nameof(ValueAttribute.HelpText)),
               value.Typed(nameof(ValueAttribute.Default)),
               ValueHint.OfArgument(type, name, repeated)),
    ];

    private static bool IsList(Type type) => type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable));
}
