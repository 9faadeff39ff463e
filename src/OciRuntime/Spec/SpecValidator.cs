using System.Text;

namespace OciRuntime.Spec;

/// <summary>
/// The rules of the specification that can be checked without looking at the host. Each broken one is reported, not only the first. Run it
/// only on what <see cref="SpecReader"/> read without errors: half a file breaks rules that the whole one does not.
/// </summary>
public static partial class SpecValidator
{
    // utsname has 65 bytes per name (uname(2)), the last one NUL.
    private const int MaxUtsName = 64;

    /// <summary>
    /// All rules for creating a container. A process may be absent: whether there can be a container without one is not for the
    /// specification to say.
    /// </summary>
    public static void Validate(RuntimeSpec spec, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(problems);
        NamespaceFacts namespaces = new(spec.Linux);
        CheckVersion(spec.OciVersion, problems);
        CheckRoot(spec, namespaces, problems);
        CheckUtsName(spec.Hostname, "/hostname", namespaces, problems);
        CheckUtsName(spec.Domainname, "/domainname", namespaces, problems);
        CheckMounts(spec.Mounts, namespaces, problems);
        CheckHooks(spec.Hooks, problems);
        CheckAnnotations(spec.Annotations, problems);
        if (spec.Process is not null) CheckProcess(spec.Process, "/process", problems);
        if (spec.Linux is not null) CheckLinux(spec, spec.Linux, namespaces, problems);
    }

    /// <summary>A process on its own, as given to exec; pointers start at its root.</summary>
    public static void ValidateProcess(Process process, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(process);
        ArgumentNullException.ThrowIfNull(problems);
        CheckProcess(process, "", problems);
    }

    /// <summary>Resources on their own, as given to update; pointers start at their root.</summary>
    public static void ValidateResources(LinuxResources resources, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(resources);
        ArgumentNullException.ThrowIfNull(problems);
        CheckResources(resources, "", problems);
    }

    private static void CheckVersion(string? version, SpecProblems problems)
    {
        if (version is null) problems.Error("/ociVersion", null, "is required");
        else if (!IsSemVer(version)) problems.Error("/ociVersion", SpecText.Quote(version), "must be a version like 1.3.0");
        else if (!version.StartsWith("1.", StringComparison.Ordinal))
            problems.Error("/ociVersion", SpecText.Quote(version), "is not supported: the major version must be 1");
    }

