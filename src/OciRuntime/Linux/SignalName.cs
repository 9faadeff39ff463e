using System.Globalization;
using Signum = Mono.Unix.Native.Signum;

namespace OciRuntime.Linux;

/// <summary>Signals as people and clients write them: 9, KILL (CRI-O), SIGKILL (buildah), sigkill, RTMIN+3.</summary>
internal static class SignalName
{
    // What programs mean by SIGRTMIN: glibc keeps the first two real-time signals to itself (signal(7)).
    private const int RealTimeMin = 34, RealTimeMax = 64;

    /// <summary>The number of a signal; 0 asks whether the process is there.</summary>
    /// <exception cref="OciException">runc's "unknown signal".</exception>
    public static int Parse(string text) =>
        TryParse(text, out int number) ? number : throw new OciException($"unknown signal \"{text}\"", Errno.EINVAL);

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
        // What clients send. The others are looked up by reflection, which takes more than the rest of the command.
        "TERM" => Processes.SIGTERM,
        "KILL" => Processes.SIGKILL,
        "RTMIN" => RealTimeMin,
        "RTMAX" => RealTimeMax,
        _ when name.StartsWith("RTMIN+", StringComparison.Ordinal) => RealTime(RealTimeMin, name.AsSpan(6), 1),
        _ when name.StartsWith("RTMAX-", StringComparison.Ordinal) => RealTime(RealTimeMax, name.AsSpan(6), -1),
        // Letters and digits alone: Enum.TryParse would also take a list, and blanks.
        _ => name.All(char.IsAsciiLetterOrDigit) && Enum.TryParse($"SIG{name}", out Signum signal) ? (int)signal : 0,
    };

    private static int RealTime(int start, ReadOnlySpan<char> offset, int sign) =>
        int.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= RealTimeMax - RealTimeMin
        ? start + sign * n : 0;
}
