namespace OciRuntime.Init;

/// <summary>An array in a plan's memory.</summary>
internal readonly unsafe struct NativeArray<T>(T* items, int count)
    where T : unmanaged
{
    public readonly T* Items = items;
    public readonly int Count = count;

    /// <summary>Not checked: whoever walks it knows <see cref="Count"/>.</summary>
    public ref T this[int index] => ref Items[index];
}
