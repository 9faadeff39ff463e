using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Who asks for the state root; what <see cref="StateRoot.Resolve(string?)"/> decides on.</summary>
/// <param name="EffectiveUid">geteuid(2).</param>
/// <param name="InUserNamespace">Whether user IDs are mapped, that is, root is not the machine's root.</param>
/// <param name="XdgRuntimeDir">$XDG_RUNTIME_DIR; null and empty are the same (podman passes it empty to a rootful runtime).</param>
/// <param name="User">$USER, or null.</param>
internal readonly record struct RootFacts(uint EffectiveUid, bool InUserNamespace, string? XdgRuntimeDir, string? User);

/// <summary>The directory that holds one directory per container.</summary>
internal sealed class StateRoot
{
    public const string Default = "/run/ocirun";

    private StateRoot(string path, bool isExplicit, bool isPersonal)
    {
        Path = path;
        IsExplicit = isExplicit;
        IsPersonal = isPersonal;
    }

    /// <summary>Absolute and clean.</summary>
    public string Path { get; }

    /// <summary>True when the user named it (<c>--root</c>): then <c>list</c> reports that it is missing.</summary>
    public bool IsExplicit { get; }

    /// <summary>
    /// True when it was chosen for an ordinary user: nobody else may have made it, and where it lies old files may be pruned.
    /// </summary>
    public bool IsPersonal { get; }

    /// <summary>Decides by <c>--root</c>, the environment and who runs the program. Nothing is made.</summary>
    public static StateRoot Resolve(string? rootOption)
    {
        if (rootOption is not null) return Resolve(rootOption, default);
        string? xdg = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        uint euid = Processes.EffectiveUid();
        if (euid == 0 && string.IsNullOrEmpty(xdg)) return new StateRoot(Default, false, false);
        return Resolve(null, new RootFacts(euid, euid == 0 && UserNamespace.IsNested(), xdg, Environment.GetEnvironmentVariable("USER")));
    }

    /// <summary>As <see cref="Resolve(string?)"/>, with the facts given.</summary>
    public static StateRoot Resolve(string? rootOption, RootFacts facts)
    {
        if (rootOption is not null)
        {
            if (rootOption.Length == 0) throw new OciException("Option --root argument should not be empty");
            string path = Clean(rootOption);
            return path == "/" ? throw new OciException("Option --root argument should not be set to /") : new StateRoot(path, true, false);
        }
        if (HonoursXdg(facts)) return new StateRoot(Clean(facts.XdgRuntimeDir + "/ocirun"), false, true);
        return facts.EffectiveUid == 0 ? new StateRoot(Default, false, false) : new StateRoot(FallBack(facts.EffectiveUid), false, true);
    }

    /// <summary>
    /// For an ordinary user without $XDG_RUNTIME_DIR (su, cron): the directory it would name, if a login made it, else one in /tmp. All
    /// verbs must come to the same place, whatever their environment.
    /// </summary>
    private static string FallBack(uint uid)
    {
        string runtimeDirectory = $"/run/user/{uid}";
        bool isOwn = Files.StatAt(Files.AT_FDCWD, runtimeDirectory, Files.AT_SYMLINK_NOFOLLOW, out Statx stat) >= 0 && stat.IsDirectory
            && stat.Uid == uid;
        return isOwn ? runtimeDirectory + "/ocirun" : $"/tmp/ocirun-{uid}";
    }

    /// <summary>
    /// Opens the root (O_PATH), or gives null when it does not exist. All that is done with containers is done below the descriptor:
    /// whoever may write further up can put another directory in its place, but that one is his, or hides behind a link of his, and so
    /// refused.
    /// </summary>
    /// <exception cref="OciException">It is not the caller's alone, or the way there leads through somebody else's link.</exception>
    public Fd? TryOpen()
    {
        long fd = OpenWithoutLinks();
        if (fd == -Errno.ELOOP) fd = TrustedPath.Open(Path, lastMayBeLink: !IsPersonal);
        if (fd == -Errno.ENOENT) return null;
        Fd root = Fd.Of(fd, $"open state directory {Path}");
        CheckOwner(root);
        return root;
    }

    private long OpenWithoutLinks() => Files.OpenAt2(Files.AT_FDCWD, Path, Files.O_PATH | Files.O_DIRECTORY, Files.RESOLVE_NO_SYMLINKS);

    /// <summary>
    /// In a directory that others may write to, anybody may have made it first, to hand us containers of his, whose hooks would run with
    /// our rights. The owner of one that belongs to nobody in this user namespace is unknown, and not trusted.
    /// </summary>
    private void CheckOwner(Fd root)
    {
        OciException.Check(Files.Stat(root.Number, out Statx stat), $"stat {Path}");
        uint euid = Processes.EffectiveUid();
        if (stat.Uid == euid && (stat.Mode & FileModes.WritableByOthers) == 0) return;
        root.Dispose();
        string mode = Convert.ToString(stat.Mode & FileModes.All, 8).PadLeft(4, '0');
        throw new OciException(
            $"state directory {Path} is not uid {euid}'s alone (owner {stat.Uid}, mode {mode}): remove it, or name another with --root",
            Errno.EPERM);
    }

    /// <summary>Opens the root, making it (mode 0700: it tells about every container) and its parents where they are missing.</summary>
    public Fd OpenOrCreate()
    {
        if (TryOpen() is { } existing) return existing;
        bool made = DirectoryTree.Make(Path, FileModes.PrivateDirectory);
        Fd root = TryOpen() ?? throw new OciException($"open state directory {Path}: it was removed while it was being made", Errno.ENOENT);
        // The XDG base directory specification: what lives longer than six hours carries the sticky bit, or may be pruned.
        const uint Mode = FileModes.PrivateDirectory | FileModes.Sticky;
        if (made && IsPersonal) OciException.Check(Files.ChmodAt(Files.AT_FDCWD, Path, Mode), $"chmod {Path}");
        return root;
    }

    private static bool HonoursXdg(RootFacts facts)
    {
        if (string.IsNullOrEmpty(facts.XdgRuntimeDir)) return false;
        // runc's rule: "root" of a user namespace is an ordinary user, unless the namespace was entered the way su does.
        return facts.EffectiveUid != 0 || (facts.InUserNamespace && facts.User != "root");
    }

    private static string Clean(string path)
    {
        string full = Files.FullPath(path).TrimEnd('/');
        return full.Length == 0 ? "/" : full;
    }
}
