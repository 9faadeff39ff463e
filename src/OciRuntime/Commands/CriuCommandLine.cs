using System.Globalization;
using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary>What checkpoint and restore have in common: from their options to what criu is told.</summary>
internal static class CriuCommandLine
{
    /// <exception cref="OciException">--empty-ns names a namespace that criu cannot leave empty.</exception>
    public static CriuSettings Settings(CriuVerbOptions o)
    {
        CheckEmptyNamespaces(o);
        return new CriuSettings
        {
            ImagePath = string.IsNullOrEmpty(o.ImagePath) ? CriuSettings.DefaultImagePath : o.ImagePath,
            WorkPath = Given(o.WorkPath),
            ParentPath = Given(o.ParentPath),
            TcpEstablished = o.TcpEstablished,
            ExtUnixSk = o.ExtUnixSk,
            ShellJob = o.ShellJob,
            FileLocks = o.FileLocks,
            LazyPages = o.LazyPages,
            AutoDedup = o.AutoDedup,
            CgroupsMode = (CgroupsMode?)o.ManageCgroupsMode,
            NetworkLock = (int?)o.NetworkLock,
        };
    }

    /// <exception cref="OciException">--empty-ns names another namespace than the one that is made empty anyway.</exception>
    private static void CheckEmptyNamespaces(CriuVerbOptions o)
    {
        // runc's words.
        if (o.EmptyNs.Find(static n => n != "network") is { } other)
            throw new OciException($"namespace \"{other}\" is not supported", Errno.EINVAL);
    }

    /// <summary>criu works for root only, or tries to; as with runc that is said and not forbidden.</summary>
    public static void WarnIfRootless(GlobalOptions g, string verb)
    {
        if (Processes.EffectiveUid() != 0 || UserNamespace.IsNested()) Logger.Warn(g, $"{verb} is untested with rootless containers");
    }

    /// <summary>ADDRESS:PORT; an IPv6 address in brackets.</summary>
    /// <exception cref="OciException">It is something else.</exception>
    public static (string Address, int Port)? PageServer(string? text)
    {
        if (text is null) return null;
        int colon = text.LastIndexOf(':');
        string address = colon < 0 ? "" : text[..colon];
        if (address is ['[', .., ']']) address = address[1..^1];
        else if (address.Contains(':')) address = "";
        bool isPort = int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port is > 0 and < 65536;
        return address.Length > 0 && isPort ? (address, port)
            : throw new OciException($"--page-server {text}: use ADDRESS:PORT", Errno.EINVAL);
    }

    // go-runc's callers pass what they do not use as an empty text.
    private static string? Given(string? path) => string.IsNullOrEmpty(path) ? null : path;
}
