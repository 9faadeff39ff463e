namespace OciRuntime.Setup;

/// <summary>What an engine is to be told.</summary>
/// <param name="Name">The runtime's name in the engine.</param>
/// <param name="Binary">Absolute path of the program.</param>
/// <param name="Default">Whether containers that ask for no runtime get this one.</param>
/// <param name="SystemdCgroup">Whether containerd shall ask for systemd's cgroup driver.</param>
internal sealed record SetupRequest(string Name, string Binary, bool Default, bool SystemdCgroup);
