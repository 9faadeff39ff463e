namespace OciRuntime.Spec;

/// <content>Mounts of a container that is there.</content>
public static partial class SpecValidator
{
    /// <summary>Mounts to be made in a container, as given to <c>mounts add</c>; pointers start at the array.</summary>
    public static void ValidateLiveMounts(Mount[] mounts, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(mounts);
        ArgumentNullException.ThrowIfNull(problems);
        for (int i = 0; i < mounts.Length; i++)
        {
            Mount mount = mounts[i];
            CheckMount(mount, "", i, problems);
            // Each of these shows the namespace, or the cgroup, of whoever mounts it.
            if (!IsBind(mount) && mount.Type is ("proc" or "sysfs" or "mqueue" or "cgroup" or "cgroup2"))
            {
                problems.Error($"/{i}/type", SpecText.Quote(mount.Type),
                    "is not possible in a container that is there: it has that of its own namespaces, or can bind it");
            }
            for (int o = 0; o < mount.Options.Length; o++)
            {
                if (LiveProblem(mount.Options[o]) is { } problem)
                    problems.Error($"/{i}/options/{o}", SpecText.Quote(mount.Options[o]), problem);
            }
        }
    }

    /// <summary>Mounts to be taken out of a container, as given to <c>mounts remove</c>: only where they are counts.</summary>
    public static void ValidateMountPoints(Mount[] mounts, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(mounts);
        ArgumentNullException.ThrowIfNull(problems);
        for (int i = 0; i < mounts.Length; i++) CheckDestination(mounts[i], "", i, problems);
    }

    private static string? LiveProblem(string option) => option switch
    {
        "remount" => "is not possible in a container that is there: it could not be taken back",
        "copy-symlink" => "is not possible in a container that is there: a link is no mount, and could not be removed as one",
        "tmpcopyup" => "is not possible in a container that is there: what it copies could change meanwhile",
        _ => null,
    };
}
