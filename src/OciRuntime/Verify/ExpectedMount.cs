using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Verify;

/// <summary>A mount as the steps of a plan leave it.</summary>
/// <param name="step">The step that makes it; or, of what the image has mounted itself, the first that changes it.</param>
/// <param name="path">Where, clean.</param>
internal sealed class ExpectedMount(PlanStep step, string path)
{
    private static readonly (ulong Attribute, string Word)[] Words =
    [
        (Mounts.MOUNT_ATTR_RDONLY, "ro"), (Mounts.MOUNT_ATTR_NOSUID, "nosuid"), (Mounts.MOUNT_ATTR_NODEV, "nodev"),
        (Mounts.MOUNT_ATTR_NOEXEC, "noexec"), (Mounts.MOUNT_ATTR_NODIRATIME, "nodiratime"), (Mounts.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"),
    ];

    public PlanStep Step => step;
    public string Path => path;

    /// <summary>MOUNT_ATTR_… that it has.</summary>
    public ulong Set { get; private set; }

    /// <summary>MOUNT_ATTR_… that all mounts below have, too.</summary>
    public ulong TreeSet { get; private set; }

    /// <summary>MS_SHARED, MS_PRIVATE … of the last word; 0 where none is given.</summary>
    public ulong Propagation { get; private set; }

    /// <summary>The same of all mounts below.</summary>
    public ulong TreePropagation { get; private set; }

    /// <summary>Of a file system that is mounted: its parameters, of which the last one counts.</summary>
    public List<KeyValuePair<string, string?>> Options { get; } = [.. (step as MountFilesystemStep)?.Options ?? []];

    /// <summary>All of them, in the order in which they are mounted.</summary>
    public static List<ExpectedMount> Of(LaunchPlan plan)
    {
        List<ExpectedMount> mounts = [];
        foreach (PlanStep step in plan.Steps)
        {
            switch (step)
            {
                case MountFilesystemStep file:
                    mounts.Add(new ExpectedMount(step, file.Target.Path).With(file.Attributes, 0, file.Propagation));
                    break;
                case MountBindStep bind:
                    mounts.Add(new ExpectedMount(step, bind.Target.Path).With(bind.Attributes.Set, bind.Attributes.Clear, 0)
                        .WithTree(bind.Attributes.TreeSet, bind.Attributes.TreeClear, bind.Attributes.PropagationWords));
                    break;
                case SetMountAttributesStep set: Change(mounts, set); break;
                case ReconfigureFilesystemStep change:
                    mounts.FindLast(one => one.Path == change.Path)?.Reconfigure(change.Options);
                    break;
                case RootPropagationStep root when (root.Flags & Mounts.MS_REC) != 0:
                    mounts.ForEach(one => one.Propagation = one.TreePropagation = root.Flags & ~Mounts.MS_REC);
                    break;
                default: break;
            }
        }
        return mounts;
    }

    /// <summary>What of its attributes a mount table's line lacks, in its words; "" for nothing.</summary>
    /// <param name="wanted">MOUNT_ATTR_….</param>
    /// <param name="options">The mount's.</param>
    /// <param name="fileSystemOptions">The file system's.</param>
    public static string Missing(ulong wanted, string options, string fileSystemOptions)
    {
        string[] has = options.Split(',');
        List<string> missing = [];
        foreach ((ulong attribute, string word) in Words)
        {
            if ((wanted & attribute) == 0 || has.Contains(word)) continue;
            if (word != "ro" || !fileSystemOptions.Split(',').Contains("ro")) missing.Add(word);
        }
        // Of the three modes relatime is the usual one, and strictatime has no word.
        if ((wanted & Mounts.MOUNT_ATTR__ATIME) == Mounts.MOUNT_ATTR_NOATIME && !has.Contains("noatime")) missing.Add("noatime");
        return string.Join(", ", missing);
    }

    private static void Change(List<ExpectedMount> mounts, SetMountAttributesStep set)
    {
        // The root has a line of its own.
        ExpectedMount? mount = mounts.FindLast(one => one.Path == set.Path);
        if (mount is null && set.Path != ".") mounts.Add(mount = new(set, set.Path));
        mount?.With(set.Set, set.Clear, set.Propagation);
        foreach (ExpectedMount below in mounts.FindAll(one => one.Path != set.Path && ContainerPath.IsBelow(one.Path, set.Path)))
        {
            if (set.Recursive) below.WithTree(set.Set, set.Clear, 0);
            below.Propagate(set.Propagation, recursiveOnly: true);
        }
        if (set.Recursive) mount?.WithTree(set.Set, set.Clear, 0);
    }

    // Of a tmpfs a remount changes how much it holds, and no more (shmem_reconfigure() in the kernel).
    private void Reconfigure(List<KeyValuePair<string, string?>> options) => Options.AddRange(step is MountFilesystemStep { Type: "tmpfs" }
        ? options.FindAll(static option => option.Key is "size" or "nr_inodes") : options);

    private ExpectedMount With(ulong set, ulong clear, ulong propagation)
    {
        Set = (Set & ~clear) | set;
        Propagate(propagation, recursiveOnly: false);
        return this;
    }

    private void Propagate(ulong words, bool recursiveOnly)
    {
        while (words != 0)
        {
            words = Init.Propagation.Next(words, out ulong flag, out bool recursive);
            if (recursive) TreePropagation = flag;
            if (recursive || !recursiveOnly) Propagation = flag;
        }
    }

    private ExpectedMount WithTree(ulong set, ulong clear, ulong propagation)
    {
        TreeSet = (TreeSet & ~clear) | set;
        return With(set, clear, propagation);
    }
}
