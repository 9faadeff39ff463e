namespace OciRuntime.Tests.Cli;

/// <summary>A path nothing exists at, removed afterwards.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"ocirun-test-{Guid.NewGuid():N}");

    public void Dispose() => File.Delete(Path);
}
