using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>A limit for a partition: the kernel says that there is no such device, which is there all the same.</summary>
public sealed class PartitionLimitTests
{
    private TestBundle _bundle = null!;
    private string _loop = "";

    [SetUp]
    public void MakePartition()
    {
        _loop = "";
        Requires.V1Controller("blkio");
        Requires.PathExists("/dev/loop-control", "loop devices");
        _bundle = new TestBundle().WithCgroup();
        string image = Path.Combine(_bundle.Directory, "image");
        using (FileStream file = File.Create(image)) file.SetLength(4 << 20);
        _loop = Command.Run(Requires.Tool("losetup"), "--find", "--show", image).ShouldSucceed().Text.Trim();
        Command.Run(Requires.Tool("addpart"), _loop, "1", "2048", "2048").ShouldSucceed();
    }

    [TearDown]
    public void RemovePartition()
    {
        if (_loop.Length > 0)
        {
            // There is none where it could not be made.
            Command.Run("delpart", _loop, "1");
            Command.Run("losetup", "--detach", _loop).ShouldSucceed();
        }
        _bundle?.Dispose();
    }

    [Test]
    public void Is_refused_as_that_of_a_partition_and_made_for_the_disk()
    {
        string disk = Path.GetFileName(_loop), partition = Number($"{disk}/{disk}p1"), whole = Number(disk);
        Limit(partition);
        using (TestContainer container = new(_bundle.Args("sleep", "100")))
        {
            container.Create().ShouldFail(1, $"/linux/resources/blockIO/throttleReadBpsDevice/0: write ",
                $"= {partition} 4096: no such device (ENODEV): it is a partition, and limits are for whole disks");
        }
        Limit(whole);
        using (TestContainer container = new(_bundle))
        {
            container.Create().ShouldSucceed();
            container.ReadCgroup("blkio", "blkio.throttle.read_bps_device").Should().Contain($"{whole} 4096");
        }
    }

    private static string Number(string device) => File.ReadAllText($"/sys/block/{device}/dev").Trim();

    private void Limit(string number)
    {
        int[] parts = [.. number.Split(':').Select(int.Parse)];
        _bundle.Linux["resources"] = new JsonObject
        {
            ["blockIO"] =
                new JsonObject
                {
                    ["throttleReadBpsDevice"] = new JsonArray(
                        new JsonObject { ["major"] = parts[0], ["minor"] = parts[1], ["rate"] = 4096 })
                },
        };
    }
}
