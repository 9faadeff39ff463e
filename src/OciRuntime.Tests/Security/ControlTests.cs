using FluentAssertions;
using NUnit.Framework;
using NUnit.Framework.Internal;
using OciRuntime.Tests.Exec;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// Tests of attacks are made on runtimes that fall for them, and must say so; without that their success proves nothing. One is Debian 12's
/// runc, the others are ocirun without the calls, or the arguments of calls, that protect it; what is neither is in <see cref="Hole"/>.
/// </summary>
[NeedsMachine, LeavesNothing]
public sealed class ControlTests
{
    private const string OldRunc = "1.1.5";

    private const int Tries = 8;

    /// <summary>A test, and what it says when the attack succeeds.</summary>
    private static readonly Dictionary<string, (Action Test, string Complaint)> OnRunc = new()
    {
        ["CVE-2016-9962"] = (static () => new PrivilegeTests().Container_root_cannot_look_into_the_runtime(), "seen /proc/"),
        ["CVE-2025-23266"] = (static () => new PrivilegeTests().Hooks_of_the_host_get_nothing_of_the_image(), "Did not expect"),
        ["CVE-2025-31133"] = (static () => new ProcAndMaskTests().Masks_do_not_depend_on_the_images_null("file"), "but found empty"),
        ["CVE-2026-41579"] = (static () => OnImage(static test => test.Dev_is_a_link("absolute", mounted: false)), "nothing outside"),
        ["CVE-2026-88265"] = (static () => new ProcAndMaskTests().Standard_streams_stay_what_they_are(), "to be \"output\""),
        ["CVE-2019-16884"] = (static () => new ProcAndMaskTests().Nothing_may_be_mounted_inside_proc("/proc/self/attr", "tmpfs"),
            "this should fail"),
        ["CVE-2025-52881"] = (static () => new ProcAndMaskTests().Sysctls_reach_the_namespace_whatever_the_image_has_at_proc("files"),
            "of the image"),
        // A race, which it loses in one of the first rounds.
        ["a null device that is swapped"] = (static () => new RaceTests().Null_device_is_swapped_for_a_link(), "1:3"),
        ["the mode of a mask"] = (static () => new ProcAndMaskTests().Masks_are_read_only("chmod 666 /proc/keys"), "Read-only file system"),
        ["the caller's variables"] = (static () => new CallersWordsTests()
            .Created_container_has_neither_the_callers_variables_nor_his_arguments(false, false), "init.Environ to be empty"),
    };

    // openat2(2), and open(2).
    private const ulong RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_IN_ROOT = 0x10,
        O_NOFOLLOW = 0x20000;

    // capset(2), whose second argument has the inheritable ones behind the effective and the permitted; prctl(2).
    private const string KillIsInheritable = "raise-1-8-20", OfAmbient = ",0=47", IsRaised = "put-1-2", ForKill = "put-2-5";

    private const string OfUser = ",1=1000";

    private static readonly Dictionary<string, (Func<RuntimeBinary> Weakened, Action Test, string Complaint)> OnOurs = new()
    {
        ["the bounding set"] = (static () => Meddler.Without("prctl"),
            static () => new PrivilegeTests().Root_gets_no_inheritable_capabilities(), "CapBnd"),
        ["CVE-2022-29162, CVE-2022-27650, CVE-2025-27612"] = (static () => Meddler.With((KillIsInheritable, "capset", "")),
            static () => new PrivilegeTests().Root_gets_no_inheritable_capabilities(), "CapInh:0000000000000020"),
        ["CVE-2022-29162, CVE-2022-27650, CVE-2025-27612 by exec"] = (static () => Meddler.With((KillIsInheritable, "capset", "")),
            static () => new PrivilegeTests().Capabilities_of_an_exec_are_not_inheritable(), "CapInh:0000000000000020"),
        // Where all ambient ones are cleared, one is raised.
        ["CVE-2016-8867"] = (static () => Meddler.With((KillIsInheritable, "capset", ""), (IsRaised, "prctl", OfAmbient),
            (ForKill, "prctl", OfAmbient)),
            static () => new PrivilegeTests().An_ordinary_user_gets_neither_ambient_nor_inheritable_capabilities(),
            "CapAmb:0000000000000020"),
        // The user of that name is root.
        ["CVE-2016-3697"] = (IsRoot, static () => new PrivilegeTests().Numbers_are_not_names(), "\"0\""),
        ["CVE-2026-30892, CVE-2026-46680"] =
            (IsRoot, static () => new PrivilegeTests().Numbers_of_an_exec_are_not_names("1000"), "\"0\""),
        ["CVE-2024-21626, a working directory"] = (static () => KeepsDescriptors("self/fd/"),
            static () => new DescriptorTests().Working_directory_is_never_a_descriptor(), HostDirectory.Marker),
        ["CVE-2024-21626, a link to one"] = (static () => KeepsDescriptors("work"),
            static () => new DescriptorTests().Working_directory_is_a_link_to_a_descriptor(5), HostDirectory.Marker),
        ["CVE-2024-21626, a program"] = (static () => KeepsDescriptors("nothing"),
            static () => new DescriptorTests().Program_is_not_found_through_a_descriptor(), "outside the container"),
        ["CVE-2026-115521"] = (static () => Meddler.Without("mount_setattr"),
            static () => new ProcAndMaskTests().Read_only_root_with_a_fake_proc(), "this should fail"),
        ["the host's tree"] = (static () => Meddler.Without("umount2"),
            static () => new ConfinementTests().Nothing_of_the_host_is_reachable(), "unexpected mount"),
        ["CVE-2019-18837"] = (static () => Meddler.Clearing("openat2", "resolve", RESOLVE_IN_ROOT),
            static () => OnImage(static test => test.Mount_destination_is_a_link("absolute")), "nothing outside"),
        ["CVE-2026-55686"] = (static () => Meddler.Clearing("openat2", "resolve", RESOLVE_IN_ROOT),
            static () => OnImage(static test => test.Working_directory_is_a_link("absolute")), "nothing outside"),
        ["CVE-2023-27561"] = (static () => Meddler.Clearing("openat2", "resolve", RESOLVE_NO_SYMLINKS),
            static () => OnImage(static test => test.Proc_and_sys_must_be_real_directories("proc", "other")), "this should fail"),
        ["CVE-2026-88264"] = (static () => Meddler.Clearing("openat2", "resolve", RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT),
            static () => new ConsoleTests().Console_is_a_link("canary", false), "this should fail"),
        ["a copied directory"] = (static () => Meddler.Clearing("openat", "2", O_NOFOLLOW),
            static () => new RaceTests().Copied_directory_is_swapped("link"), "canary"),
        ["CVE-2016-9962"] = (static () => Meddler.Without("prctl", ",0=4"),
            static () => new ExecAttackTests().The_joining_process_gives_nothing_away(false, 0, false), "mem open"),
    };

