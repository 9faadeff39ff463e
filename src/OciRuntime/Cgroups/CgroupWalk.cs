using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Goes through a cgroup and all below it. A container makes that tree, at will and at the same time: names are bytes, depth and length of paths
/// have no bound (PATH_MAX is one of paths, not of trees), and it may grow faster than anybody can walk. So there is one descriptor however deep
/// it gets, a number of system calls that grows with the number of cgroups and nothing else, and a deadline.
/// </summary>
/// <param name="deadline">When to give up, as <see cref="Environment.TickCount64"/>.</param>
internal abstract class CgroupWalk(long deadline)
{
    /// <summary>Time for looking at a tree in milliseconds: more than ten thousand cgroups take on a slow machine.</summary>
    public const int Patience = 10_000;

    // On v1 a cgroup can be renamed within its parent (cgroup1_rename() in the kernel), also by the container, as fast as it can.
    private const int RenamesFollowed = 100;

    private readonly Stack<Level> _above = [];

    /// <summary>A cgroup that is entered, the first one included.</summary>
    /// <param name="directory">Open for reading.</param>
    /// <returns>False to end the walk.</returns>
    protected virtual bool Enter(int directory) => true;

    /// <summary>Whether a child is to be entered.</summary>
    protected virtual bool Wants(int parent, byte[] name) => true;

    /// <summary>All below a child has been seen.</summary>
    protected virtual void Leave(int parent, byte[] name)
    {
    }

    /// <summary>The names from below the first cgroup down to the one that is being entered, without NUL.</summary>
    protected IEnumerable<byte[]> Names => _above.Reverse().Select(static level => level.Current.Name);

    /// <summary>The deadline has passed: the walk ends without a result, and whoever is at work within it should.</summary>
    protected bool IsLate => Environment.TickCount64 > deadline;

    /// <summary>Walks.</summary>
    /// <param name="top">Open for reading; its position does not matter and is changed.</param>
    /// <returns>False when time was up before the end.</returns>
    /// <exception cref="OciException">A cgroup cannot be opened or read, for another reason than that it is gone.</exception>
    public bool Run(int top)
    {
        int current = top;
        try
        {
            if (!Enter(top)) return true;
            CgroupFiles.Rewind(top);
            // The inode is for coming back, and to the first one the walk comes back by its own descriptor.
            Level level = new(0, List(top));
            while (true)
            {
                if (IsLate) return false;
                if (level.Next())
                {
                    if (!Wants(current, level.Current.Name)) continue;
                    long inner = Open(current, level.Current);
                    if (inner < 0) continue;
                    _above.Push(level);
                    if (current != top) Files.Close(current);
                    current = (int)inner;
                    if (!Enter(current)) return true;
                    level = new(level.Current.Inode, List(current));
                }
                else if (_above.TryPop(out Level? parent))
                {
                    current = Up(current, top, parent);
                    level = parent;
                    Leave(current, level.Current.Name);
                }
                else return true;
            }
        }
        finally
        {
            if (current != top) Files.Close(current);
            _above.Clear();
        }
    }

    // A cgroup never changes its parent, so ".." is where the walk came from. That this is so is checked all the same: what follows may be rmdir(2).
    private int Up(int current, int top, Level parent)
    {
        long above = _above.Count == 0 ? top : CgroupFiles.OpenParent(current);
        if (current != top) Files.Close(current);
        OciException.Check(above, "go up from a child cgroup");
        if (above == top || InodeOf((int)above) == parent.Inode) return (int)above;
        Files.Close((int)above);
        throw new OciException("a cgroup has moved while it was looked through", Errno.EXDEV);
    }

    /// <summary>Opens a child, under whatever name it has by now; negative when it is gone.</summary>
    private static long Open(int parent, Child child)
    {
        byte[] name = child.Name;
        for (int attempt = 0; attempt < RenamesFollowed; attempt++)
        {
            long fd = CgroupFiles.OpenDirectory(parent, name);
            if (!CgroupFiles.IsGone(fd)) return OciException.Check(fd, $"open child cgroup {Encoding.UTF8.GetString(name)}");
            CgroupFiles.Rewind(parent);
            List<Child> present = List(parent);
            int renamed = present.FindIndex(other => other.Inode == child.Inode);
            if (renamed < 0) return fd;
            name = present[renamed].Name;
        }
        throw new OciException($"open child cgroup {Encoding.UTF8.GetString(name)}: it is renamed again and again", Errno.EAGAIN);
    }

    private static ulong InodeOf(int directory)
    {
        OciException.Check(Files.Stat(directory, out Statx stat), "look at a cgroup");
        return stat.Inode;
    }

    private static List<Child> List(int directory)
    {
        List<Child> children = [];
        long result = CgroupFiles.Children(directory, (inode, name) => children.Add(new(inode, name)));
        if (!CgroupFiles.IsGone(result)) OciException.Check(result, "read a cgroup");
        return children;
    }

    /// <param name="Inode">In kernfs the number in a directory entry is that of the inode, and none is used twice.</param>
    /// <param name="Name">Without NUL.</param>
    private readonly record struct Child(ulong Inode, byte[] Name);

    private sealed class Level(ulong inode, List<Child> children)
    {
        private int _next;

        public ulong Inode => inode;

        public Child Current => children[_next - 1];

        public bool Next() => _next++ < children.Count;
    }
}
