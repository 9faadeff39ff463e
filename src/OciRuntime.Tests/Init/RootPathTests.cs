using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Init;

/// <summary>Look-ups while somebody else renames as fast as he can, which the kernel's check of ".." does not get past.</summary>
public sealed unsafe class RootPathTests
{
    private const int StormMilliseconds = 2000, Links = 5;

    private string _root = "";

    // In memory, where a renaming takes no longer than a system call.
    [SetUp]
    public void MakeRoot() => Directory.CreateDirectory(_root = $"/dev/shm/{TestRun.Token}-{TestRun.NextNumber()}");

    [TearDown]
    public void RemoveRoot() => Directory.Delete(_root, recursive: true);

    /// <summary>
    /// Links with as many ".." as they can hold, one behind the other, take so long that hardly any look-up is over before the next
    /// renaming.
    /// </summary>
    [Test]
    public void A_storm_of_renames_is_waited_out()
    {
        string up = string.Concat(Enumerable.Repeat("../", 1300));
        for (int i = 0; i < Links; i++) File.CreateSymbolicLink(Path.Combine(_root, $"link{i}"), i + 1 < Links ? $"{up}link{i + 1}" : up);
        using Fd root = Fd.Open(_root, Files.O_PATH | Files.O_DIRECTORY, "root");
        long end = Environment.TickCount64 + StormMilliseconds;
        Task[] storm = [.. Enumerable.Range(0, 2).Select(one => OwnThread.Run(() => Rename(one, end)))];
        int opened = 0;
        try
        {
            fixed (byte* text = "link0\0"u8)
            {
                while (Environment.TickCount64 < end || opened == 0)
                {
                    long fd = RootPath.Open(root.Number, text, Files.O_PATH);
                    fd.Should().BePositive("it is {0}, {1} have been opened", ErrnoText.Describe((int)-fd), opened);
                    Files.Close((int)fd);
                    opened++;
                }
            }
        }
        finally
        {
            // What it renames cannot be removed.
            Task.WaitAll(storm);
        }
    }

    /// <summary>The buffer is on the child's stack, and the path is somebody else's.</summary>
    [TestCase(Kernel.PathMax - 1, true)]
    [TestCase(Kernel.PathMax, false)]
    [TestCase(3 * Kernel.PathMax, false)]
    public void A_path_of_any_length_stays_inside_its_buffer(int length, bool fits)
    {
        byte[] path = [.. Enumerable.Repeat((byte)'a', length - 2), (byte)'/', (byte)'b', 0], buffer = new byte[4 * Kernel.PathMax];
        fixed (byte* p = path, b = buffer)
        {
            byte* name = RootPath.SplitParent(p, b);
            (name == (fits ? p + length - 1 : null)).Should().BeTrue();
            if (fits) CString.Length(b).Should().Be(length - 2);
        }
        buffer[Kernel.PathMax..].Should().OnlyContain(value => value == 0);
    }

    private void Rename(int one, long end)
    {
        using Fd root = Fd.Open(_root, Files.O_PATH | Files.O_DIRECTORY, "root");
        (string from, string to) = ($"a{one}", $"b{one}");
        File.WriteAllText(Path.Combine(_root, from), "");
        while (Environment.TickCount64 < end)
        {
            OciException.Check(Files.RenameAt(root.Number, from, root.Number, to), "rename");
            (from, to) = (to, from);
        }
    }
}
