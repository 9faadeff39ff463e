namespace OciRuntime.Linux;

/// <summary>The heap's bound (System.GC.HeapHardLimit): too small for some inputs whose parts are all within their limits.</summary>
internal static class MemoryLimit
{
    /// <summary>What is said when there was no more.</summary>
    public static string Exceeded =>
        "it takes more memory than there is, or than the "
        + $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20} MiB that ocirun gives itself";
}
