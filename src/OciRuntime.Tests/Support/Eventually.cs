using NUnit.Framework;

namespace OciRuntime.Tests.Support;

/// <summary>Waiting for something that happens soon, but not at once.</summary>
public static class Eventually
{
    /// <summary>Fails the test when the condition does not come true in time.</summary>
    public static void True(Func<bool> condition, string because, TimeSpan? timeout = null)
    {
        if (!Becomes(condition, timeout))
            Assert.Fail($"waited {(timeout ?? CommandOptions.DefaultTimeout).TotalSeconds} s in vain: {because}");
    }

    /// <summary>Like <see cref="True"/>, but says whether it came true.</summary>
    public static bool Becomes(Func<bool> condition, TimeSpan? timeout = null)
    {
        long end = Environment.TickCount64 + (long)(timeout ?? CommandOptions.DefaultTimeout).TotalMilliseconds;
        while (!condition())
        {
            if (Environment.TickCount64 >= end) return false;
            Thread.Sleep(5);
        }
        return true;
    }
}
