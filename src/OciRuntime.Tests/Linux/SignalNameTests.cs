using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Linux;

public sealed class SignalNameTests
{
    [TestCase("9", 9)]
    [TestCase("KILL", 9)]
    [TestCase("SIGKILL", 9)]
    [TestCase("sigkill", 9)]
    [TestCase("term", 15)]
    [TestCase("0", 0)]
    [TestCase("64", 64)]
    [TestCase("RTMIN", 34)]
    [TestCase("SIGRTMIN+3", 37)]
    [TestCase("rtmin+30", 64)]
    [TestCase("RTMAX-1", 63)]
    [TestCase("SIGCHLD", 17)]
    [TestCase("WINCH", 28)]
    [TestCase("SYS", 31)]
    [TestCase("UNUSED", 31)]
    [TestCase("IOT", 6)]
    [TestCase("cld", 17)]
    [TestCase("SIGPOLL", 29)]
    public void Understands(string text, int number) => SignalName.Parse(text).Should().Be(number);

    [TestCase("")]
    [TestCase("SIG")]
    [TestCase("BLA")]
    [TestCase("-9")]
    [TestCase("65")]
    [TestCase("9x")]
    [TestCase(" 9")]
    [TestCase("SIGSIGKILL")]
    [TestCase("RTMIN+31")]
    [TestCase("RTMIN-1")]
    [TestCase("RTMIN+")]
    [TestCase("RTMAX-31")]
    [TestCase("KILL,SIGTERM")]
    [TestCase("KILL ")]
    [TestCase("SIG9")]
    public void Refuses(string text) =>
        FluentActions.Invoking(() => SignalName.Parse(text)).Should().Throw<OciException>().WithMessage($"unknown signal \"{text}\"");
}
