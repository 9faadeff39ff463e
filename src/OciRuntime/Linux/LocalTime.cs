using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>
/// The wall clock of the host's time zone (localtime(3)). .NET's own time zones are 200 KB of code for one line of a log.
/// </summary>
internal static unsafe class LocalTime
{
    /// <summary>struct tm of glibc.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct BrokenDown
    {
        public int Second, Minute, Hour, Day, Month, Year, WeekDay, YearDay, Daylight;
        public nint Offset;
        public byte* Zone;
    }

    [DllImport("libc", EntryPoint = "localtime_r")]
    private static extern BrokenDown* Convert(nint* seconds, BrokenDown* result);

    /// <summary>A point in time as a clock on the host's wall shows it, to the second; UTC when that is beyond the C library.</summary>
    public static DateTime Of(DateTime utc)
    {
        nint seconds = (nint)((utc.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond);
        BrokenDown t;
        if (Convert(&seconds, &t) is null) return utc;
        // A leap second has number 60, which DateTime does not know.
        return new DateTime(t.Year + 1900, t.Month + 1, t.Day, t.Hour, t.Minute, Math.Min(t.Second, 59));
    }
}
