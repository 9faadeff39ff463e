using System.Runtime.InteropServices;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Seccomp;

/// <summary>Debian's libseccomp, used the way runc uses it: the other opinion on what a profile means.</summary>
[NeedsMachine]
internal static unsafe partial class LibSeccomp
{
    private const string Library = "libseccomp.so.2";
    private const int AttributeOptimize = 8, EEXIST = 17;
    private const uint Native = 0xc000003e;

    /// <summary>True when this libseccomp has the name in its tables.</summary>
    public static bool Knows(string name) => seccomp_syscall_resolve_name(name) != -1;

    /// <summary>
    /// Number on an architecture, pseudo numbers below -100 for what it does not have, or only behind socketcall and ipc.
    /// </summary>
    public static int Number(string name, SeccompArch arch) => seccomp_syscall_resolve_name_arch(Token(arch), name);

    /// <summary>The program, or null with the errno with which libseccomp refused a rule.</summary>
    public static SockFilter[]? Compile(LinuxSeccomp profile, SeccompArch native, out int errno)
    {
        uint defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        nint context = seccomp_init(defaultAction);
        if (context == 0) throw new InvalidOperationException("seccomp_init");
        try
        {
            if (Token(native) != Native)
            {
                Check(seccomp_arch_remove(context, Native), "seccomp_arch_remove");
                Check(seccomp_arch_add(context, Token(native)), "seccomp_arch_add");
            }
            foreach (string word in profile.Architectures)
            {
                int result = seccomp_arch_add(context, Token(SeccompArchs.Parse(word)!.Value));
                if (result != -EEXIST) Check(result, word);
            }
            errno = AddRules(context, profile, defaultAction, out int added);
            if (errno != 0) return null;
            // Debian's version breaks with the tree and no rules; runc avoids that, too.
            if (added > 0) Check(seccomp_attr_set(context, AttributeOptimize, 2), "optimize");
            return Export(context, SeccompArchs.IsBigEndian(native));
        }
        finally
        {
            seccomp_release(context);
        }
    }

    /// <summary>runc's seccomp_linux.go, matchCall.</summary>
    private static int AddRules(nint context, LinuxSeccomp profile, uint defaultAction, out int added)
    {
        added = 0;
        foreach (SeccompSyscall rule in profile.Syscalls)
        {
            uint action = SeccompWords.Action(rule.Action, rule.ErrnoRet);
            if (action == defaultAction) continue;
            ScmpArgument[] all = [.. rule.Args.Select(static a => new ScmpArgument(a.Index, Operator(a.Op), a.Value, a.ValueTwo))];
            bool separate = rule.Args.Select(static a => a.Index).Distinct().Count() != rule.Args.Length;
            foreach (string name in rule.Names)
            {
                int number = seccomp_syscall_resolve_name(name);
                if (number == -1) continue;
                foreach (ScmpArgument[] arguments in separate ? all.Select(static a => new[] { a }) : [all])
                {
                    int result;
                    fixed (ScmpArgument* p = arguments) result = seccomp_rule_add_array(context, action, number, (uint)arguments.Length, p);
                    if (result < 0) return -result;
                    added++;
                }
            }
        }
        return 0;
    }

    private static SockFilter[] Export(nint context, bool bigEndian)
    {
        string path = Path.GetTempFileName();
        try
        {
            using (FileStream file = File.Open(path, FileMode.Truncate))
                Check(seccomp_export_bpf(context, (int)file.SafeFileHandle.DangerousGetHandle()), "seccomp_export_bpf");
            SockFilter[] program = MemoryMarshal.Cast<byte, SockFilter>(File.ReadAllBytes(path)).ToArray();
            if (!bigEndian) return program;
            // Written in the byte order of the machine it is for.
            return Array.ConvertAll(program, static i => i with
            {
                Code = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(i.Code),
                Constant = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(i.Constant),
            });
        }
        finally
        {
            File.Delete(path);
        }
    }

    // x32 has a token of its own in libseccomp: EM_X86_64 | __AUDIT_ARCH_LE.
    private static uint Token(SeccompArch arch) => arch == SeccompArch.X32 ? 0x4000003e : SeccompArchs.AuditToken(arch);

    private static int Operator(string word) => word switch
    {
        "SCMP_CMP_NE" => 1,
        "SCMP_CMP_LT" => 2,
        "SCMP_CMP_LE" => 3,
        "SCMP_CMP_EQ" => 4,
        "SCMP_CMP_GE" => 5,
        "SCMP_CMP_GT" => 6,
        _ => 7,
    };

    private static void Check(int result, string what)
    {
        if (result < 0) Assert.Fail($"libseccomp: {what}: errno {-result}");
    }

    /// <summary>struct scmp_arg_cmp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct ScmpArgument(uint Argument, int Operator, ulong A, ulong B);

    [LibraryImport(Library)]
    private static partial nint seccomp_init(uint action);

    [LibraryImport(Library)]
    private static partial void seccomp_release(nint context);

    [LibraryImport(Library)]
    private static partial int seccomp_arch_add(nint context, uint token);

    [LibraryImport(Library)]
    private static partial int seccomp_arch_remove(nint context, uint token);

    [LibraryImport(Library)]
    private static partial int seccomp_attr_set(nint context, int attribute, uint value);

    [LibraryImport(Library)]
    private static partial int seccomp_rule_add_array(nint context, uint action, int number, uint count, ScmpArgument* arguments);

    [LibraryImport(Library)]
    private static partial int seccomp_export_bpf(nint context, int fd);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int seccomp_syscall_resolve_name(string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int seccomp_syscall_resolve_name_arch(uint token, string name);
}
