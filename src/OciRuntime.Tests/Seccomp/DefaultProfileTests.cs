using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>
/// The profile that nearly every container has: Podman's own file, and the same in the shapes that Docker and containerd give it.
/// </summary>
public sealed class DefaultProfileTests
{
    private const string PodmanProfile = "/usr/share/containers/seccomp.json";
    private static readonly string[] DefaultCapabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
        "CAP_SETUID"];

    /// <summary>Profiles that are tested, by name.</summary>
    private static IEnumerable<TestCaseData> Profiles()
    {
        yield return new TestCaseData("podman").SetName("Podman's default profile");
        yield return new TestCaseData("docker").SetName("Docker's default profile");
        yield return new TestCaseData("containerd").SetName("containerd's default profile");
    }

    [TestCaseSource(nameof(Profiles))]
    public void Programs_return_what_libseccomps_return(string client)
    {
        LinuxSeccomp profile = Load(client);
        SockFilter[] ours = SeccompCompiler.Compile(profile, SeccompArch.X64).Instructions;
        SockFilter[] theirs = LibSeccomp.Compile(profile, SeccompArch.X64, out _)!;
        int differences = DifferentialTests.CountDifferences(profile, SeccompArch.X64, ours, theirs);
        TestContext.Out.WriteLine(
            $"{client}: {ours.Length} instructions, libseccomp {theirs.Length} (with its binary tree, without the ENOSYS rule)");
        differences.Should().Be(0);
        ours.Length.Should().BeLessThan(theirs.Length);
    }

    [Test]
    public void Compilation_is_fast()
    {
        LinuxSeccomp profile = Load("docker");
        double ours = Best(() => SeccompCompiler.Compile(profile, SeccompArch.X64)),
            theirs = Best(() => LibSeccomp.Compile(profile, SeccompArch.X64, out _));
        TestContext.Out.WriteLine($"Docker's default profile: {ours:0} us, libseccomp {theirs:0} us");
        // Debug builds and busy machines are several times slower than the 200 us that the published program is held to (docs/seccomp.md).
        ours.Should().BeLessThan(2000);
        ours.Should().BeLessThan(theirs / 5);
    }

    private static double Best(Action action)
    {
        double best = double.MaxValue;
        for (int i = 0; i < 60; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        return best;
    }

    internal static LinuxSeccomp Load(string client) => Parse(Shape(client));

    /// <summary>
    /// linux.seccomp as the client writes it into config.json. Docker and containerd have the same list of calls compiled into them (all
    /// three descend from Docker's), so theirs are made from Podman's file: Docker puts one name into each rule and the architectures of
    /// the machine, containerd has one rule for all names without conditions and lists x86_64 with its two siblings.
    /// </summary>
    internal static JsonObject Shape(string client)
    {
        JsonObject file = JsonNode.Parse(File.ReadAllText(PodmanProfile))!.AsObject();
        JsonArray rules = [];
        List<string> unconditional = [];
        foreach (JsonNode? node in file["syscalls"]!.AsArray())
        {
            JsonObject rule = node!.AsObject();
            if (!Applies(rule)) continue;
            string[] names = [.. rule["names"]!.AsArray().Select(static n => n!.GetValue<string>())];
            bool plain = rule["action"]!.GetValue<string>() == "SCMP_ACT_ALLOW" && rule["args"] is null or JsonArray { Count: 0 };
            if (client == "containerd" && plain)
            {
                unconditional.AddRange(names);
            }
            else
            {
                foreach (string[] group in client == "docker" ? names.Select(static n => new[] { n }) : [names])
                    rules.Add(Rule(rule, group));
            }
        }
        if (client == "docker") RestrictClone(rules);
        if (unconditional.Count > 0)
            rules.Insert(0, new JsonObject { ["names"] = TestBundle.Strings([.. unconditional]), ["action"] = "SCMP_ACT_ALLOW" });
        return new JsonObject
        {
            ["defaultAction"] = file["defaultAction"]!.DeepClone(),
            ["defaultErrnoRet"] = client == "podman" ? file["defaultErrnoRet"]?.DeepClone() : null,
            ["architectures"] = TestBundle.Strings("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
            ["syscalls"] = rules,
        };
    }

    /// <summary>
    /// Docker lets nobody make namespaces with clone or unshare, and answers clone3, whose flags are out of a filter's reach, with ENOSYS.
    /// </summary>
    private static void RestrictClone(JsonArray rules)
    {
        foreach (JsonNode? rule in rules.Where(static r => r!["names"]![0]!.GetValue<string>() is "clone" or "clone3" or "unshare")
            .ToArray())
        {
            rules.Remove(rule);
        }
        rules.Add(JsonNode.Parse(
            """{ "names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ" }] }"""));
        rules.Add(JsonNode.Parse("""{ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }"""));
    }

    private static bool Applies(JsonObject rule)
    {
        string[] Words(string section, string list) =>
            [.. (rule[section]?[list] as JsonArray ?? []).Select(static n => n!.GetValue<string>())];
        string[] archs = Words("includes", "arches"), caps = Words("includes", "caps");
        if (archs.Length > 0 && !archs.Contains("amd64")) return false;
        if (caps.Length > 0 && !caps.Any(DefaultCapabilities.Contains)) return false;
        return !Words("excludes", "arches").Contains("amd64") && !Words("excludes", "caps").Any(DefaultCapabilities.Contains);
    }

    private static JsonObject Rule(JsonObject rule, string[] names)
    {
        JsonObject copy = new() { ["names"] = TestBundle.Strings(names), ["action"] = rule["action"]!.DeepClone() };
        if (rule["errnoRet"] is { } errno) copy["errnoRet"] = errno.DeepClone();
        if (rule["args"] is JsonArray { Count: > 0 } args) copy["args"] = args.DeepClone();
        return copy;
    }

    internal static LinuxSeccomp Parse(JsonObject seccomp)
    {
        JsonObject config = DefaultConfig.Create();
        config["linux"]!["seccomp"] = seccomp;
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), problems);
        problems.HasErrors.Should().BeFalse();
        return spec.Linux!.Seccomp!;
    }
}
