using System.Diagnostics;
using System.Globalization;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// Somebody changes the directories that are mounted while they are mounted: a volume that a second container shares. A run may fail, none
/// may escape, and some must succeed or the race was none. OCIRUN_RACE_RUNS asks for more than the short form, OCIRUN_RACE_SECONDS for an
/// end before that.
/// </summary>
public sealed class RaceTests
{
    private static readonly int Runs = Setting("OCIRUN_RACE_RUNS", 200);
    private static readonly TimeSpan Budget =
        TimeSpan.FromSeconds(Setting("OCIRUN_RACE_SECONDS", Environment.GetEnvironmentVariable("OCIRUN_RACE_RUNS") is null ? 20 : 3600));

    private const int Looks = 6, DelayMilliseconds = 2;

    // Fewer prove little. One that is traced takes several times as long, and counts for as many.
    private const int FewestRuns = 50, RunsForATracedOne = 10;

    /// <summary>CVE-2021-30465, CVE-2024-45310: a destination becomes a link to the host between look-up and mount.</summary>
    [Test, CancelAfter(3_600_000)]
    public void Destination_is_swapped_for_a_link([Values("absolute", "relative")] string kind)
    {
        using Canary canary = new();
        using Volume shared = new();
        string volume = shared.Directory;
        string directory = Path.Combine(volume, "x"), link = Path.Combine(volume, "x.sym");
        string target = kind == "absolute" ? canary.Directory
            : string.Concat(Enumerable.Repeat("../", 20)) + canary.Directory.TrimStart('/');
        using TestBundle bundle = new TestBundle().Script("cat /vol/keep /vol/x/keep /vol/x.sym/keep 2>/dev/null; true");
        bundle.AddMount("/vol", null, volume, "rbind", "rw").AddMount("/vol/x/y/z", "tmpfs", "tmpfs", "ro");
        for (int i = 0; i < 5; i++) bundle.AddMount($"/vol/x/d{i}/e", null, "/etc", "rbind", "ro");
        Race(bundle, directory, link, () => File.CreateSymbolicLink(link, target), result =>
        {
            result.Stdout.Should().NotContain("canary");
            canary.Changes().Should().BeEmpty("the canary is the host's");
        });
        canary.ShouldBeUntouched(kind);
    }

    /// <summary>GHSA-3q8j-pf29-vwv8: what is made read-only or masked must be what was found, not what is there a moment later.</summary>
    [Test, CancelAfter(3_600_000)]
    public void Read_only_path_is_swapped_for_another()
    {
        using Volume shared = new();
        string volume = shared.Directory;
        string first = Path.Combine(volume, "p"), second = Path.Combine(volume, "q");
        foreach (string directory in (string[])[first, second])
        {
            Directory.CreateDirectory(Path.Combine(directory, "x"));
            File.WriteAllText(Path.Combine(directory, "m"), "secret");
        }
        // The mounts stay where they were attached, so each is looked for under both names; and more than once, as what is mounted where is
        // told by names that are swapped between the one and the other.
        using TestBundle bundle =
            new TestBundle().Script($"for i in $(seq {Looks}); do grep ' /mnt/' /proc/self/mountinfo; done");
        bundle.AddMount("/mnt", null, volume, "rbind", "rw");
        bundle.Linux["readonlyPaths"] = TestBundle.Strings("/mnt/p/x");
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/mnt/p/m");
        Race(bundle, first, second, () => { }, result =>
        {
            if (!result.Succeeded) return;
            MountInfo[] mounts = [.. result.Lines.Select(MountInfo.Parse)];
            mounts.Should().HaveCount(2 * Looks, "{0}", result);
            MountInfo[] readOnly = [.. mounts.Where(mount => mount.MountPoint.EndsWith("/x", StringComparison.Ordinal))];
            readOnly.Should().HaveCount(Looks).And.OnlyContain(mount => mount.Options.Contains("ro"), "{0}", result);
            // Bound onto itself: the directory that is shown is the one that is covered.
            readOnly.Should().Contain(mount => NameAbove(mount.Root) == NameAbove(mount.MountPoint), "{0}", result);
            mounts.Where(mount => mount.MountPoint.EndsWith("/m", StringComparison.Ordinal)).Should().HaveCount(Looks).And
                .OnlyContain(mount => mount.Root.EndsWith("/null", StringComparison.Ordinal));
        });
    }

    /// <summary>
    /// CVE-2025-31133: the null device of a shared /dev is swapped for a link to a (namespaced) sysctl while files are masked with it.
    /// </summary>
    [Test, CancelAfter(3_600_000)]
    public void Null_device_is_swapped_for_a_link()
    {
        using Volume shared = new();
        string volume = shared.Directory;
        string node = Path.Combine(volume, "null"), link = Path.Combine(volume, "null.sym");
        Libc.Check(Syscall.mknod(node, FilePermissions.S_IFCHR | FilePermissions.DEFFILEMODE, 0x103), "mknod");
        string[] masked = ["/proc/keys", "/proc/timer_list", "/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/vmstat",
            "/proc/stat", "/proc/uptime", "/proc/modules", "/proc/swaps"];
        string[] present = [.. masked.Where(File.Exists)];
        using TestBundle bundle = new TestBundle().Script($"stat -c %t:%T {string.Join(' ', present)}; cat /proc/sys/kernel/hostname");
        bundle.RemoveMount("/dev/pts").RemoveMount("/dev/shm").RemoveMount("/dev/mqueue").RemoveMount("/dev")
            .AddMount("/dev", null, volume, "rbind", "rw");
        bundle.Linux["maskedPaths"] = TestBundle.Strings(present);
        Race(bundle, node, link, () => File.CreateSymbolicLink(link, "/proc/sys/kernel/hostname"), result =>
        {
            if (result.Succeeded) result.Lines.Should().Equal([.. present.Select(_ => "1:3"), "ocirun"]);
        });
    }

