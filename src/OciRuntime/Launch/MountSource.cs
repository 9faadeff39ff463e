using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// Bind sources that the container's user namespace hides from the child (a volume below a 0700 directory): cloned with the runtime's
/// privileges.
/// </summary>
internal static class MountSource
{
    /// <summary>Answers init's request.</summary>
    /// <exception cref="OciException">The copy cannot be cut off from the host's.</exception>
    public static void Provide(Conversation init, MountBindStep step)
    {
        long tree = Mounts.OpenTree(Files.AT_FDCWD, step.Source, MountSteps.CloneFlags(step.Recursive, step.SourceNoFollow));
        using Fd fd = new((int)tree);
        // A mount that stays a peer of the host's would carry the container's mounts back.
        long cut = tree < 0 ? 0 : Mounts.SetAttributes((int)tree, new MountAttr { Propagation = Mounts.MS_SLAVE }, recursive: true);
        if (cut < 0)
        {
            throw OciException.FromResult(cut,
                $"{step.Origin}: {step.Describe()}: make the copy of the source a slave of the host's mounts");
        }
        init.Answer(tree < 0 ? (int)-tree : 0, (int)tree);
    }
}
