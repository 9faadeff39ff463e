using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Verify;

/// <summary>Device nodes: those that were made are what they were, and there are no others in /dev.</summary>
internal static class DeviceProof
{
    private const string Title = "devices";

    // Root of the container fills its /dev with as many as its memory lasts for.
    private const int MostNames = 1 << 18;

    public static void Add(Report report, Subject subject, FileTree tree)
    {
        HashSet<string> known = [];
        // A user namespace has no devices of its own.
        bool mayMake = subject.MayHaveOutside(Credentials.CAP_MKNOD);
        HashSet<(int Type, ulong Number)> made = [.. subject.Plan.Steps.OfType<DeviceNodeStep>()
            .Where(static node => ContainerPath.IsBelow(node.Path, "dev")).Select(static node => Key(node.Device))];
        foreach (PlanStep step in subject.Plan.Steps)
        {
            (string? path, DeviceIdentity device) = step switch
            {
                DeviceNodeStep node => (node.Path, node.Device),
                DeviceBindStep bind => (bind.Path, bind.Device),
                DeviceMountStep mount => (mount.Path, mount.Device),
                _ => (null, default),
            };
            if (path is null) continue;
            known.Add(path);
            report.Add(Title, step.Origin.ToString(), $"/{path}{Words(device)}", Node(subject, tree, path, device, step, made));
        }
        // Of a /dev that is bound its owner decides.
        if (subject.Plan.Find<OpenDevStep>() is null || !ExpectedMount.Of(subject.Plan).Exists(static one => one.Path == "dev")) return;
        bool mayAppear = mayMake || subject.Spec.Hooks is not null;
        report.Add(Title, "/linux/devices", "no other devices in /dev", Others(subject, tree, known, made, mayAppear));
    }

    private static string Words(in DeviceIdentity device)
    {
        uint type = device.Mode & Files.S_IFMT;
        return type == Files.S_IFIFO ? ", a named pipe" : $", the {(type == Files.S_IFBLK ? "block" : "character")} device";
    }

    private static (int Type, ulong Number) Key(in DeviceIdentity device) => ((int)(device.Mode & Files.S_IFMT), device.Number);

    /// <summary>
    /// Whether it takes no right to make devices to have it there: what is made in the container's /dev may have other names in there by
    /// now, and what is none may have been put in its place. Also 0:0, which anybody makes (WHITEOUT_DEV).
    /// </summary>
    private static bool IsAnybodys(in Statx stat, HashSet<(int Type, ulong Number)> made)
    {
        if (stat.Type is not (Files.S_IFCHR or Files.S_IFBLK)) return true;
        ulong number = Files.MakeDevice(stat.RdevMajor, stat.RdevMinor);
        return made.Contains((stat.Type, number)) || (stat.Type == Files.S_IFCHR && number == 0);
    }

    private static Seen Node(Subject subject, FileTree tree, string path, in DeviceIdentity device, PlanStep step,
        HashSet<(int Type, ulong Number)> made)
    {
        using Place? place = tree.Find(path, followLast: false, out bool isMissing, out string why);
        // Root of the container may remove it from a tmpfs of its own.
        if (place is null)
        {
            return !isMissing ? Seen.Unchecked(why) : Subject.Other(!subject.IsWaiting || step.Origin == Origin.Runtime, "it is not there");
        }
        if (!device.Is(place.Stat))
        {
            // To uncover what is below a mount takes the right to mount.
            bool mayChange = step is not DeviceNodeStep ? subject.MayHave(Credentials.CAP_SYS_ADMIN)
                : subject.MayHaveOutside(Credentials.CAP_MKNOD) || (!subject.IsWaiting && IsAnybodys(place.Stat, made));
            return Subject.Other(mayChange, $"it is {Describe(place.Stat)}");
        }
        // What is made is made with this mode and owner; of what is the host's these were compared with the host's.
        if (step is not DeviceNodeStep || subject.Plan.InUserNamespace || step.Origin == Origin.Runtime) return Seen.Held;
        bool isSame = ((place.Stat.Mode ^ device.Mode) & FileModes.All) == 0
            && place.Stat.Uid == device.Uid && place.Stat.Gid == device.Gid;
        return isSame ? Seen.Held : Subject.Other(!subject.IsWaiting,
            $"it has mode {UmaskStep.Octal(place.Stat.Mode & FileModes.All)}, owner {place.Stat.Uid}:{place.Stat.Gid}, and not "
            + $"{UmaskStep.Octal(device.Mode & FileModes.All)}, {device.Uid}:{device.Gid}");
    }

    private static Seen Others(Subject subject, FileTree tree, HashSet<string> known, HashSet<(int Type, ulong Number)> made,
        bool mayAppear)
    {
        using Place? dev = tree.Find("dev", followLast: true, out _, out string why);
        if (dev is null) return Seen.Unchecked(why);
        if (dev.Mount.Type != "tmpfs") return Seen.Unchecked($"/dev is a {dev.Mount.Type}");
        long fd = Files.OpenAt(dev.Descriptor.Number, ".", Files.O_RDONLY | Files.O_DIRECTORY);
        if (fd < 0) return Seen.Unchecked(ErrnoText.Full((int)-fd));
        using Fd directory = new((int)fd);
        Seen worst = Seen.Held;
        DirectoryEntries entries = new(directory.Number, stackalloc byte[8192]);
        for (int names = 0; entries.Next(); names++)
        {
            if (names == MostNames) return worst.Outcome != Outcome.Held ? worst : Seen.Unchecked($"it has more than {MostNames} names");
            if (!entries.IsDevice) continue;
            string name = Encoding.UTF8.GetString(entries.Name);
            if (known.Contains("dev/" + name)) continue;
            using Place? place = tree.In(dev, entries.Name);
            // The terminal is a mount.
            if (place is not { IsMountRoot: false, Stat.Type: Files.S_IFCHR or Files.S_IFBLK }) continue;
            Seen seen = Subject.Other(mayAppear || (!subject.IsWaiting && IsAnybodys(place.Stat, made)),
                $"/dev/{name} is {Describe(place.Stat)}");
            if (seen.Outcome == Outcome.Broken) return seen;
            worst = seen;
        }
        return entries.Result < 0 ? Seen.Unchecked(ErrnoText.Full((int)-entries.Result)) : worst;
    }

    private static string Describe(in Statx stat) => stat.Type switch
    {
        Files.S_IFCHR => $"the character device {stat.RdevMajor}:{stat.RdevMinor}",
        Files.S_IFBLK => $"the block device {stat.RdevMajor}:{stat.RdevMinor}",
        _ => "no device",
    };
}
