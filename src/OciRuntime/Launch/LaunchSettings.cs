using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>What the command line says about a launch, apart from the bundle's config.json.</summary>
internal sealed class LaunchSettings
{
    /// <summary>"create" or "run", for messages and for others who wait for the lock.</summary>
    public required string Verb { get; init; }
    public required string Id { get; init; }
    public string? Bundle { get; init; }
    public string Config { get; init; } = "config.json";
    public string? ConsoleSocket { get; init; }
    public string? PidfdSocket { get; init; }
    public string? PidFile { get; init; }
    public bool NoPivot { get; init; }
    public bool NoNewKeyring { get; init; }

    /// <summary>Descriptors from 3 (after LISTEN_FDS ones) that the container keeps.</summary>
    public int PreserveFds { get; init; }

    /// <summary>create: the container waits for `start`. Otherwise its program runs when the launch returns.</summary>
    public bool WaitForStart { get; init; }

    /// <summary>Nobody stays in the foreground.</summary>
    public bool Detached { get; init; }

    /// <summary>The caller stays, and takes the terminal's master itself, though the container waits.</summary>
    public bool KeepsTerminal { get; init; }

    /// <summary>The terminal's master goes to this process.</summary>
    public bool TakesTerminal => ConsoleSocket is null && (KeepsTerminal || !WaitForStart);

    /// <summary>Nothing will be launched: what the command line lacks is told, not refused.</summary>
    public bool OnlyExplain { get; init; }

    /// <summary>The journal of a container that exists: how it was made is looked up, and nothing is launched.</summary>
    public ContainerState? Recorded { get; init; }

    /// <summary>run --keep.</summary>
    public bool Keep { get; init; }

    /// <summary>cgroupfs or systemd, or disabled.</summary>
    public bool UseCgroups { get; init; } = true;

    /// <summary>systemd makes the cgroups.</summary>
    public bool Systemd { get; init; }

    /// <summary>
    /// Missing rights over cgroups are forgiven when no limit was asked for; null: if it is to be expected that they are missing.
    /// </summary>
    public bool? RootlessCgroups { get; init; }
}
