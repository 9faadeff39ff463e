using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>What containerd says of a checkpoint (containerd.runc.v1.CheckpointOptions), as it is told to criu.</summary>
internal static class CheckpointSettings
{
    /// <param name="request">What came. Without options the container goes on.</param>
    /// <param name="work">The directory of criu's log where none is named; null for that of the images.</param>
    /// <exception cref="FormatException">It is no message.</exception>
    /// <exception cref="TaskError">It asks for what cannot be.</exception>
    public static DumpSettings Read(CheckpointRequest request, string? work)
    {
        bool exit = false, tcp = false, sockets = false, terminal = false, locks = false;
        string mode = "", parent = "";
        bool isKnown = request.Options.Is("containerd.runc.v1.CheckpointOptions");
        for (ProtobufReader field = new(isKnown ? request.Options.Value : []); field.Next();)
        {
            switch (field.Field)
            {
                case 1: exit = field.Number != 0; break;
                case 2: tcp = field.Number != 0; break;
                case 3: sockets = field.Number != 0; break;
                case 4: terminal = field.Number != 0; break;
                case 5: locks = field.Number != 0; break;
                case 6: CheckEmptyNamespace(field.Text); break;
                case 7: mode = field.Text; break;
                // 8 is the path that the request has, too.
                case 9 when !field.Bytes.IsEmpty: work = field.Text; break;
                case 10: parent = field.Text; break;
                default: break;
            }
        }
        return new DumpSettings
        {
            LeaveRunning = !exit,
            Criu = new CriuSettings
            {
                ImagePath = request.Path,
                WorkPath = work,
                ParentPath = parent.Length == 0 ? null : parent,
                TcpEstablished = tcp,
                ExtUnixSk = sockets,
                ShellJob = terminal,
                FileLocks = locks,
                CgroupsMode = Mode(mode),
            },
        };
    }

    /// <summary>The network's is left empty in any case.</summary>
    private static void CheckEmptyNamespace(string name)
    {
        // runc's words.
        if (name != "network") throw new TaskError(RpcCode.InvalidArgument, $"namespace \"{name}\" is not supported");
    }

    private static CgroupsMode? Mode(string word) => word.Length == 0 ? null
        : EnumWords.TryRead(word, out ManageCgroupsMode mode) ? (CgroupsMode)mode
        : throw new TaskError(RpcCode.InvalidArgument, $"cgroups mode \"{word}\": use soft, full, strict or ignore");
}
