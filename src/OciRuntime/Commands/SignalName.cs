using System.Globalization;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary>Signals as people and clients write them: 9, KILL (CRI-O), SIGKILL (buildah), sigkill, RTMIN+3.</summary>
internal static class SignalName
{
    // What programs mean by SIGRTMIN: glibc keeps the first two real-time signals to itself (signal(7)).
    private const int RealTimeMin = 34, RealTimeMax = 64;

    /// <summary>The number of a signal; 0 asks whether the process is there.</summary>
    /// <exception cref="OciException">runc's "unknown signal".</exception>
    public static int Parse(string text) => TryParse(text, out int number) ? number : throw new OciException($"unknown signal \"{text}\"", Errno.EINVAL);

    public static bool TryParse(string text, out int number)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)) return number <= RealTimeMax;
        string name = text.ToUpperInvariant();
        if (name.StartsWith("SIG", StringComparison.Ordinal)) name = name[3..];
        number = Number(name);
        return number != 0;
    }

    private static int Number(string name) => name switch
    {
        // The numbers of signal(7) for x86, arm and "most others"; the same on every architecture .NET runs on.
        "HUP" => 1, "INT" => 2, "QUIT" => 3, "ILL" => 4, "TRAP" => 5, "ABRT" or "IOT" => 6, "BUS" => 7, "FPE" => 8, "KILL" => 9,
        "USR1" => 10, "SEGV" => 11, "USR2" => 12, "PIPE" => 13, "ALRM" => 14, "TERM" => 15, "STKFLT" => 16, "CHLD" or "CLD" => 17,
        "CONT" => 18, "STOP" => 19, "TSTP" => 20, "TTIN" => 21, "TTOU" => 22, "URG" => 23, "XCPU" => 24, "XFSZ" => 25, "VTALRM" => 26,
        "PROF" => 27, "WINCH" => 28, "IO" or "POLL" => 29, "PWR" => 30, "SYS" or "UNUSED" => 31,
        "RTMIN" => RealTimeMin, "RTMAX" => RealTimeMax,
        _ when name.StartsWith("RTMIN+", StringComparison.Ordinal) => RealTime(RealTimeMin, name.AsSpan(6), 1),
        _ when name.StartsWith("RTMAX-", StringComparison.Ordinal) => RealTime(RealTimeMax, name.AsSpan(6), -1),
        _ => 0,
    };

    private static int RealTime(int start, ReadOnlySpan<char> offset, int sign) =>
        int.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= RealTimeMax - RealTimeMin ? start + sign * n : 0;
}
