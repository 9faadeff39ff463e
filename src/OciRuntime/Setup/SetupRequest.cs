namespace OciRuntime.Setup;

/// <summary>What an engine is to be told.</summary>
/// <param name="Name">The runtime's name in the engine.</param>
/// <param name="Binary">Absolute path of the runtime.</param>
/// <param name="Default">Whether containers that ask for no runtime get this one.</param>
/// <param name="SystemdCgroup">Whether containerd shall ask for systemd's cgroup driver.</param>
/// <param name="Shim">The same program as containerd's shim, if the engine shall run that.</param>
internal sealed record SetupRequest(string Name, string Binary, bool Default, bool SystemdCgroup, string? Shim = null);
