using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.Tests.Fuzz;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>
/// The proof that the compiler means what libseccomp means: both programs are interpreted over every system call number, architecture and
/// sampled arguments, and must return the same action. <see cref="ProfileMeaning"/> is the judge where they do not. The profiles are others
/// each time, and `./build.sh fuzz` has more of them.
/// </summary>
[Category("Slow")]
public sealed class DifferentialTests
{
    private const int Profiles = 400;

    // So long these take, of the time that a test run has for fuzzing.
    private const double Seconds = 10;

    // libseccomp 2.5.4 goes round in circles with one of some ninety profiles, in a list of its own; others take it some milliseconds.
    private const int PatienceMilliseconds = 2000;
    private static readonly uint[] SpecialNumbers =
    [
        0xf0001, 0xf0002, 0xf0006, 0xf0007, 0x3fffffff, 0x40000000, 0x40000200, 0x400003ff, 0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff,
        0xc0000000, 0xc0000001,
        0xfffffffe, 0xffffffff,
    ];

    [Test]
    public void The_compiler_and_libseccomp_agree_on_generated_profiles()
    {
        RandomProfiles profiles = new(FuzzRun.Seed);
        Tally tally = new();
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan time = FuzzRun.Given(Seconds) ?? TimeSpan.Zero;
        int count = 0;
        for (; count < Profiles || clock.Elapsed < time; count++)
        {
            LinuxSeccomp profile = profiles.Next(out SeccompArch native);
            Compare(profile, native, new Random(count), tally, $"seed {FuzzRun.Seed}, profile {count} for {native}");
        }
        TestContext.Out.WriteLine($"seed {FuzzRun.Seed}: {tally}");
        tally.Compared.Should().BeGreaterThan(count / 2, "most profiles have no contradictions");
        tally.RefusedByThem.Should().BeLessThan(count / 50, "only contradictions about calls that do not exist make the difference");
        tally.Endless.Should().BeLessThan(count / 20);
        tally.OurLength.Should().BeLessThan(tally.TheirLength);
        // Where it prefers another one, it does so for many of the calls that are sampled.
        tally.Unlike.Should().BeLessThan(count / 20, "where rules with different actions fit, the same one has to win");
    }

    /// <summary>Number of sampled calls with different results; calls newer than the profile must get ENOSYS from ours.</summary>
    internal static int CountDifferences(LinuxSeccomp profile, SeccompArch native, SockFilter[] ours, SockFilter[] theirs)
    {
        ProfileMeaning meaning = new(profile, native);
        bool bigEndian = SeccompArchs.IsBigEndian(native);
        return Samples(meaning, new Random(FuzzRun.Seed)).Count(call =>
            FilterInterpreter.Run(ours, call, bigEndian) != (meaning.IsNewer(call) ? ProfileMeaning.NewCallAction
            : FilterInterpreter.Run(theirs, call, bigEndian)));
    }

    private static void Compare(LinuxSeccomp profile, SeccompArch native, Random random, Tally tally, string what)
    {
        bool ends = TryTheirs(profile, native, out SockFilter[]? theirs);
        SockFilter[]? ours = Compile(profile, native, out string refusal);
        if (!ends)
        {
            tally.Endless++;
        }
        else if (theirs is null && ours is null)
        {
            tally.Refused++;
        }
        else if (theirs is null)
        {
            // libseccomp minds contradictions about calls that the architecture does not have.
            tally.RefusedByThem++;
        }
        else if (ours is null)
        {
            theirs.Length.Should().BeGreaterThan(SeccompFilter.MaxInstructions, $"{what}: libseccomp takes what we refuse: {refusal}");
        }
        else
        {
            tally.Compared++;
            tally.OurLength += ours.Length;
            tally.TheirLength += theirs.Length;
            CompareCalls(ours, theirs, new ProfileMeaning(profile, native), SeccompArchs.IsBigEndian(native), random, tally, what);
        }
    }

