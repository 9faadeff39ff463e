namespace OciRuntime.Checkpoint;

/// <summary>What only restore can be told.</summary>
internal sealed class RestoreSettings
{
    public required CriuSettings Criu { get; init; }

    /// <summary>Connections are restored as closed.</summary>
    public bool TcpClose { get; init; }

    /// <summary>TYPE:NAME instead of the profile or label in the images, or null.</summary>
    public string? LsmProfile { get; init; }

    /// <summary>SELinux context of file systems instead of those in the images, or null.</summary>
    public string? LsmMountContext { get; init; }
}
