namespace OciRuntime.Init;

/// <summary>NUL-terminated UTF-8 in a plan's memory, or nothing.</summary>
internal readonly unsafe struct NativeText(byte* bytes)
{
    private readonly byte* _bytes = bytes;

    public bool IsNull => _bytes is null;

    public static implicit operator byte*(NativeText text) => text._bytes;
}
