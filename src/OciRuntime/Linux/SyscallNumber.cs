namespace OciRuntime.Linux;

internal static partial class SyscallNumber
{
    public const int PidfdSendSignal = 424, OpenTree = 428, MoveMount = 429, Fsopen = 430, Fsconfig = 431, Fsmount = 432, Fspick = 433,
        PidfdOpen = 434,
        Clone3 = 435, CloseRange = 436, Openat2 = 437, PidfdGetfd = 438, Faccessat2 = 439, MountSetattr = 442, Statmount = 457;
}
