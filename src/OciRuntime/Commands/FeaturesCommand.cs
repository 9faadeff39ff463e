using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// <c>ocirun features</c>: the features document of the runtime specification. It tells what this build can do, not what this host can;
/// clients refuse configurations by it, so a feature is listed once it works.
/// </summary>
internal static class FeaturesCommand
{
    // runc's name, which crun sets, too: so it means a property of runtimes, and not of runc.
    private const string Checkpoint = "org.opencontainers.runc.checkpoint.enabled";

    public static int Run(GlobalOptions _, FeaturesOptions __)
    {
        Output.Write(Document());
        return ExitCodes.Success;
    }

    internal static ReadOnlySpan<byte> Document()
    {
        ReadOnlySpan<byte> text = JsonLayout.Lay($$"""
        {
          "ociVersionMin": "1.0.0",
          "ociVersionMax": "{{RuntimeSpec.NewestVersion}}",
          "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
          "mountOptions": {{List(MountOptionWords.All)}},
          "linux": {
            "namespaces": {{Sorted(NamespaceNames.All)}},
            "capabilities": {{List(CapabilityNames.All)}},
            "cgroup": { "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": {
              "enabled": true,
              "actions": {{Sorted(SpecWords.SeccompActions)}},
              "operators": {{Sorted(SpecWords.SeccompOperators)}},
              "archs": {{Sorted(Array.FindAll(SpecWords.SeccompArchitectures, SeccompArchs.CanServe))}},
              "knownFlags": {{Sorted(SpecWords.SeccompFlags)}},
              "supportedFlags": {{Sorted(Array.FindAll(SpecWords.SeccompFlags, SeccompWords.KernelKnows))}}
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "memoryPolicy": {
              "modes": {{Sorted(SpecWords.MemoryPolicyModes)}},
              "flags": {{Sorted(SpecWords.MemoryPolicyFlags)}}
            },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true }
          },
          "annotations": { "{{Checkpoint}}": "true" },
          "potentiallyUnsafeConfigAnnotations": {{List(Annotations.Honoured)}}
        }
        """, ContainerState.Compact with { IndentSize = 4 });
        return (byte[])[.. text, (byte)'\n'];
    }

    private static string Sorted(string[] words)
    {
        string[] sorted = [.. words];
        Array.Sort(sorted, StringComparer.Ordinal);
        return List(sorted);
    }

    // None of the words has anything in it that JSON would escape.
    private static string List(string[] words) => words.Length == 0 ? "[]" : $"[\"{string.Join("\", \"", words)}\"]";
}
