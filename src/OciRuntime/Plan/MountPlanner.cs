using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>The mounts of config.json as steps.</summary>
internal sealed class MountPlanner(PlanRequest request, NamespacePlan namespaces, LabelPlanner labels, List<PlanStep> steps,
    List<string> warnings)
{
    // A container without namespaces need not have the section.
    private readonly LinuxConfig _linux = request.Spec.Linux ?? new LinuxConfig();

    /// <summary>Read-only remounts that come last, because something has still to be made inside.</summary>
    private readonly List<PlanStep> _late = [];

    /// <summary>/dev is a bind mount: its devices are its owner's affair.</summary>
    public bool DevIsBound { get; private set; }

    /// <summary>/dev is a devtmpfs, of which there is one only: the host's.</summary>
    public bool DevIsShared { get; private set; }

    /// <summary>Adds a step for every mount.</summary>
    /// <param name="section">JSON pointer of their array.</param>
    public void AddMounts(string section = "/mounts")
    {
        Mount[] mounts = request.Spec.Mounts;
        for (int i = 0; i < mounts.Length; i++) Add(mounts[i], new(section, i));
    }

    /// <summary>Adds the read-only remounts.</summary>
    public void AddLateRemounts() => _late.ForEach(steps.Add);

    private void Add(Mount mount, Origin origin)
    {
        MountOptions options = MountOptions.Parse(mount.Options, mount.Type);
        string target = ContainerPath.Place(mount.Destination, origin);
        if (target == ".") throw Refuse(origin, mount, "the root itself cannot be a mount destination");
        bool bind = !options.Remount && (options.Bind || mount.Type == "bind");
        if (options.IdMap is not null && !bind)
            throw Refuse(origin, mount, $"option \"{options.IdMap}\": only bind mounts can be id-mapped");
        // Of several at one place the last is seen.
        if (target == "dev" && !options.Remount) (DevIsBound, DevIsShared) = (false, !bind && mount.Type == "devtmpfs");
        if (options.Remount) AddRemount(origin, target, ref options);
        else if (bind) AddBind(mount, origin, target, ref options);
        else if (mount.Type is "cgroup" or "cgroup2") AddCgroup(mount, origin, target, ref options);
        else AddFilesystem(mount, origin, target, ref options);
    }

    /// <summary>Changes what is mounted there already, the image's own directory included.</summary>
    private void AddRemount(Origin origin, string target, ref MountOptions options)
    {
        List<KeyValuePair<string, string?>> data = [.. options.Flags ?? [], .. options.Data ?? []];
        if (data.Count > 0 && !options.Bind && data.Find(option => !MountCallPlan.Fits("", option)).Key is { } tooLong)
            throw new OciException($"{origin} /{target}: option \"{tooLong}\": a remount takes at most 255 bytes for a value");
        if (data.Count > 0 && !options.Bind) steps.Add(new ReconfigureFilesystemStep(origin, target, data));
        if ((options.TreeSet | options.TreeClear) != 0)
            steps.Add(new SetMountAttributesStep(origin, target) { Set = options.TreeSet, Clear = options.TreeClear, Recursive = true });
        if ((options.Set | options.Clear | options.Propagation) == 0) return;
        steps.Add(new SetMountAttributesStep(origin,
            target)
        { Set = options.Set, Clear = options.Clear, Propagation = options.Propagation });
    }

    private static SetMountAttributesStep MakeReadOnly(Origin origin, string target) =>
        new(origin, target) { Set = Mounts.MOUNT_ATTR_RDONLY };

    /// <summary>What Podman 4 leaves in the options of a named volume: it has filled the volume, or has not, before it calls.</summary>
    private static bool IsVolumeWord(KeyValuePair<string, string?> option) => option is { Key: "copy" or "nocopy", Value: null };

    private void AddBind(Mount mount, Origin origin, string target, ref MountOptions options)
    {
        if (string.IsNullOrEmpty(mount.Source)) throw Refuse(origin, mount, "a bind mount needs a source");
        if (options.Data?.Find(static option => !IsVolumeWord(option)).Key is { } word)
            throw Refuse(origin, mount, $"bind mounts cannot have any filesystem-specific options applied: {word}");
        foreach (KeyValuePair<string, string?> flag in options.Flags ?? [])
            warnings.Add($"{origin} {mount.Destination}: option \"{flag.Key}\" is the file system's and has no effect on a bind mount");
        string source = ContainerPath.OnHost(request.Bundle, mount.Source);
        ProcPlace place = PlaceIn(mount, origin, target, isProc: false);
        // Decided here, where the source is in reach: the child's user namespace may hide it.
        if (options.CopySymlink && Files.ReadLink(source) is { } link)
        {
            steps.Add(new SymlinkStep(origin, link, target, ExistingLink.MustBeSame));
            return;
        }
        if (target == "dev") DevIsBound = true;
        steps.Add(new MountBindStep(origin)
        {
            Source = source,
            Target = new(target, place, options.TargetNoFollow),
            IdMap = IdMap(mount, origin, options.IdMap),
            Recursive = options.Recursive,
            SourceNoFollow = options.SourceNoFollow,
            Attributes =
                new()
                {
                    Set = options.Set,
                    Clear = options.Clear,
                    Unnamed = options.Unnamed,
                    TreeSet = options.TreeSet,
                    TreeClear = options.TreeClear,
                    PropagationWords = options.Propagation
                },
        });
    }

    private MountIdMap? IdMap(Mount mount, Origin origin, string? option)
    {
        try
        {
            return MountIdMap.Build(mount, option, _linux, namespaces);
        }
        catch (FormatException e)
        {
            throw Refuse(origin, mount, option is null ? e.Message : $"option \"{option}\": {e.Message}");
        }
    }

    private void AddFilesystem(Mount mount, Origin origin, string target, ref MountOptions options)
    {
        string type = string.IsNullOrEmpty(mount.Type)
            ? throw Refuse(origin, mount, "needs a type, or the option bind or rbind") : mount.Type;
        List<KeyValuePair<string, string?>> data = [.. options.Flags ?? [], .. options.Data ?? []];
        if (ExistsOnce(type)) LeaveOptions(mount, origin, data);
        CheckIds(mount, origin, data);
        if (type == "overlay")
        {
            data = data.ConvertAll(option =>
                new KeyValuePair<string, string?>(option.Key, MountCallPlan.FromBundle(request.Bundle, option.Key, option.Value)));
        }
        if (!string.IsNullOrEmpty(mount.Source)) data.Insert(0, new("source", mount.Source));
        ulong attributes = options.NewSet;
        bool readOnly = (attributes & Mounts.MOUNT_ATTR_RDONLY) != 0;
        // A read-only device needs a read-only superblock; the kernel's own file systems share theirs, so only the mount is.
        if (readOnly && !IsVirtual(type)) data.Add(new("ro", null));
        bool late = readOnly && !request.IsLive && (type == "tmpfs" || target == "dev");
        if (late) _late.Add(MakeReadOnly(origin, target));
        if (!ExistsOnce(type)) labels.AddTo(type, data);
        MountCallPlan? call;
        try
        {
            call = MountCallPlan.Build(type, data);
        }
        catch (FormatException e)
        {
            throw Refuse(origin, mount, e.Message);
        }
        steps.Add(new MountFilesystemStep(origin)
        {
            Type = type,
            Target = new(target, PlaceIn(mount, origin, target, type == "proc"),
                options.TargetNoFollow)
            { RealDirectory = type is "proc" or "sysfs" },
            Attributes = late ? attributes & ~Mounts.MOUNT_ATTR_RDONLY : attributes,
            Propagation = options.Propagation,
            Options = data,
            Call = call,
            InheritMode = type == "tmpfs" && !data.Exists(static o => o.Key == "mode"),
            CopyUp = options.CopyUp,
            HostDevices = type == "devtmpfs",
            OnDevice = IsOnDevice(mount, type),
            // Without a network namespace of its own, a user namespace may not mount sysfs; the host's can still be bound.
            Fallback = type == "sysfs" && namespaces.Has(Processes.CLONE_NEWUSER) ? "/sys" : null,
        });
        labels.AddQueueLabel(type, target);
    }

    /// <summary>
    /// An id that the new user namespace does not have is none that a file there could belong to: the kernel's answer would be EINVAL
    /// without a reason.
    /// </summary>
    private void CheckIds(Mount mount, Origin origin, List<KeyValuePair<string, string?>> data)
    {
        if (!namespaces.NewUser) return;
        foreach ((string key, string? value) in data)
        {
            if (key is not ("uid" or "gid") || !uint.TryParse(value, out uint id)) continue;
            IdMapping[] mappings = key == "uid" ? _linux.UidMappings : _linux.GidMappings;
            if (!Array.Exists(mappings, m => m.Maps(id)))
                throw Refuse(origin, mount, $"option \"{key}={value}\": the id is not mapped by /linux/{key}Mappings");
        }
    }

    private static bool IsVirtual(string type) =>
        type is "proc" or "sysfs" or "tmpfs" or "devpts" or "mqueue" or "cgroup" or "cgroup2" or "ramfs" or "bpf" or "overlay"
        || ExistsOnce(type);

    /// <summary>The kernel has one of it, which every mount shows.</summary>
    private static bool ExistsOnce(string type) =>
        type is "devtmpfs" or "securityfs" or "debugfs" or "tracefs" or "configfs" or "efivarfs" or "binfmt_misc" or "selinuxfs"
        or "smackfs" or "pstore" or "fusectl" or "resctrl";

    /// <summary>
    /// A new mount may set such a file system's options anew, for the host (reconfigure_single() of older kernels), or does nothing with
    /// them.
    /// </summary>
    private void LeaveOptions(Mount mount, Origin origin, List<KeyValuePair<string, string?>> data)
    {
        foreach (KeyValuePair<string, string?> option in data)
            warnings.Add($"{origin} {mount.Destination}: option \"{option.Key}\" is left out: there is one {mount.Type} only, the host's");
        data.Clear();
    }

    /// <summary>
    /// The child is in the container's device cgroup, which may deny it the device; a user namespace has no right to it in any case.
    /// </summary>
    private bool IsOnDevice(Mount mount, string type) =>
        !request.IsLive && !IsVirtual(type) && mount.Source is ['/', ..] && !namespaces.Has(Processes.CLONE_NEWUSER)
        && !request.Host.InUserNamespace && Files.StatAt(Files.AT_FDCWD, mount.Source, 0, out Statx stat) >= 0
        && stat.Type == Files.S_IFBLK;

    private CgroupView[] ShownCgroups => request.Cgroups.Length > 0 ? request.Cgroups : request.CallersCgroups;

    private void AddCgroup(Mount mount, Origin origin, string target, ref MountOptions options)
    {
        CgroupView unified = default;
        bool v1 = false;
        foreach (CgroupView view in ShownCgroups)
        {
            if (view.Hierarchy.Unified) unified = view;
            else v1 = true;
        }
        ulong attributes = options.NewSet;
        // "cgroup" is whatever the host has at /sys/fs/cgroup, "cgroup2" the file system of that name, also where both are mounted.
        if (v1 && mount.Type != "cgroup2") AddCgroupV1(origin, target, attributes, options.Propagation);
        else AddCgroupV2(mount, origin, target, unified, attributes, ref options, unmounted: v1 && unified.Hierarchy is null);
    }

    /// <param name="mount">As in config.json.</param>
    /// <param name="origin">Where there.</param>
    /// <param name="target">Cleaned destination.</param>
    /// <param name="unified">The container's cgroup; empty for none.</param>
    /// <param name="attributes">Of the mount.</param>
    /// <param name="options">Of the mount.</param>
    /// <param name="unmounted">The host has v1 only, so that there is nothing to bind, and nobody whose options a new mount could
    /// change.</param>
    private void AddCgroupV2(Mount mount, Origin origin, string target, CgroupView unified, ulong attributes, ref MountOptions options,
        bool unmounted)
    {
        MountDestination destination = new(target, PlaceIn(mount, origin, target, isProc: false));
        if (!namespaces.Has(Processes.CLONE_NEWCGROUP) && !unmounted)
        {
            // A new mount in the first cgroup namespace would set the host's own nsdelegate, memory_recursiveprot … to what it was mounted
            // with (apply_cgroup_root_flags() in the kernel).
            foreach (KeyValuePair<string, string?> data in options.Data ?? [])
            {
                warnings.Add(
                    $"{origin} {mount.Destination}: option \"{data.Key}\" is the host's to set and has no effect without a cgroup "
                    + $"namespace");
            }
            steps.Add(new MountBindStep(origin)
            {
                Source = unified.Hierarchy?.MountPoint ?? Host.CgroupHost.Root,
                Target = destination,
                Attributes = new() { TreeSet = attributes, PropagationWords = options.Propagation },
                Recursive = true,
                SkipMissing = request.CgroupsOptional,
            });
            return;
        }
        steps.Add(new MountFilesystemStep(origin)
        {
            Type = "cgroup2",
            Target = destination,
            Attributes = attributes,
            Propagation = options.Propagation,
            // The kernel's own word for none is "none"; what reads mount tables knows runc's and crun's.
            Options = [new("source", string.IsNullOrEmpty(mount.Source) ? "cgroup" : mount.Source), .. options.Data ?? []],
            // A hierarchy without a cgroup of the container's is left out of its view.
            SkipMissing = request.CgroupsOptional,
            // Not permitted where the cgroup namespace belongs to another user namespace: bind what the container may see.
            Fallback = unified.Path ?? Host.CgroupHost.Root,
        });
    }

    /// <summary>
    /// v1: a tmpfs with one mount per hierarchy under its usual name. With a cgroup namespace each is mounted anew and shows the
    /// container's cgroup as its root; without one the container's directory is bound.
    /// </summary>
    private void AddCgroupV1(Origin origin, string target, ulong attributes, ulong propagation)
    {
        List<KeyValuePair<string, string?>> data = [new("source", "tmpfs"), new("mode", "755")];
        labels.AddTo("tmpfs", data);
        steps.Add(new MountFilesystemStep(
            origin)
        {
            Type = "tmpfs",
            Target = new(target),
            Attributes = attributes & ~Mounts.MOUNT_ATTR_RDONLY,
            Propagation = propagation,
            Options = data
        });
        foreach (CgroupView view in ShownCgroups)
        {
            if (view.Hierarchy.Unified) continue;
            string name = view.Hierarchy.MountPoint[(view.Hierarchy.MountPoint.LastIndexOf('/') + 1)..];
            MountDestination destination = new($"{target}/{name}");
            steps.Add(namespaces.Has(Processes.CLONE_NEWCGROUP) ? MountHierarchy(origin, view, destination, attributes)
                : BindHierarchy(origin, view, destination, attributes));
            if (view.Hierarchy.Controllers.Length < 2) continue;
            foreach (string controller in view.Hierarchy.Controllers)
            {
                if (controller != name) steps.Add(new SymlinkStep(origin, name, $"{target}/{controller}"));
            }
        }
        if ((attributes & Mounts.MOUNT_ATTR_RDONLY) != 0) steps.Add(MakeReadOnly(origin, target));
    }

    private MountFilesystemStep MountHierarchy(Origin origin, CgroupView view, MountDestination target, ulong attributes)
    {
        List<KeyValuePair<string, string?>> data = [new("source", "cgroup")];
        if (view.Hierarchy.Name is not null)
        {
            data.Add(new("none", null));
            data.Add(new("name", view.Hierarchy.Name));
        }
        foreach (string controller in view.Hierarchy.Controllers) data.Add(new(controller, null));
        return new(origin)
        {
            Type = "cgroup",
            Target = target,
            Attributes = attributes,
            Options = data,
            Fallback = view.Path,
            SkipMissing = request.CgroupsOptional
        };
    }

    /// <summary>The caller's, if there is none of the container's, is not the container's to write to.</summary>
    private MountBindStep BindHierarchy(Origin origin, CgroupView view, MountDestination target, ulong attributes) => new(origin)
    {
        Source = view.Path,
        Target = target,
        Attributes = new() { Set = attributes | (request.Cgroups.Length > 0 ? 0 : Mounts.MOUNT_ATTR_RDONLY) },
        SkipMissing = request.CgroupsOptional,
        Fallback = view.CallersPath,
    };

    /// <summary>
    /// /proc may only be covered by procfs, and below it only the files that container managers fake may be: a fake /proc/self/attr would
    /// swallow security labels (CVE-2019-16884).
    /// </summary>
    internal static ProcPlace PlaceIn(Mount mount, Origin origin, string target, bool isProc)
    {
        if (!ContainerPath.IsBelow(target, "proc")) return ProcPlace.Outside;
        if (target == "proc")
        {
            return isProc || SpecValidator.IsBind(mount) ? ProcPlace.Itself
                : throw Refuse(origin, mount, "only proc, or a bind of it, can be mounted on /proc");
        }
        return target is "proc/cpuinfo" or "proc/diskstats" or "proc/meminfo" or "proc/stat" or "proc/swaps" or "proc/uptime"
            or "proc/loadavg"
            or "proc/slabinfo" or "proc/sys/kernel/ns_last_pid" or "proc/sys/crypto/fips_enabled"
            ? ProcPlace.Inside
            : throw Refuse(origin, mount,
            "is inside /proc, where only cpuinfo, diskstats, meminfo, stat, swaps, uptime, loadavg, slabinfo, sys/kernel/ns_last_pid and "
            + "sys/crypto/fips_enabled can be covered");
    }

    private static OciException Refuse(Origin origin, Mount mount, string why) => new($"{origin} {mount.Destination}: {why}");
}
