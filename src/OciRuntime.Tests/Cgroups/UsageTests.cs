using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cgroups;

/// <summary>What `top` reads of the kernel of this machine.</summary>
public sealed class UsageTests : CgroupFixture
{
    private const uint LOOP_CTL_REMOVE = 0x4C81;

    /// <summary>A page has room for some fifty of them.</summary>
    [Test]
    public void Every_block_device_counts()
    {
        const int Devices = 60, Size = 64 << 10;
        Requires.PathExists("/dev/loop-control", "loop devices");
        string image = TestRun.NewPath("image");
        System.IO.File.WriteAllBytes(image, new byte[Size]);
        string[] before = Directory.GetDirectories("/sys/block");
        List<Fd> loops = [];
        List<string> paths = [];
        try
        {
            CgroupPlan plan = PlanOn("blkio");
            using OpenCgroups entry = Cgroup.Create(plan);
            for (int i = 0; i < Devices; i++)
            {
                loops.Add(LoopDevices.Attach(image, readOnly: true, direct: false, out string path));
                paths.Add(path);
                // Linux counts on those devices only that have had a limit.
                System.IO.File.WriteAllText($"{plan.Paths[0]}/blkio.throttle.read_bps_device", $"7:{Number(path)} 1000000000");
            }
            Process reader = Start("sh", ["-c", "read go; cat \"$@\" >/dev/null", "sh", .. paths]);
            entry.EnterByPid(reader.Id);
            reader.StandardInput.WriteLine();
            reader.WaitForExit();
            File("blkio", "blkio.throttle.io_service_bytes_recursive").Length.Should().BeGreaterThan(Environment.SystemPageSize);
            CgroupUsage.Of(Host, plan.Paths).Read.Should().Be(Devices * Size);
        }
        finally
        {
            loops.ForEach(static loop => loop.Dispose());
            using Fd control = Fd.Open("/dev/loop-control", Files.O_RDWR, "open /dev/loop-control");
            foreach (string path in paths.Where(path => !before.Contains($"/sys/block/{Path.GetFileName(path)}")))
            {
                // Whoever looks at new devices has it open for a moment.
                Eventually.Becomes(() => Files.Ioctl(control.Number, LOOP_CTL_REMOVE, Number(path)) >= 0,
                    TimeSpan.FromSeconds(2));
            }
            System.IO.File.Delete(image);
        }
    }

    private static int Number(string path) => int.Parse(path["/dev/loop".Length..]);
}