    /// <summary>
    /// tmpcopyup: a directory that is copied becomes a link to the host, or a file a named pipe, whose opening would wait for ever.
    /// </summary>
    [Test, CancelAfter(3_600_000)]
    public void Copied_directory_is_swapped([Values("link", "pipe")] string kind)
    {
        using Canary canary = new();
        using Volume shared = new();
        string volume = shared.Directory;
        string first = Path.Combine(volume, "x"), second = Path.Combine(volume, "y");
        if (kind == "pipe") File.WriteAllText(first, "data\n");
        using TestBundle bundle = new TestBundle().Script("find /vol -type f -exec cat {} +");
        bundle.AddMount("/vol", null, volume, "rbind").AddMount("/vol", "tmpfs", "tmpfs", "tmpcopyup");
        Race(bundle, first, second, () =>
        {
            if (kind == "pipe") Command.Run("mkfifo", second).ShouldSucceed();
            else File.CreateSymbolicLink(second, canary.Directory);
        }, result => result.Stdout.Should().NotContain("canary"));
        canary.ShouldBeUntouched(kind);
    }

    /// <summary>
    /// The same while the runtime waits before each of its calls of a kind: there is time to swap between what finds something and what
    /// mounts it.
    /// </summary>
    [TestCase("move_mount", "destination")]
    [TestCase("open_tree", "read-only path")]
    [TestCase("move_mount", "read-only path")]
    [TestCase("move_mount", "null device")]
    [TestCase("openat", "copied directory")]
    [CancelAfter(3_600_000)]
    public void Nor_is_a_race_won_with_more_time_for_it(string call, string race)
    {
        Requires.OcirunItself();
        Ocirun.Instead(Meddler.Delaying(call, DelayMilliseconds), race switch
        {
            "destination" => () => Destination_is_swapped_for_a_link("absolute"),
            "read-only path" => Read_only_path_is_swapped_for_another,
            "null device" => Null_device_is_swapped_for_a_link,
            _ => () => Copied_directory_is_swapped("link"),
        });
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value
        : otherwise;

    private static string? NameAbove(string path) => Path.GetFileName(Path.GetDirectoryName(path));

    private static void Race(TestBundle bundle, string first, string second, Action prepare, Action<CommandResult> check)
    {
        if (!File.Exists(first) && !Directory.Exists(first)) Directory.CreateDirectory(first);
        prepare();
        string hostMounts = string.Join('\n', MountInfo.Of().Select(mount => mount.MountPoint));
        int succeeded = 0, failed = 0;
        CommandResult? last = null;
        long started = Stopwatch.GetTimestamp();
        // One id for all: each run has to clear up for the next.
        using TestContainer container = new(bundle);
        using (Swapper swapper = new(first, second))
        {
            int share = Ocirun.Binary.Launcher.Count > 0 ? RunsForATracedOne : 1, runs = Math.Max(Runs / share, 1);
            for (int i = 0; i < runs && Stopwatch.GetElapsedTime(started) < Budget; i++)
            {
                CommandResult result = container.Run();
                last = result;
                check(result);
                _ = result.Succeeded ? succeeded++ : failed++;
            }
            int done = succeeded + failed;
            TestContext.Out.WriteLine($"{done} of {runs} rounds: {succeeded} succeeded, {failed} failed, {swapper.Count} swaps");
            done.Should().BeGreaterThanOrEqualTo(Math.Min(runs, FewestRuns / share),
                "this machine is too slow, or has too much else to do, for a race to show anything in {0} s", Budget.TotalSeconds);
            swapper.Count.Should().BeGreaterThan(succeeded + failed, "or nothing was swapped in time");
        }
        string.Join('\n', MountInfo.Of().Select(mount => mount.MountPoint)).Should().Be(hostMounts);
        succeeded.Should().BePositive("some must get through: {0}", last);
    }

    /// <summary>A directory that the container shares with somebody; also gone when a race was lost.</summary>
    private sealed class Volume : IDisposable
    {
        internal string Directory { get; } = TestRun.NewDirectory("volume");

        public void Dispose() => Cleaner.DeleteTree(Directory);
    }

    /// <summary>Exchanges two names as fast as one CPU can.</summary>
    private sealed unsafe class Swapper : IDisposable
    {
        private readonly Thread _thread;
        private volatile bool _stop;
        private long _count;

        internal Swapper(string first, string second)
        {
            byte[] a = System.Text.Encoding.UTF8.GetBytes(first + "\0"), b = System.Text.Encoding.UTF8.GetBytes(second + "\0");
            _thread = new Thread(() =>
            {
                Posix.Pin(0);
                fixed (byte* one = a, two = b)
                {
                    while (!_stop)
                    {
                        _ = Posix.Exchange(one, two);
                        Interlocked.Increment(ref _count);
                    }
                    // Back to where it began, for the next who looks.
                    if ((_count & 1) == 1) _ = Posix.Exchange(one, two);
                }
            })
            { IsBackground = true };
            _thread.Start();
        }

        internal long Count => Interlocked.Read(ref _count);

        public void Dispose()
        {
            _stop = true;
            _thread.Join();
        }
    }
}
