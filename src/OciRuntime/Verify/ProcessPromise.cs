namespace OciRuntime.Verify;

/// <summary>A promise about each process of the container.</summary>
/// <param name="Promise">The promise.</param>
/// <param name="Look">Looks at one of them.</param>
internal sealed record ProcessPromise(Promise Promise, Func<ProcessFiles, Seen> Look)
{
    /// <summary>A process that enters the container later may be given more.</summary>
    public bool MayDifferWhenEntered { get; init; }

    /// <summary>It is about those only.</summary>
    public bool IsAboutEntered { get; init; }
}
