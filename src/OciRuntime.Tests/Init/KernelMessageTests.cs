using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Init;

/// <summary>
/// What is told of a file system context's words; a socket that keeps messages apart stands in for it, as each file system has its own.
/// </summary>
public sealed unsafe class KernelMessageTests
{
    [TestCase("e tmpfs: Bad value for 'size'\n", "e tmpfs: Bad value for 'size'\n")]
    [TestCase("e xfs: Unknown parameter 'nope'\n", "w xfs: Deprecated parameter 'attr2'\n", "e xfs: Unknown parameter 'nope'\n")]
    [TestCase("e one\n", "i nothing\n", "w something\n", "e one\n", "e two\n")]
    [TestCase("w two\n", "w one\n", "w two\n")]
    [TestCase("")]
    [TestCase("w eight", "w one", "w two", "w three", "w four", "w five", "w six", "w seven", "w eight", "e nine")]
    public void Error_goes_before_warnings_that_are_older(string told, params string[] messages)
    {
        (Fd reader, Fd writer) = Sockets.Pair(Sockets.SOCK_SEQPACKET);
        using (reader)
        {
            using (writer)
            {
                foreach (string message in messages)
                    Files.WriteAll(writer.Number, Encoding.UTF8.GetBytes(message)).Should().Be(message.Length);
            }
            InitState state = new(null) { TextLength = 7 };
            MountSteps.ReadKernelMessage(ref state, reader.Number);
            Encoding.UTF8.GetString(state.Text, state.TextLength).Should().Be(told);
        }
    }
}