    /// <summary>Those that are won by chance, within some seconds.</summary>
    private static readonly Dictionary<string, (Action Test, string Complaint)> Races = new()
    {
        ["CVE-2021-30465, CVE-2024-45310"] = (static () => new RaceTests().Destination_is_swapped_for_a_link("absolute"), "canary"),
        ["GHSA-3q8j-pf29-vwv8"] = (static () => new RaceTests().Read_only_path_is_swapped_for_another(), "NameAbove"),
    };

    /// <summary>Those that show by a wait that does not end.</summary>
    private static readonly Dictionary<string, (Func<RuntimeBinary> Weak, Action Test, string Complaint)> Waits = new()
    {
        ["CVE-2026-47262"] = (Old, static () => new HostileFileTests().Group_file_is_not_read(), "did not end"),
        ["/etc/passwd as a FIFO"] = (Old, static () => new HostileFileTests().Passwd_is_not_what_it_should_be("fifo"), "did not end"),
        ["/etc/passwd of a server that does not answer"] = (static () => Meddler.Clearing("openat2", "resolve", RESOLVE_NO_XDEV),
            static () => new StalledFileTests().A_launch_goes_on_without("/etc/passwd", "open"), "this should succeed"),
    };

    [TestCaseSource(nameof(NamesOnRunc))]
    public void An_old_runc_falls_for_it(string name) => Falls(Old(), OnRunc[name].Test, OnRunc[name].Complaint);

    [TestCaseSource(nameof(NamesOnOurs))]
    public void Ocirun_without_the_call_falls_for_it(string name)
    {
        Requires.OcirunItself();
        (Func<RuntimeBinary> weakened, Action test, string complaint) = OnOurs[name];
        Falls(weakened(), test, complaint);
    }

    [TestCaseSource(nameof(NamesOfRaces)), Category("ByHand"), CancelAfter(3_600_000)]
    public void An_old_runc_loses_the_race(string name) => Falls(Old(), Races[name].Test, Races[name].Complaint);

    [TestCaseSource(nameof(NamesOfWaits)), Category("ByHand")]
    public void Somebody_waits_for_ever(string name) => Falls(Waits[name].Weak(), Waits[name].Test, Waits[name].Complaint);

    /// <summary>Both ids, as busybox goes back to the real one.</summary>
    private static RuntimeBinary IsRoot() => Meddler.With(("put-0-0", "setresuid", OfUser), ("put-1-0", "setresuid", OfUser));

    /// <summary>
    /// The caller's descriptors, from 3 to 12, stay open in the child; the look-up of what is made where it is missing follows them, and
    /// the kernel says of each directory that it is in the container.
    /// </summary>
    private static RuntimeBinary KeepsDescriptors(string path) => Meddler.With(("put-0-d", "close_range", ",0=3"),
        ($"clear-resolve-{RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS:x}", "openat2", $",1:{path}"), ("answer-0-2f", "getcwd", ""));

    private static string[] NamesOfRaces() => [.. Races.Keys];

    private static string[] NamesOfWaits() => [.. Waits.Keys];

    private static string[] NamesOnRunc() => [.. OnRunc.Keys];

    private static string[] NamesOnOurs() => [.. OnOurs.Keys];

    private static RuntimeBinary Old()
    {
        Requires.Version(Ocirun.Runc, OldRunc);
        return Ocirun.Runc!;
    }

    /// <summary>At one of some tries, as races are won by chance.</summary>
    private static void Falls(RuntimeBinary runtime, Action test, string complaint)
    {
        string said = "";
        for (int i = 0; i < Tries && !said.Contains(complaint); i++) said = Complaint(runtime, test);
        TestContext.Out.WriteLine(said);
        said.Should().Contain(complaint);
    }

    /// <summary>What the test says, or nothing.</summary>
    private static string Complaint(RuntimeBinary runtime, Action test)
    {
        // What fails in it is not this test's failure.
        using (new TestExecutionContext.IsolatedContext())
        {
            try
            {
                Ocirun.Instead(runtime, test);
            }
            catch (Exception e) when (e is AssertionException or TimeoutException)
            {
                return e.Message;
            }
        }
        return "";
    }

    private static void OnImage(Action<ImageLinkTests> attack)
    {
        ImageLinkTests test = new();
        test.SetUp();
        try
        {
            attack(test);
        }
        finally
        {
            test.CanaryIsUntouched();
        }
    }
}
