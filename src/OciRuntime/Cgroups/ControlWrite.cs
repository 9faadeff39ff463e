using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>A control file with what it is to hold.</summary>
internal readonly record struct FileContent(string File, FileValue Value)
{
    public override string ToString() => $"{File} = {Value}";
}

/// <summary>Writes a value to a control file.</summary>
/// <param name="Directory">See <see cref="CgroupStep"/>.</param>
/// <param name="Content">The file and the value.</param>
/// <param name="Pointer">See <see cref="CgroupStep"/>.</param>
/// <param name="Tolerance">See <see cref="CgroupStep"/>.</param>
internal sealed record ControlWrite(int Directory, FileContent Content, string Pointer, CgroupTolerance Tolerance = CgroupTolerance.None)
    : CgroupStep(Directory, Pointer, Tolerance)
{
    /// <summary>What is written instead where the kernel does not have the file.</summary>
    public FileContent? Otherwise { get; init; }

    // Not "no such file": engines would take it for a missing program (exit code 127).
    public override string Describe(CgroupDirectory place) =>
        $"write {place.Path}/{Content}{(Otherwise is { } other ? $", or {other} where the kernel does not have that" : "")}";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory)
    {
        long result = run.Write(directory, Content);
        return result == -Errno.ENOENT && Otherwise is { } other ? run.Write(directory, other) : result;
    }

    public override string? Hint(CgroupDirectory place, int directory, int errno) =>
        CgroupHints.OfFile(Content.File, Content.Value, place, directory, errno);
}
