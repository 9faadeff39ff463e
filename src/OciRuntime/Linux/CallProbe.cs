namespace OciRuntime.Linux;

/// <summary>
/// Whether the kernel has a system call and lets this process make it, without doing anything: each gets arguments that it refuses.
/// </summary>
internal static class CallProbe
{
    private const int KEYCTL_GET_KEYRING_ID = 0, KEY_SPEC_SESSION_KEYRING = -3;

    /// <summary>Each call that every launch is made of, and its result; never a success.</summary>
    public static (string Name, long Result)[] All() =>
    [
        // Flags, sizes and descriptors that do not exist.
        ("openat2", Kernel.Call(SyscallNumber.Openat2, -1, 0, 0, 0)),
        ("open_tree", Kernel.Call(SyscallNumber.OpenTree, -1, 0, -1)),
        ("fsopen", Kernel.Call(SyscallNumber.Fsopen, 0, -1)),
        ("fsconfig", Kernel.Call(SyscallNumber.Fsconfig, -1, -1)),
        ("fsmount", Kernel.Call(SyscallNumber.Fsmount, -1, -1)),
        ("move_mount", Kernel.Call(SyscallNumber.MoveMount, -1, 0, -1, 0, -1)),
        ("mount_setattr", Kernel.Call(SyscallNumber.MountSetattr, -1, 0, -1)),
        ("pivot_root", Kernel.Call(SyscallNumber.PivotRoot, 0, 0)),
        ("umount2", Kernel.Call(SyscallNumber.Umount2, 0, -1)),
        ("clone3", Kernel.Call(SyscallNumber.Clone3, 0, 0)),
        ("unshare", Kernel.Call(SyscallNumber.Unshare, 1)),
        ("setns", Kernel.Call(SyscallNumber.Setns, -1)),
        ("pidfd_open", Kernel.Call(SyscallNumber.PidfdOpen, -1)),
        ("pidfd_send_signal", Kernel.Call(SyscallNumber.PidfdSendSignal, -1, 0, 0, -1)),
        ("close_range", Kernel.Call(SyscallNumber.CloseRange, 1, 0)),
        ("capset", Kernel.Call(SyscallNumber.Capset)),
    ];

    /// <summary>The caller's session keyring (keyctl(2)); nothing is made.</summary>
    public static long SessionKeyring() => Kernel.Call(SyscallNumber.Keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING);
}
