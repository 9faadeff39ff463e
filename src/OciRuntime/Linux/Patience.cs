namespace OciRuntime.Linux;

/// <summary>
/// How long somebody else is waited for who may never answer, a listener whose queue is full, a reader that does not read, and what ends
/// the waiting before: such a one cannot be polled for, so he is asked again and again, at first very soon.
/// </summary>
/// <param name="milliseconds">All in all.</param>
/// <param name="pause">Sleeps for so many milliseconds; throws to give up.</param>
internal readonly struct Patience(int milliseconds, Action<int> pause)
{
    /// <summary>What a peer gets that has nothing to do but to take a connection or a few bytes.</summary>
    public const int PeerMilliseconds = 10_000;

    private const int LongestPause = 20;

    private readonly long _deadline = Environment.TickCount64 + milliseconds;

    /// <summary>For where no signal has to be looked for.</summary>
    public static Patience Of(int milliseconds) => new(milliseconds, Processes.Sleep);

    /// <summary>Makes a call until it answers something other than EAGAIN, or the time is over: -ETIMEDOUT.</summary>
    public long Retry(Func<long> call)
    {
        for (int next = 1; ; next = Math.Min(2 * next, LongestPause))
        {
            long result = call();
            if (result != -Errno.EAGAIN) return result;
            if (Environment.TickCount64 >= _deadline) return -Errno.ETIMEDOUT;
            pause(next);
        }
    }
}
