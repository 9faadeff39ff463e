namespace OciRuntime.Tests.Vm;

/// <summary>
/// What depends on systemd's version, on each test run with that of Debian 12, too; by hand all of <see cref="SystemdTests"/> can be.
/// </summary>
public sealed class Systemd252Tests() : SystemdLimitTests("bookworm");
