using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Device nodes for a container in a user namespace, where mknod(2) is not permitted: made by the runtime in a tmpfs that is mounted
/// nowhere, and handed in as mounts of one file each. The node is the container's own; nobody can get from it to the directory that it is
/// in.
/// </summary>
internal sealed class DeviceNodes : IDisposable
{
    private Fd? _directory;
    private int _made;

    /// <summary>Answers the child's request.</summary>
    /// <param name="child">The child, in whose user namespace the owner is meant.</param>
    /// <param name="step">The device.</param>
    /// <param name="compiled">The plan, with the options of the file system.</param>
    /// <exception cref="OciException">The node cannot be made.</exception>
    public void Provide(ChildProcess child, DeviceMountStep step, CompiledPlan compiled)
    {
        uint uid = HostId(child.Pid, "uid", step.Device.Uid, step.Origin), gid = HostId(child.Pid, "gid", step.Device.Gid, step.Origin);
        int directory = (_directory ??= Opened(compiled.MakeFilesystem(step), step, "make a tmpfs for it")).Number;
        string name = $"{_made++}";
        Check(Files.MakeNodeAt(directory, name, step.Device.Mode, step.Device.Number), step, "mknod");
        Check(Files.ChownAt(directory, name, uid, gid, Files.AT_SYMLINK_NOFOLLOW), step, "chown");
        // The umask has taken its part, and chown set-id bits.
        Check(Files.ChmodAt(directory, name, step.Device.Mode & FileModes.All), step, "chmod");
        using Fd mount = Opened(Mounts.OpenTree(directory, name, Mounts.OPEN_TREE_CLONE | Files.AT_SYMLINK_NOFOLLOW), step, "open_tree");
        child.Conversation.Answer(passed: mount.Number);
    }

    /// <summary>What an id of the container is here (user_namespaces(7), "uid_map": as whoever reads it sees it).</summary>
    private static uint HostId(int pid, string kind, uint id, Origin origin)
    {
        string file = $"{kind}_map";
        List<IdMapping> map = IdMapper.Read($"{pid}", file, out long error)
            ?? throw OciException.FromResult(error, $"{origin}: read /proc/{pid}/{file}");
        return map.Find(range => range.Maps(id)) is { } found ? found.HostID + (id - found.ContainerID)
            : throw new OciException($"{origin}/{kind}: {id}: is not mapped in the container's user namespace");
    }

    private static Fd Opened(long result, PlanStep step, string call)
    {
        Check(result, step, call);
        return new Fd((int)result);
    }

    private static void Check(long result, PlanStep step, string call) =>
        OciException.Check(result, $"{step.Origin}: {step.Describe()}: {call}");

    public void Dispose() => _directory?.Dispose();
}
