namespace OciRuntime.Checks;

/// <summary>What a check has come to.</summary>
internal enum Verdict
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Some containers cannot have what they ask for.</summary>
    Limited,

    /// <summary>No container can be made by this user, or not the one that is asked about.</summary>
    Missing,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Topic">What it stands under.</param>
/// <param name="Name">Its name; of what is asked about a bundle, the JSON pointer.</param>
/// <param name="Verdict">What it means.</param>
/// <param name="Found">What was found, on one line.</param>
/// <param name="Cost">What cannot be had for that reason; "" where all is well.</param>
/// <param name="Remedy">What mends it, or "" where nothing on this machine does.</param>
internal sealed record Finding(string Topic, string Name, Verdict Verdict, string Found, string Cost = "", string Remedy = "");
