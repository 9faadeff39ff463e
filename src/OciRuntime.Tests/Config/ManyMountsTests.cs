using System.Globalization;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Thousands of mounts work with the usual 1,024 descriptors and cost in proportion; other runtimes keep a descriptor for each, or compare
/// each with each.
/// </summary>
public sealed class ManyMountsTests
{
    [MeasuresTime]
    [TestCase("bind")]
    [TestCase("tmpfs")]
    [TestCase("masked")]
    public void Four_times_as_many_cost_about_four_times_as_much(string kind)
    {
        double ratio = 16;
        // What else the machine does can make one of them dearer, but not again and again.
        for (int attempt = 0; attempt < 3 && ratio >= 10; attempt++)
        {
            TimeSpan few = ProcessorTime(kind, 1000), many = ProcessorTime(kind, 4000);
            TestContext.Out.WriteLine($"{kind}: 1000 for {few.TotalMilliseconds:F0} ms, 4000 for {many.TotalMilliseconds:F0} ms");
            ratio = many / few;
        }
        ratio.Should().BeLessThan(10, "16 would be quadratic");
    }

    // Of the runtime and the container together, the kernel's for them included: what else runs does not count.
    private static TimeSpan ProcessorTime(string kind, int count)
    {
        using TestBundle bundle = Bundle(kind, count);
        RuntimeBinary timed = Ocirun.Binary with { Launcher = ["bash", "-c", "TIMEFORMAT='%U %S'; time \"$@\"", "time"] };
        using TestContainer container = new(bundle, timed);
        CommandResult result = container.Run().ShouldSucceed();
        result.Lines.Should().Equal(count.ToString(CultureInfo.InvariantCulture));
        return TimeSpan.FromSeconds(result.Stderr.Trim().Split(' ').Sum(seconds => double.Parse(seconds, CultureInfo.InvariantCulture)));
    }

    private static TestBundle Bundle(string kind, int count)
    {
        TestBundle bundle = new();
        bundle.Script("grep -c ' /m/d' /proc/self/mountinfo");
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "source")).FullName;
        string[] paths = [.. Enumerable.Range(0, count).Select(i => $"/m/d{i}")];
        if (kind == "masked")
        {
            foreach (string path in paths) Directory.CreateDirectory(bundle.InRootfs(path));
            bundle.Linux["maskedPaths"] = TestBundle.Strings(paths);
            return bundle;
        }
        bundle.AddMount("/m", "tmpfs", "tmpfs");
        foreach (string path in paths)
        {
            if (kind == "bind") bundle.AddMount(path, "bind", source, "bind", "ro");
            else bundle.AddMount(path, "tmpfs", "tmpfs", "nosuid", "size=4k");
        }
        return bundle;
    }
}
