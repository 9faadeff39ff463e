using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Commands;

/// <summary>The process of an exec: what --process says, or the container's own with the command line's changes (runc has both rules).</summary>
internal static class ExecProcess
{
    /// <exception cref="OciException">An option's value cannot be used.</exception>
    public static Process Build(ExecOptions o, Process own)
    {
        if (o.Process != null) return Complete(SpecLoader.LoadProcess(o.Process), own);
        if (o.Command.Count == 0) throw new OciException("exec args cannot be empty: name a program, or a file with --process");
        // The container's terminal is its own; so is the size it began with.
        own.Terminal = o.Tty;
        own.ConsoleSize = null;
        own.Args = [.. o.Command];
        own.Env = [.. own.Env, .. Variables(o.Env)];
        own.NoNewPrivileges |= o.NoNewPrivs;
        if (o.Cwd != null) own.Cwd = o.Cwd.StartsWith('/') ? o.Cwd : throw new OciException($"--cwd {o.Cwd}: Cwd must be an absolute path");
        if (o.Apparmor != null) own.ApparmorProfile = o.Apparmor;
        if (o.ProcessLabel != null) own.SelinuxLabel = o.ProcessLabel;
        if (o.User != null) SetUser(o.User, own.User);
        own.User.AdditionalGids = [.. own.User.AdditionalGids, .. o.AdditionalGids.ConvertAll(static gid => Id("--additional-gids", gid, gid))];
        if (o.Capabilities.Count > 0) AddCapabilities(o.Capabilities, own.Capabilities ??= new());
        return own;
    }

    /// <summary>
    /// What the file leaves out is as for the container's process, and not unlimited or unconfined (runc). A missing oomScoreAdj would
    /// be the caller's, often that of a protected daemon.
    /// </summary>
    private static Process Complete(Process process, Process own)
    {
        process.Capabilities ??= own.Capabilities;
        if (process.Rlimits.Length == 0) process.Rlimits = own.Rlimits;
        if (string.IsNullOrEmpty(process.ApparmorProfile)) process.ApparmorProfile = own.ApparmorProfile;
        if (string.IsNullOrEmpty(process.SelinuxLabel)) process.SelinuxLabel = own.SelinuxLabel;
        process.OomScoreAdj ??= own.OomScoreAdj;
        process.Scheduler ??= own.Scheduler;
        process.IoPriority ??= own.IoPriority;
        process.ExecCPUAffinity ??= own.ExecCPUAffinity;
        return process;
    }

    private static List<string> Variables(List<string> given)
    {
        foreach (string variable in given)
        {
            if (variable.IndexOf('=') <= 0) throw new OciException($"--env {SpecText.Quote(variable)}: must have the form NAME=VALUE");
        }
        return given;
    }

    /// <summary>Without a group the container's stays (runc).</summary>
    private static void SetUser(string text, User user)
    {
        string[] parts = text.Split(':');
        if (parts.Length > 2) throw new OciException($"--user {text}: must have the form UID[:GID]");
        user.Uid = Id("--user", text, parts[0]);
        if (parts.Length == 2) user.Gid = Id("--user", text, parts[1]);
    }

    // 4294967295 is -1, "leave alone", to setresuid(2).
    private static uint Id(string option, string whole, string text) =>
        uint.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out uint id) && id != uint.MaxValue
            ? id : throw new OciException($"{option} {whole}: \"{text}\" is not a number from 0 to 4294967294; names of the container's /etc/passwd are not looked up");

    /// <summary>Adds, as runc does. An ambient capability has to be inheritable, too (capabilities(7)).</summary>
    private static void AddCapabilities(List<string> given, ProcessCapabilities sets)
    {
        foreach (string text in given)
        {
            string name = text.ToUpperInvariant();
            if (!name.StartsWith("CAP_", StringComparison.Ordinal)) name = "CAP_" + name;
            if (CapabilityNames.Number(name) < 0) throw new OciException($"--cap {text}: not a known capability");
            sets.Bounding = [.. sets.Bounding, name];
            sets.Effective = [.. sets.Effective, name];
            sets.Permitted = [.. sets.Permitted, name];
            if (Array.IndexOf(sets.Inheritable, name) >= 0) sets.Ambient = [.. sets.Ambient, name];
        }
    }
}
