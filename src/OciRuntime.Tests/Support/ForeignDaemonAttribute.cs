using NUnit.Framework;

namespace OciRuntime.Tests;

/// <summary>
/// Marks fixtures whose tests race a program that is not ours and goes on by itself: dockerd, containerd and its shims, podman with conmon,
/// systemd in a virtual machine. `build.sh test` gives what fails there one more try, in the open, where few fail (CONTRIBUTING.md).
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ForeignDaemonAttribute : CategoryAttribute;
