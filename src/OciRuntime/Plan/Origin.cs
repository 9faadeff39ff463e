using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// Where in config.json a step comes from. Kept in parts, as the pointer is only put together for `explain` and for errors.
/// </summary>
/// <param name="Section">JSON pointer of the property, or "" for what the runtime does on its own.</param>
/// <param name="Index">Element of the array, or -1.</param>
/// <param name="Member">Member of the object (map keys), or null.</param>
internal readonly record struct Origin(string Section, int Index = -1, string? Member = null)
{
    /// <summary>A step that no property asks for.</summary>
    public static Origin Runtime => new("");

    /// <summary>The RFC 6901 pointer.</summary>
    public override string ToString()
    {
        string text = Index < 0 ? Section : $"{Section}/{Index}";
        return Member is null ? text : $"{text}/{JsonPointer.Escape(Member)}";
    }
}