    // https://semver.org: three numbers without leading zeros, then optional -prerelease and +build.
    private static bool IsSemVer(string version)
    {
        int tail = version.AsSpan().IndexOfAny('-', '+');
        ReadOnlySpan<char> core = tail < 0 ? version.AsSpan() : version.AsSpan(0, tail);
        int numbers = 0;
        foreach (Range range in core.Split('.'))
        {
            ReadOnlySpan<char> part = core[range];
            if (part.IsEmpty || part.ContainsAnyExceptInRange('0', '9') || (part.Length > 1 && part[0] == '0')) return false;
            numbers++;
        }
        foreach (char c in version)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '+'))
                return false;
        }
        return numbers == 3 && tail < version.Length - 1;
    }

    private static void CheckRoot(RuntimeSpec spec, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (spec.Root is null) problems.Error("/root", null, "is required");
        else if (string.IsNullOrEmpty(spec.Root.Path))
            problems.Error("/root/path", spec.Root.Path is null ? null : "\"\"", "must be the path of a directory");
        if (spec.Root is { Readonly: true } && !namespaces.MayMount) problems.Error("/root/readonly", "true", NeedsMountNamespace);
    }

    private static void CheckUtsName(string? name, string pointer, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (string.IsNullOrEmpty(name)) return;
        if (!namespaces.Has("uts")) problems.Error(pointer, SpecText.Quote(name), "needs a uts namespace in linux.namespaces");
        if (Encoding.UTF8.GetByteCount(name) > MaxUtsName)
            problems.Error(pointer, SpecText.Quote(name), $"must be at most {MaxUtsName} bytes long");
    }

    private static void CheckMounts(Mount[] mounts, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (mounts.Length > 0 && !namespaces.MayMount) problems.Error("/mounts", null, NeedsMountNamespace);
        for (int i = 0; i < mounts.Length; i++) CheckMount(mounts[i], "/mounts", i, problems);
    }

    private static void CheckMount(Mount mount, string section, int index, SpecProblems problems)
    {
        CheckDestination(mount, section, index, problems);
        bool isBind = IsBind(mount);
        if (isBind && string.IsNullOrEmpty(mount.Source)) problems.Error($"{section}/{index}/source", null, "is required for a bind mount");
        CheckOptions(mount, section, index, isBind, problems);
        if (mount.UidMappings.Length == 0 && mount.GidMappings.Length == 0) return;
        if (mount.UidMappings.Length == 0 || mount.GidMappings.Length == 0)
            problems.Error($"{section}/{index}", null, "must have both uidMappings and gidMappings or neither");
        if (!isBind) problems.Error($"{section}/{index}", null, "has uidMappings, which only bind mounts can have");
        CheckIdMappings(mount.UidMappings, $"{section}/{index}/uidMappings", problems);
        CheckIdMappings(mount.GidMappings, $"{section}/{index}/gidMappings", problems);
    }

    private static void CheckDestination(Mount mount, string section, int index, SpecProblems problems)
    {
        // A relative destination means one below "/": older specifications allowed it, and runc takes it with a warning.
        if (mount.Destination.Length == 0)
        {
            problems.Error($"{section}/{index}/destination", null, "is required and must not be empty");
        }
        else if (SpecText.IsRootDirectory(mount.Destination))
        {
            problems.Error($"{section}/{index}/destination", SpecText.Quote(mount.Destination),
                "must not be the root directory of the container");
        }
        else if (!SpecText.IsAbsolute(mount.Destination))
        {
            problems.Warn($"{section}/{index}/destination", SpecText.Quote(mount.Destination), "should be absolute; taken as below \"/\"");
        }
    }

    /// <summary>Words that mean something for one kind of mount only, where ignoring them would be the worse surprise.</summary>
    private static void CheckOptions(Mount mount, string section, int index, bool isBind, SpecProblems problems)
    {
        bool isNew = !SpecWords.Has(mount.Options, "remount");
        bool noFollow = SpecWords.Has(mount.Options, "src-nofollow") || SpecWords.Has(mount.Options, "dest-nofollow");
        for (int i = 0; i < mount.Options.Length; i++)
        {
            string? problem = mount.Options[i] switch
            {
                "tmpcopyup" when isBind || !isNew || mount.Type != "tmpfs" => "is possible only for a mount of type tmpfs",
                "copy-symlink" or "src-nofollow" or "dest-nofollow" when !isBind || !isNew => "is possible only for a bind mount",
                "copy-symlink" when noFollow => "cannot be combined with src-nofollow or dest-nofollow",
                _ => null,
            };
            if (problem is not null) problems.Error($"{section}/{index}/options/{i}", SpecText.Quote(mount.Options[i]), problem);
        }
    }

    /// <summary>By its type or by an option (runtime-spec config.md, "Mounts").</summary>
    internal static bool IsBind(Mount mount) =>
        mount.Type == "bind" || SpecWords.Has(mount.Options, "bind") || SpecWords.Has(mount.Options, "rbind");

    private static void CheckHooks(Hooks? hooks, SpecProblems problems)
    {
        if (hooks is null) return;
        CheckHookList(hooks.Prestart, "prestart", problems);
        CheckHookList(hooks.CreateRuntime, "createRuntime", problems);
        CheckHookList(hooks.CreateContainer, "createContainer", problems);
        CheckHookList(hooks.StartContainer, "startContainer", problems);
        CheckHookList(hooks.Poststart, "poststart", problems);
        CheckHookList(hooks.Poststop, "poststop", problems);
    }

    private static void CheckHookList(Hook[] hooks, string name, SpecProblems problems)
    {
        for (int i = 0; i < hooks.Length; i++)
        {
            Hook hook = hooks[i];
            if (!SpecText.IsAbsolute(hook.Path))
                problems.Error($"/hooks/{name}/{i}/path", SpecText.Quote(hook.Path), "must be an absolute path");
            if (hook.Timeout is <= 0)
                problems.Error($"/hooks/{name}/{i}/timeout", SpecText.Show(hook.Timeout.Value), "must be more than 0 seconds");
            if (hook.Env is not null) CheckEnv(hook.Env, $"/hooks/{name}/{i}/env", problems);
        }
    }

    private static void CheckEnv(string[] env, string pointer, SpecProblems problems)
    {
        for (int i = 0; i < env.Length; i++)
        {
            if (env[i].IndexOf('=') is var at && at <= 0)
            {
                problems.Error($"{pointer}/{i}", SpecText.Quote(env[i]), at < 0 ? "must have the form NAME=VALUE"
                    : "must have a name before the \"=\"");
            }
        }
    }

    private static void CheckAnnotations(SpecMap<string> annotations, SpecProblems problems)
    {
        if (annotations.ContainsKey("")) problems.Error("/annotations/", null, "must have a key that is not empty");
        Annotations.Check(annotations, problems);
        if (annotations[Annotations.MountContextType] is { } context)
            CheckWord(context, SpecWords.MountContextTypes, Annotations.Pointer(Annotations.MountContextType), problems);
    }

    private static void CheckWord(string word, string[] allowed, string pointer, SpecProblems problems)
    {
        if (word.Length == 0) problems.Error(pointer, null, $"is required: {string.Join(", ", allowed)}");
        else if (!SpecWords.Has(allowed, word))
            problems.Error(pointer, SpecText.Quote(word), $"is unknown; allowed: {string.Join(", ", allowed)}");
    }

    private static void CheckWords(string[] words, string[] allowed, string pointer, SpecProblems problems)
    {
        for (int i = 0; i < words.Length; i++)
        {
            if (!SpecWords.Has(allowed, words[i]))
                problems.Error($"{pointer}/{i}", SpecText.Quote(words[i]), $"is unknown; allowed: {string.Join(", ", allowed)}");
        }
    }

    private const string NeedsMountNamespace =
        "needs a mount namespace in linux.namespaces, as a user namespace has no rights over the runtime's mounts";

    /// <summary>Which namespaces the container gets.</summary>
    private readonly struct NamespaceFacts(LinuxConfig? linux)
    {
        /// <summary>New or joined.</summary>
        public bool Has(string type) => Find(type) is not null;

        /// <summary>Made for this container, so that its properties are ours to set.</summary>
        public bool IsNew(string type) => Find(type) is { } ns && string.IsNullOrEmpty(ns.Path);

        /// <summary>
        /// Whether there is a mount namespace to mount in: the container's, or the runtime's, over which a user namespace has no rights.
        /// </summary>
        public bool MayMount => Has("mount") || !Has("user");

        private LinuxNamespace? Find(string type)
        {
            foreach (LinuxNamespace ns in linux?.Namespaces ?? []) if (ns.Type == type) return ns;
            return null;
        }
    }
}
