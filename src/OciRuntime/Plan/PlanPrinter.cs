using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Prints an <see cref="Explanation"/>: as text for people, as JSON for programs (docs/explain.md).</summary>
internal static partial class PlanPrinter
{
    /// <summary>CLONE_NEW… names of the flags of clone3, in the order of <see cref="NamespaceNames.All"/>.</summary>
    private static List<string> FlagNames(ulong flags) => NamespaceNames.Of(flags).ConvertAll(static name => name switch
    {
        "network" => "CLONE_NEWNET",
        "mount" => "CLONE_NEWNS",
        _ => "CLONE_NEW" + name.ToUpperInvariant(),
    });

    /// <summary>The chapter a step belongs to. Null: whatever chapter it stands in.</summary>
    private static string? Chapter(InitOp op) => op switch
    {
        InitOp.SetMountAttributes or InitOp.Symlink or InitOp.SecurityAttribute => null,
        <= InitOp.LoopbackUp => "Cgroups and namespaces",
        InitOp.HostPropagation or InitOp.BindRootfs or InitOp.HostRoot or InitOp.MountFilesystem or InitOp.LabelQueues or InitOp.MountBind => "File systems",
        InitOp.OpenDev or InitOp.DeviceNode or InitOp.DeviceBind or InitOp.DeviceMount => "Devices",
        <= InitOp.RootPropagation => "The root file system",
        <= InitOp.CloseHost => "Kernel settings",
        <= InitOp.Umask => "Limits and privileges",
        _ => "The program",
    };
}
