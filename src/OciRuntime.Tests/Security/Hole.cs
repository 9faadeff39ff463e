namespace OciRuntime.Tests.Security;

/// <summary>
/// A protection taken out of a copy of the source, where no system call can be (see <see cref="ControlTests"/>), and a test that must fail
/// on what is built of that.
/// </summary>
/// <param name="File">Below src/OciRuntime.</param>
/// <param name="Protection">Text that the file has once.</param>
/// <param name="Instead">What stands there in the copy.</param>
/// <param name="Test">A filter, as of `dotnet test`.</param>
/// <param name="Complaint">What the test says then.</param>
internal sealed record Hole(string File, string Protection, string Instead, string Test, string Complaint)
{
    /// <summary>By the attack.</summary>
    public static readonly Dictionary<string, Hole> All = new()
    {
        // It is overwritten, and is none any more.
        ["CVE-2019-5736"] = new("Native/seal.c", "            /* With the whole environment. */",
            "            hide_settings_of_the_runtime(environment);\n            return;",
            "Name=Created_container_holds_no_writable_binary", "Exec format error"),
        // Each of the two closes what the other has forgotten.
        ["CVE-2024-21626"] = new("Init/InitState.cs", "if (ProcFd >= 0) Files.Close(ProcFd);", "",
            "Name=Created_container_holds_nothing_of_the_host", "descriptor"),
        ["CVE-2024-21626, once more"] = new("Init/StartSteps.cs",
            "s.SetUpResult = s.Plan->Fds.Lasting.CloseOthers((uint)(3 + s.Plan->PreservedFds), default);", "s.SetUpResult = 0;",
            "Name=Created_container_holds_nothing_of_the_host", "descriptor"),
        ["settings of the .NET runtime"] = new("Native/seal.c", "\"DOTNET_\", \"COMPlus_\", \"GLIBC_TUNABLES=\", \"MALLOC_\", \"LD_\" };",
            "\"NOTHING_\" };", "Name~Nor_by_what_tunes_the_c_library&Name~version", "to be equal to"),
        ["a forged message"] = new("Launch/Conversation.cs",
            "if (message.TextLength is < 0 or > SyncMessage.TextSize) throw Nonsense($\"a text of {message.TextLength} bytes\");", "",
            "Name~Start_prints_nothing_of_the_callers", "sent what it cannot mean: a text of 12000 bytes"),
        ["messages out of order"] = new("Launch/Conversation.cs",
            "if (message.Step < _step || (_plan is not null && message.Step >= _plan.Steps.Count))", "if (message.Step < -1)",
            "Name=What_comes_too_late_is_refused", "to be thrown"),
        ["a file system that does not answer"] = new("Launch/LiveMounts.cs", "() => _committed ? CommittedMilliseconds",
            "() => _committed ? -1", "Name~Mounts_end_and_let_the_lock_go", "did not end within 12 s"),
        ["a destination that is the root"] = new("Init/MountSteps.cs",
            "isRoot = result >= 0 && target.Identity == root.Identity && target.MountId == root.MountId;", "isRoot = false;",
            "Name~Mount_destination_leads_to_the_root", "this should fail"),
        ["GHSA-3q8j-pf29-vwv8"] = new("Init/ProtectionSteps.cs", "Files.AT_EMPTY_PATH | Files.AT_RECURSIVE);",
            "Files.AT_EMPTY_PATH | Files.AT_RECURSIVE);\n        target = RootPath.Open(s.RootFd, place->Path, Files.O_PATH);",
            "Name=Read_only_path_is_swapped_for_another", "NameAbove"),
        ["renames without end"] = new("Init/RootPath.cs", "if (fd != -Errno.EAGAIN) return fd;", "if (i >= 0) return fd;",
            "Name=A_storm_of_renames_is_waited_out", "resource temporarily unavailable"),
        ["removal of a mask"] = new("Init/LiveMountSteps.cs", "for (int i = 0; i < removal->Protective.Count && result == 0; i++)",
            "for (int i = 0; i < 0; i++)", "Name~The_directory_above_is_renamed_and_linked_to", "this should fail"),
        ["a descriptor that cannot be closed"] = new("Init/InitDescriptors.cs",
            "long result = kept == first ? 0 : Files.CloseRange(first, kept == uint.MaxValue ? kept : kept - 1, 0);",
            "long result = 0;\n            if (kept != first) Files.CloseRange(first, kept == uint.MaxValue ? kept : kept - 1, 0);",
            "Name=Descriptors_that_cannot_be_closed", "this should fail"),
        ["the multiplexer"] = new("Init/ConsoleSteps.cs",
            "bool genuine = Files.StatFs((int)fd, out Statfs fs) >= 0 && fs.Type == Files.DEVPTS_SUPER_MAGIC",
            "bool genuine = fd >= 0 || Files.StatFs((int)fd, out Statfs fs) >= 0 && fs.Type == Files.DEVPTS_SUPER_MAGIC",
            "Name~The_multiplexer_is_not_one", "not the device it should be"),
        ["/etc/passwd of the kernel"] = new("Init/HomeDirectory.cs", "&& !Files.IsKernelInterface(fs)", "",
            "Name~Passwd_is_a_link_into_the_kernel", "O_PATH"),
        ["the host's /dev"] = new("Init/HostFiles.cs", "hosts = result >= 0 && stat.MountId != root.MountId;", "hosts = false;",
            "Name=Nothing_is_changed_in_the_hosts_dev", "same"),
        ["GHSA-g54h-m393-cpwq"] = new("Cgroups/DeviceFilter.cs", "bool defaultAllow = false;", "bool defaultAllow = true;",
            "Name~Devices_are_denied_by_default", "Operation not permitted"),
        ["a hook's umask"] = new("Init/HookSteps.cs", "Files.SetUmask(s.CallersUmask);", "Files.SetUmask(0);",
            "Name~The_umask_is_the_callers", "createContainer"),
        ["another's state directory"] = new("State/StateRoot.cs",
            "if (stat.Uid == euid && (stat.Mode & FileModes.WritableByOthers) == 0) return;", "if (stat.Uid != uint.MaxValue) return;",
            "Name~Nobody_else_may_write_there", "this should fail"),
        ["ids as paths"] = new("State/ContainerId.cs", "if (!IsValid(id)) throw new OciException(\"invalid container ID format\");", "",
            "Name~Ids_are_checked_by_every_verb", "invalid container ID format"),
        ["a cgroup of somebody else's for an exec"] = new("Cgroups/CgroupPaths.cs",
            "if (part.SequenceEqual(\"..\")) throw", "if (part.SequenceEqual(\"...\")) throw",
            "Name=Cgroup_below_the_containers", "this should fail"),
        // Never of a device.
        ["a file as a standard stream"] = new("Launch/StandardStreamOwner.cs", "fs.Type is not (PIPEFS_MAGIC or SOCKFS_MAGIC)",
            "fs.Type == Files.TMPFS_MAGIC", "Name~What_has_a_name_keeps_its_owner&Name~file", "Expected"),
        ["CVE-2023-25809"] = new("Plan/MountPlanner.cs", "(request.Cgroups.Length > 0 ? 0 : Mounts.MOUNT_ATTR_RDONLY)", "0",
            "Name~Hierarchies_are_shown_and_read_only", "they are others'"),
        ["CVE-2023-25809, once more"] = new("Init/MountSteps.cs", "attributes->Set | (isFallback ? Mounts.MOUNT_ATTR_RDONLY : 0)",
            "attributes->Set", "Name~Hierarchies_are_shown_and_read_only", "they are others'"),
        ["wide trees of cgroups"] = new("Cgroups/CgroupWalk.cs", "if (_room - cost < 0 && children.Count > 0)",
            "if (_room - cost == int.MaxValue)", "Name~Names_that_there_is_no_room_for", "to be thrown"),
        ["a thread's name"] = new("Cgroups/CgroupProcesses.cs", "\"\\nTgid:\\t\"u8", "\"Tgid:\\t\"u8",
            "Name~The_process_of_a_thread", "Expected"),
        ["escape sequences"] = new("Linux/VisibleText.cs", "if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;",
            "if (text.Length >= 0) return text;", "Name=What_is_more_than_text_is_escaped_and_the_rest_is_not", "Expected"),
        ["CVE-2026-119101"] = new("Checkpoint/ExternalMount.cs",
            "if (path.Contains(']') || path.AsSpan().ContainsAnyInRange('\\0', '\\x1f'))",
            "if (path.Length == 0)", "Name=A_bracket_in_a_mount_point_is_refused", "criu cannot be told of a mount at"),
        ["CVE-2024-3154"] = new("Spec/SystemdProperty.cs", "if (name.Length < MinNameLength || !name.All(char.IsAsciiLetter))",
            "if (name.Length > 1000)", "Name~Names_are_three_or_more_letters", "whose name is not"),
        ["CVE-2020-15257"] = new("Shim/ShimSocket.cs", "return $\"{directory}/{Convert", "return $\"@{directory}/{Convert",
            "Name=Sockets_have_containerds_names", "Expected"),
    };
}