    /// <summary>libseccomp's program, or null where it refuses; false where it does not come back.</summary>
    private static bool TryTheirs(LinuxSeccomp profile, SeccompArch native, out SockFilter[]? program)
    {
        const int PRIO_PROCESS = 0, Lowest = 19;
        SockFilter[]? made = null;
        Exception? failure = null;
        int id = 0;
        Thread thread = new(() =>
        {
            Volatile.Write(ref id, Libc.gettid());
            try
            {
                made = LibSeccomp.Compile(profile, native, out _);
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        bool ends = thread.Join(PatienceMilliseconds);
        // Nothing ends it but the process's end, and it shall take nobody's time until then.
        if (!ends) Libc.Check(Libc.setpriority(PRIO_PROCESS, Volatile.Read(ref id), Lowest), "setpriority");
        program = made;
        return failure is null ? ends : throw failure;
    }

    private static SockFilter[]? Compile(LinuxSeccomp profile, SeccompArch native, out string refusal)
    {
        refusal = "";
        try
        {
            return SeccompCompiler.Compile(profile, native).Instructions;
        }
        catch (OciException e)
        {
            refusal = e.Message;
            return null;
        }
    }

    private static void CompareCalls(SockFilter[] ours, SockFilter[] theirs, ProfileMeaning meaning, bool bigEndian, Random random,
        Tally tally, string what)
    {
        HashSet<(uint, uint)> broken = [];
        List<SampleCall> doubtful = [];
        foreach (SampleCall call in Samples(meaning, random))
        {
            tally.Calls++;
            uint o = FilterInterpreter.Run(ours, call, bigEndian);
            if (meaning.IsNewer(call))
            {
                if (o != ProfileMeaning.NewCallAction) Assert.Fail($"{what}: {call} is newer than the profile, but gets {o:x}");
                continue;
            }
            uint t = FilterInterpreter.Run(theirs, call, bigEndian);
            uint[] meant = o == t ? [] : meaning.Actions(call);
            if (o == t) continue;
            string possible = string.Join(' ', meant.Select(static a => a.ToString("x")));
            if (!meant.Contains(o)) Assert.Fail($"{what}: {call}: we return {o:x}, libseccomp {t:x}, possible are {possible}");
            if (meant.Contains(t)) doubtful.Add(call);
            // libseccomp compares the wrong half of an argument, or forgets a rule (docs/seccomp.md): an answer that the profile cannot
            // mean.
            else if (broken.Add((call.Arch, call.Number))) tally.BrokenChecks++;
        }
        // Two rules fit, and libseccomp prefers the other one. Its check of that very call may be broken; then it prefers by accident.
        int unexplained = doubtful.Count(call => !broken.Contains((call.Arch, call.Number)));
        tally.Unexplained += unexplained;
        if (unexplained > 0) tally.Unlike++;
    }

    /// <summary>
    /// Every number on every architecture once, and those with conditions many times, around the values they are compared with.
    /// </summary>
    internal static IEnumerable<SampleCall> Samples(ProfileMeaning meaning, Random random)
    {
        foreach (uint arch in Enum.GetValues<SeccompArch>().Select(SeccompArchs.AuditToken).Distinct().Append(0x12345678u))
        {
            foreach (uint number in Numbers(arch)) yield return new SampleCall(arch, number, Arguments(random, []));
        }
        foreach (((uint arch, uint number), ulong[] values) in meaning.Conditional)
        {
            for (int i = 0; i < 150; i++) yield return new SampleCall(arch, number, Arguments(random, values));
        }
    }

    /// <summary>Every number that any table has, and what lies around and beyond them.</summary>
    private static IEnumerable<uint> Numbers(uint arch)
    {
        foreach (uint number in SpecialNumbers) yield return number;
        for (uint i = 0; i < 600; i++)
        {
            yield return i;
            if (arch == SeccompArchs.AuditToken(SeccompArch.X64)) yield return SeccompArchs.X32Bit | i;
        }
        // MIPS: three ABIs, from 4000, 5000 and 6000 on.
        if ((arch & 0xff) != 8) yield break;
        for (uint i = 3990; i < 6600; i++) yield return i;
    }

    private static ulong[] Arguments(Random random, ulong[] values)
    {
        ulong[] arguments = new ulong[6];
        for (int i = 0; i < 6; i++)
        {
            ulong value = values.Length > 0 && random.Next(8) != 0 ? values[random.Next(values.Length)] : (ulong)random.NextInt64();
            arguments[i] = random.Next(6) switch
            {
                0 => value + 1,
                1 => value - 1,
                2 => value ^ 0x100000000,
                3 => value & uint.MaxValue,
                _ => value,
            };
        }
        return arguments;
    }

    private sealed class Tally
    {
        public int Compared { get; set; }
        public int Refused { get; set; }
        public int RefusedByThem { get; set; }
        public int Endless { get; set; }
        public long Calls { get; set; }
        public long BrokenChecks { get; set; }
        public long Unexplained { get; set; }
        public int Unlike { get; set; }
        public long OurLength { get; set; }
        public long TheirLength { get; set; }

        public override string ToString() =>
            $"{Compared} profiles compared, {Refused} refused by both, {RefusedByThem} by libseccomp only, {Endless} without an end; "
            + $"{Calls} calls, {Unexplained} with an unexplained difference, in {Unlike} profiles; "
            + $"{BrokenChecks} argument checks broken in libseccomp; instructions: {OurLength} ours, {TheirLength} libseccomp's";
    }
}
