using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Init;

public sealed unsafe class ProtectionStepsTests
{
    [Test]
    public void No_more_is_noted_than_there_is_room_for()
    {
        ulong* room = stackalloc ulong[2];
        InitPlan plan = new() { ProtectiveMounts = new(room, 1) };
        InitState state = new(&plan);
        using Fd first = Open(), second = Open();
        ProtectionSteps.Note(ref state, first.Number).Should().Be(first.Number);
        ProtectionSteps.Note(ref state, second.Release()).Should().Be(-Errno.EOVERFLOW);
        (room[0], room[1]).Should().Be((Files.Stat(first.Number, out Statx stat) < 0 ? 0 : stat.MountId, 0));
    }

    private static Fd Open() => Fd.Open("/", Files.O_PATH, "/");
}
