using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Goes through a cgroup and all below it. A container makes that tree, at will and at the same time: names are bytes, depth and length of
/// paths have no bound (PATH_MAX is one of paths, not of trees), and it may grow faster than anybody can walk. So there is one descriptor
/// however deep it gets, a number of system calls that grows with the number of cgroups and nothing else, a deadline, and a limit for the
/// names that are kept.
/// </summary>
/// <param name="deadline">When to give up, as <see cref="Environment.TickCount64"/>.</param>
/// <param name="room">For the names of cgroups that are yet to be entered, in bytes. Of each cgroup at least one child is looked
/// at.</param>
internal abstract class CgroupWalk(long deadline, int room = CgroupWalk.Room)
{
    /// <summary>Time for looking at a tree in milliseconds: more than ten thousand cgroups take on a slow machine.</summary>
    public const int WalkMilliseconds = 10_000;

    /// <summary>
    /// Half of the heap (System.GC.HeapHardLimit): 150,000 cgroups beside each other, if their names are as long as can be.
    /// </summary>
    public const int Room = 48 << 20;

    // Of a name beside its bytes: the array's header, and twice its place in the list, which grows by doubling.
    private const int NameCost = 64;

    // On v1 a cgroup can be renamed within its parent (cgroup1_rename() in the kernel), also by the container, as fast as it can.
    private const int RenamesFollowed = 100;

    private readonly Stack<Level> _above = [];
    private int _room = room;
    private bool _isCut;

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
    /// <returns>False when not all was seen: time was up, or there was no room for more names.</returns>
    /// <exception cref="OciException">A cgroup cannot be opened or read, for another reason than that it is gone.</exception>
    public bool Run(int top)
    {
        int current = top;
        try
        {
            if (!Enter(top)) return true;
            CgroupFiles.Rewind(top);
            // The inode is for coming back, and to the first one the walk comes back by its own descriptor.
            Level level = List(0, top);
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
                    level = List(level.Current.Inode, current);
                }
                else if (_above.TryPop(out Level? parent))
                {
                    Up(ref current, top, parent);
                    _room += level.Cost;
                    level = parent;
                    Leave(current, level.Current.Name);
                }
                else
                {
                    return !_isCut;
                }
            }
        }
        finally
        {
            if (current != top) Files.Close(current);
            _above.Clear();
        }
    }

    // A cgroup never changes its parent, so ".." is where the walk came from. That this is so is checked all the same: what follows may be
    // rmdir(2).
    private void Up(ref int current, int top, Level parent)
    {
        long above = _above.Count == 0 ? top : CgroupFiles.OpenParent(current);
        Files.Close(current);
        current = above < 0 ? top : (int)above;
        OciException.Check(above, "go up from a child cgroup");
        if (current != top && InodeOf(current) != parent.Inode)
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
            byte[]? renamed = null;
            CgroupFiles.Rewind(parent);
            long result = CgroupFiles.Children(parent, (inode, present) =>
            {
                if (inode == child.Inode) renamed = present;
                return renamed is null;
            });
            if (!CgroupFiles.IsGone(result)) OciException.Check(result, "read a cgroup");
            if (renamed is null) return fd;
            name = renamed;
        }
        throw new OciException($"open child cgroup {Encoding.UTF8.GetString(name)}: it is renamed again and again", Errno.EAGAIN);
    }

    private static ulong InodeOf(int directory)
    {
        OciException.Check(Files.Stat(directory, out Statx stat), "look at a cgroup");
        return stat.Inode;
    }

    private Level List(ulong inode, int directory)
    {
        List<Child> children = [];
        int cost = 0;
        long result = CgroupFiles.Children(directory, (number, name) =>
        {
            // One there is always room for: then each pass of a removal gets on.
            if (_room - cost < 0 && children.Count > 0)
            {
                _isCut = true;
                return false;
            }
            children.Add(new(number, name));
            cost += name.Length + NameCost;
            return true;
        });
        if (!CgroupFiles.IsGone(result)) OciException.Check(result, "read a cgroup");
        _room -= cost;
        return new(inode, children, cost);
    }

    /// <param name="Inode">In kernfs the number in a directory entry is that of the inode, and none is used twice.</param>
    /// <param name="Name">Without NUL.</param>
    private readonly record struct Child(ulong Inode, byte[] Name);

    private sealed class Level(ulong inode, List<Child> children, int cost)
    {
        private int _next;

        public int Cost => cost;

        public ulong Inode => inode;

        public Child Current => children[_next - 1];

        public bool Next() => _next++ < children.Count;
    }
}
