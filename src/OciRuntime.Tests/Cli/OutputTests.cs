using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

public sealed class OutputTests
{
    [Test]
    public void Writes_everything_through_a_full_non_blocking_pipe()
    {
        int[] pipe = NewPipe();
        Ok.Call(Syscall.fcntl(pipe[1], FcntlCommand.F_SETFL, (int)OpenFlags.O_NONBLOCK));
        byte[] data = new byte[1 << 20];
        new Random(1).NextBytes(data);
        Task<byte[]> reader = OwnThread.Run(() => ReadToEnd(pipe[0]));

        Output.WriteAll(pipe[1], data).Should().Be(0);
        Ok.Call(Syscall.close(pipe[1]));

        reader.Result.Should().Equal(data);
    }

    [Test]
    public void A_closed_reader_is_reported()
    {
        int[] pipe = NewPipe();
        Ok.Call(Syscall.close(pipe[0]));
        Output.WriteAll(pipe[1], "x"u8).Should().Be((int)Errno.EPIPE);
        Ok.Call(Syscall.close(pipe[1]));
    }

    [Test]
    public void Nothing_to_write_is_no_error() => Output.WriteAll(-1, []).Should().Be(0);

    private static int[] NewPipe()
    {
        int[] pipe = new int[2];
        Ok.Call(Syscall.pipe(pipe));
        return pipe;
    }

    private static unsafe byte[] ReadToEnd(int fd)
    {
        using MemoryStream all = new();
        byte[] buffer = new byte[8192];
        fixed (byte* p = buffer)
        {
            long n;
            while ((n = Syscall.read(fd, p, (ulong)buffer.Length)) > 0) all.Write(buffer, 0, (int)n);
        }

        Ok.Call(Syscall.close(fd));
        return all.ToArray();
    }
}
