using System.Security.Cryptography;
using FluentAssertions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A host directory that stands for what an attacker wants to reach: an attack is aimed at it, never at a live sysctl or device, because a
/// runtime that falls for the attack really writes there.
/// </summary>
internal sealed class Canary : IDisposable
{
    private readonly SortedDictionary<string, string> _before;

    public Canary()
    {
        Directory = TestRun.NewDirectory("canary");
        foreach (string name in (string[])["ptmx", "null", "console", "keep", "passwd"])
            File.WriteAllText(Path.Combine(Directory, name), $"canary {name}\n");
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "inner"));
        _before = Take();
    }

    /// <summary>Its absolute path on the host.</summary>
    public string Directory { get; }

    /// <summary>A path below it.</summary>
    public string this[string name] => Path.Combine(Directory, name);

    /// <summary>What changed, or nothing.</summary>
    public IReadOnlyList<string> Changes()
    {
        SortedDictionary<string, string> now = Take();
        return [.. now.Except(_before).Select(fact => $"+ {fact.Key} {fact.Value}"),
            .. _before.Except(now).Select(fact => $"- {fact.Key} {fact.Value}")];
    }

    /// <summary>Fails the test when the canary was touched, or is mounted on.</summary>
    public void ShouldBeUntouched(string because = "")
    {
        Changes().Should().BeEmpty("nothing outside the container may change {0}", because);
        MountInfo.Of().Select(mount => mount.MountPoint).Should()
            .NotContain(path => path.StartsWith(Directory, StringComparison.Ordinal), because);
    }

    public void Dispose() => Cleaner.DeleteTree(Directory);

    private SortedDictionary<string, string> Take()
    {
        SortedDictionary<string, string> facts = new(StringComparer.Ordinal);
        CommandResult found = Command.Run("find", Directory, "-printf", "%P %y %i %m %U %G %T@ %l\n").ShouldSucceed();
        foreach (string line in found.Lines)
        {
            int blank = line.IndexOf(' ');
            string name = line[..blank];
            string path = Path.Combine(Directory, name);
            string hash = File.Exists(path) && new FileInfo(path).LinkTarget is null
                ? Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path))) : "";
            facts[name] = $"{line[(blank + 1)..]} {hash}";
        }
        return facts;
    }
}
