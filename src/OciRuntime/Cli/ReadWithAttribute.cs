namespace OciRuntime.Cli;

/// <summary>
/// How to read an option whose property's type does not tell: the name of a static method beside the property that takes an <see
/// cref="ArgumentCursor"/> by reference, or of a method of that.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class ReadWithAttribute(string method) : Attribute
{
    public string Method { get; } = method;
}

/// <summary>Another word for a member of an enumeration, which no help shows.</summary>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class AlsoAttribute(string word) : Attribute
{
    public string Word { get; } = word;
}
