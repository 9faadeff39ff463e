using CommandLine;

namespace OciRuntime.Cli;

/// <summary>What checkpoint and restore have in common.</summary>
public abstract partial class CriuVerbOptions : ContainerOptions
{
    [Option("image-path", MetaValue = "DIR", HelpText = "directory of the checkpoint (default: ./checkpoint)")]
    public string? ImagePath { get; set; }

    [Option("work-path", MetaValue = "DIR", HelpText = "directory for criu's log and working files (default: that of the checkpoint)")]
    public string? WorkPath { get; set; }

    [Option("parent-path", MetaValue = "DIR", HelpText = "directory of an earlier pre-dump, relative to --image-path")]
    public string? ParentPath { get; set; }

    [Option("tcp-established", HelpText = "allow open TCP connections, and save or restore them")]
    public bool TcpEstablished { get; set; }

    [Option("ext-unix-sk", HelpText = "allow unix sockets connected to outside of the container")]
    public bool ExtUnixSk { get; set; }

    [Option("shell-job", HelpText = "allow a container that uses the caller's own terminal")]
    public bool ShellJob { get; set; }

    [Option("file-locks", HelpText = "allow file locks, and save or restore them")]
    public bool FileLocks { get; set; }

    [Option("lazy-pages", HelpText = "fetch memory pages only when they are used (userfaultfd)")]
    public bool LazyPages { get; set; }

    [Option("auto-dedup", HelpText = "drop pages from earlier images that a later one has")]
    public bool AutoDedup { get; set; }

    [Option("manage-cgroups-mode", MetaValue = "MODE",
        HelpText = "what to do about cgroups below the container's: soft (the default), full, strict or ignore")]
    public ManageCgroupsMode? ManageCgroupsMode { get; set; }

    [Option("empty-ns", MetaValue = "NAMESPACE", HelpText = "namespace that is made empty: network, which always is; may be repeated")]
    public List<string> EmptyNs { get; } = [];

    [Option("network-lock", MetaValue = "METHOD", HelpText = "how connections are held meanwhile: iptables, nftables or skip")]
    public NetworkLockMethod? NetworkLock { get; set; }
}

/// <summary>--manage-cgroups-mode; the numbers are criu's (criu_cg_mode in its images/rpc.proto).</summary>
public enum ManageCgroupsMode
{
    Soft = 3, Full = 4, Strict = 5, Ignore = 0,
}

/// <summary>--network-lock; the numbers are criu's (criu_network_lock_method in its images/rpc.proto).</summary>
public enum NetworkLockMethod
{
    Iptables = 1, Nftables = 2, Skip = 3,
}
