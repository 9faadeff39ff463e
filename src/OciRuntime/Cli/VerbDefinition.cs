using System.Diagnostics.CodeAnalysis;

namespace OciRuntime.Cli;

/// <summary>A command: its name and how to make its options.</summary>
public sealed class VerbDefinition
{
    private readonly Func<VerbOptions> _create;

    private VerbDefinition(string name, Func<VerbOptions> create, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type optionsType)
    {
        Name = name;
        _create = create;
        OptionsType = optionsType;
    }

    public string Name { get; }

    /// <summary>The annotation keeps the properties and their attributes, which the help reads, from being trimmed.</summary>
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)]
    public Type OptionsType { get; }

    public VerbOptions CreateOptions() => _create();

    public static VerbDefinition Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] T>(string name)
        where T : VerbOptions, new() =>
        new(name, static () => new T(), typeof(T));
}
