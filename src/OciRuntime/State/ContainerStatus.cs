namespace OciRuntime.State;

/// <summary>What a container is doing, as the runtime specification names it, and paused.</summary>
internal enum ContainerStatus
{
    /// <summary><c>create</c> is at work on it.</summary>
    Creating,

    /// <summary>Ready, its program not yet started.</summary>
    Created,
    Running,

    /// <summary>Frozen.</summary>
    Paused,

    /// <summary>Its first process has ended, or never came to life.</summary>
    Stopped,
}

internal static class ContainerStatusNames
{
    /// <summary>The word clients know.</summary>
    public static string Name(this ContainerStatus status) => status switch
    {
        ContainerStatus.Creating => "creating",
        ContainerStatus.Created => "created",
        ContainerStatus.Running => "running",
        ContainerStatus.Paused => "paused",
        _ => "stopped",
    };
}
