namespace OciRuntime.Spec;

/// <summary>Asks OciRuntime.Generators for the methods that read a class and all that its properties lead to.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ReaderOfAttribute(Type root) : Attribute
{
    public Type Root { get; } = root;
}

/// <summary>The strings of this property stay text: they may hold a NUL, which would end a string that reaches the kernel.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class TextAttribute : Attribute;
