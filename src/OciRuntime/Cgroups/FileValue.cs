using System.Globalization;

namespace OciRuntime.Cgroups;

/// <summary>What a control file is to hold. Text, in the kernel's words, is made of it where it is written or shown.</summary>
internal abstract record FileValue
{
    /// <summary>
    /// What a text says that others have made: a property of linux.resources.unified, or the kernel. As it is where it says nothing that is
    /// known.
    /// </summary>
    public static FileValue Read(string file, string text)
    {
        string value = text.Trim();
        return (file switch
        {
            ControlFile.CpuMax => ReadQuota(value),
            ControlFile.IoWeight or ControlFile.IoBfqWeight => ReadWeight(value),
            ControlFile.CpusetCpus or ControlFile.CpusetMems => null,
            _ => ReadAmount(value),
        }) ?? new Line(value);
    }

    /// <summary>"QUOTA PERIOD", or "QUOTA".</summary>
    private static Quota? ReadQuota(string text)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ulong period = Quota.DefaultPeriod, time = 0;
        bool valid = words.Length is 1 or 2 && (words[0] == Amount.Max || ulong.TryParse(words[0], out time))
            && (words.Length == 1 || ulong.TryParse(words[1], out period));
        return valid ? new Quota(words[0] == Amount.Max ? null : time, period) : null;
    }

    /// <summary>"WEIGHT", "default WEIGHT" or "MAJOR:MINOR WEIGHT".</summary>
    private static FileValue? ReadWeight(string text)
    {
        int blank = text.IndexOf(' ');
        if (!ulong.TryParse(text.AsSpan(blank + 1), out ulong weight)) return null;
        if (blank < 0 || text[..blank] == "default") return new Amount(weight);
        int colon = text.IndexOf(':');
        return colon > 0 && colon < blank && long.TryParse(text.AsSpan(0, colon), NumberStyles.None, null, out long major)
            && long.TryParse(text.AsSpan(colon + 1, blank - colon - 1), NumberStyles.None, null, out long minor)
            ? new DeviceAmount(major, minor, new Amount(weight)) : null;
    }

    /// <summary>As the kernel reads sizes (memparse()).</summary>
    private static Amount? ReadAmount(string text)
    {
        if (text is Amount.Max or Amount.MinusOne) return new Amount(null, text);
        int shift = text.Length == 0 ? 0
            : text[^1] switch { 'K' or 'k' => 10, 'M' or 'm' => 20, 'G' or 'g' => 30, 'T' or 't' => 40, _ => 0 };
        bool valid = ulong.TryParse(shift > 0 ? text[..^1] : text, NumberStyles.None, null, out ulong number)
            && number <= ulong.MaxValue >> shift;
        return valid ? new Amount(number << shift) : null;
    }
}

/// <summary>A number.</summary>
/// <param name="Number">Null for no limit.</param>
/// <param name="NoLimit">How the file has that.</param>
internal sealed record Amount(ulong? Number, string NoLimit = Amount.Max) : FileValue
{
    public const string Max = "max", MinusOne = "-1";

    /// <summary>For a file of v1, with any negative number for no limit.</summary>
    public static Amount OfV1(long number) => new(number < 0 ? null : (ulong)number, MinusOne);

    public override string ToString() => Number?.ToString(CultureInfo.InvariantCulture) ?? NoLimit;
}

/// <summary>The processor time of cpu.max, in microseconds.</summary>
/// <param name="Time">In each period; null for no limit.</param>
/// <param name="Period">How long that is.</param>
internal sealed record Quota(ulong? Time, ulong Period) : FileValue
{
    /// <summary>The kernel's own (default_cfs_period()).</summary>
    public const ulong DefaultPeriod = 100_000;

    public override string ToString() => $"{new Amount(Time)} {Period}";
}

/// <summary>What a block device is given.</summary>
/// <param name="Major">Its number.</param>
/// <param name="Minor">Its number.</param>
/// <param name="Amount">How much.</param>
/// <param name="Key">Of what, such as "rbps", where the file has several of them.</param>
internal sealed record DeviceAmount(long Major, long Minor, Amount Amount, string? Key = null) : FileValue
{
    public override string ToString() => Key is null ? $"{Major}:{Minor} {Amount}" : $"{Major}:{Minor} {Key}={Amount}";
}

/// <summary>A line as it is.</summary>
internal sealed record Line(string Text) : FileValue
{
    public override string ToString() => Text;
}
