using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>google.protobuf.Timestamp.</summary>
/// <param name="Seconds">Since 1970.</param>
/// <param name="Nanoseconds">And these.</param>
internal readonly record struct Instant(long Seconds, int Nanoseconds)
{
    /// <summary>Go's zero time, which says that it has not come yet; a field that is left out would be 1970.</summary>
    public static Instant Never => new(-62135596800, 0);

    public static Instant Now()
    {
        long ticks = DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks;
        return new(ticks / TimeSpan.TicksPerSecond, (int)(ticks % TimeSpan.TicksPerSecond) * 100);
    }

    public ProtobufWriter Write() => new ProtobufWriter().Number(1, Seconds).Number(2, Nanoseconds);
}
