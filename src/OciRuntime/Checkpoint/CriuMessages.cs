using System.Text;
using OciRuntime.Protobuf;

namespace OciRuntime.Checkpoint;

/// <summary>
/// criu_req_type of criu's images/rpc.proto. After an open pre-dump criu waits for more requests and complains when there is none.
/// </summary>
internal enum CriuRequestType
{
    Dump = 1, Restore = 2, OpenPreDump = 4, Notify = 6, FeatureCheck = 9, Version = 10, PreDump = 13,
}

/// <summary>Field numbers of criu_opts in criu's images/rpc.proto, where each is explained.</summary>
internal enum CriuOption
{
    ImagesDirFd = 1, Pid = 2, LeaveRunning = 3, ExtUnixSk = 4, TcpEstablished = 5, EvasiveDevices = 6, ShellJob = 7, FileLocks = 8,
    LogLevel = 9, LogFile = 10,
    PageServer = 11, NotifyScripts = 12, Root = 13, ParentImage = 14, TrackMemory = 15, AutoDedup = 16, WorkDirFd = 17, LinkRemap = 18,
    ManageCgroups = 24,
    CgroupRoot = 25, RestoreSibling = 26, InheritFd = 27, ManageCgroupsMode = 34, External = 37, EmptyNamespaces = 38, JoinNamespace = 39,
    FreezeCgroup = 44,
    TcpSkipInFlight = 46, LazyPages = 48, OrphanPtsMaster = 50, ConfigFile = 51, TcpClose = 52, LsmProfile = 53, LsmMountContext = 63,
    NetworkLock = 64,
}

/// <summary>A criu_opts message in the making.</summary>
internal sealed class CriuOptions
{
    public ProtobufWriter Message { get; } = new();

    public void Set(CriuOption option, long value) => Message.Number((int)option, value);

    public void Set(CriuOption option, string value) => Message.Text((int)option, value);

    /// <summary>A switch that is off is left out: an older criu need not know it.</summary>
    public void SetIf(CriuOption option, bool value)
    {
        if (value) Set(option, 1);
    }

    /// <summary>A pair of texts: join_namespace, cgroup_root.</summary>
    public void Add(CriuOption option, string first, string second)
    {
        ProtobufWriter pair = new();
        pair.Text(1, first);
        pair.Text(2, second);
        Message.Message((int)option, pair);
    }

    /// <summary>A text and a number: inherit_fd, criu_page_server_info.</summary>
    public void Add(CriuOption option, string first, int second)
    {
        ProtobufWriter pair = new();
        pair.Text(1, first);
        pair.Number(2, second);
        Message.Message((int)option, pair);
    }
}

/// <summary>What of a criu_resp message is used.</summary>
internal sealed class CriuResponse
{
    public CriuRequestType Type { get; private set; }
    public bool Success { get; private set; }

    /// <summary>The restored process, or the one a notification is about, in criu's pid namespace.</summary>
    public int Pid { get; private set; }

    /// <summary>Which notification it is.</summary>
    public string Script { get; private set; } = "";

    public int Errno { get; private set; }
    public string ErrorMessage { get; private set; } = "";

    /// <summary>Major × 100 + minor: 317 is 3.17.</summary>
    public int Version { get; private set; }

    public bool HasMemoryTracking { get; private set; }
    public bool HasLazyPages { get; private set; }

    /// <exception cref="FormatException">This is no criu_resp.</exception>
    public static CriuResponse Parse(ReadOnlySpan<byte> message)
    {
        CriuResponse response = new();
        for (ProtobufReader r = new(message); r.Next();)
        {
            switch (r.Field)
            {
                case 1: response.Type = (CriuRequestType)r.Number; break;
                case 2: response.Success = r.Number != 0; break;
                case 4: response.ReadRestored(r.Bytes); break;
                case 5: response.ReadNotification(r.Bytes); break;
                case 7: response.Errno = (int)r.Number; break;
                case 8: response.ReadFeatures(r.Bytes); break;
                case 9: response.ErrorMessage = Encoding.UTF8.GetString(r.Bytes); break;
                case 10: response.ReadVersion(r.Bytes); break;
            }
        }
        return response;
    }

    private void ReadRestored(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader r = new(message); r.Next();) if (r.Field == 1) Pid = (int)r.Number;
    }

    private void ReadNotification(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader r = new(message); r.Next();)
        {
            if (r.Field == 1) Script = Encoding.UTF8.GetString(r.Bytes);
            else if (r.Field == 2) Pid = (int)r.Number;
        }
    }

    private void ReadFeatures(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader r = new(message); r.Next();)
        {
            if (r.Field == 1) HasMemoryTracking = r.Number != 0;
            else if (r.Field == 2) HasLazyPages = r.Number != 0;
        }
    }

    private void ReadVersion(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader r = new(message); r.Next();)
        {
            if (r.Field == 1) Version += (int)r.Number * 100;
            else if (r.Field == 2) Version += (int)r.Number;
        }
    }
}
