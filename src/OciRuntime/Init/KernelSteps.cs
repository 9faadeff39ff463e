using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct HostnameArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Hostname;
    public NativeText Name;
}

internal struct DomainnameArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Domainname;
    public NativeText Name;
}

internal struct SysctlArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Sysctl;

    /// <summary>Below /proc.</summary>
    public NativeText Path;
    public NativeText Value;
}

/// <summary>The kernel's settings for the container's namespaces.</summary>
internal static unsafe class KernelSteps
{
    public static long Hostname(HostnameArguments* host) =>
        Kernel.Call(SyscallNumber.Sethostname, (nint)(byte*)host->Name, CString.Length(host->Name));

    public static long Domainname(DomainnameArguments* domain) =>
        Kernel.Call(SyscallNumber.Setdomainname, (nint)(byte*)domain->Name, CString.Length(domain->Name));

    public static long Sysctl(ref InitState s, SysctlArguments* setting) => s.WriteProc(setting->Path, setting->Value);
}
