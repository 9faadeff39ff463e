using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Shim;

/// <summary>Each test has a shim of its own, which is asked as containerd asks it.</summary>
public abstract class ShimFixture
{
    /// <summary>google.rpc.Code.</summary>
    protected const int Unknown = 2, InvalidArgument = 3, DeadlineExceeded = 4, NotFound = 5, AlreadyExists = 6, FailedPrecondition = 9,
        Unimplemented = 12;

    /// <summary>containerd.v1.types.Status.</summary>
    protected const int Created = 1, Running = 2, Stopped = 3, Paused = 4;

    private protected ShimUnderTest Shim { get; private set; } = null!;

    [SetUp]
    public void BeginShim() => Shim = Start();

    [TearDown]
    public void EndShim() => Shim.Dispose();

    private protected virtual ShimUnderTest Start() => new();

    private protected static CallRefused Refusal(Action act) => act.Should().Throw<CallRefused>().Which;
}
