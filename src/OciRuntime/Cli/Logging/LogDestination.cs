namespace OciRuntime.Cli;

/// <summary>crun's syntax for --log: a path, or <c>file:</c>path, or a service.</summary>
internal static class LogDestination
{
    public static string PathOf(string destination)
    {
        foreach (string service in (ReadOnlySpan<string>)["journald", "syslog"])
        {
            if (destination.StartsWith(service + ":", StringComparison.Ordinal))
            {
                throw new UsageException($"log destination \"{destination}\": {service} is not supported yet; name a file");
            }
        }

        return destination.StartsWith("file:", StringComparison.Ordinal) ? destination["file:".Length..] : destination;
    }
}
