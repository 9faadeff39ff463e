// Prints src/OciRuntime/Seccomp/SyscallTable.Data.cs. Run by scripts/syscall-tables.sh.
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024

// ARM has a few calls of its own far above all others, at 0xf0001 to 0xf0006: they become the last of 1024 small numbers.
#define ARM_PRIVATE 1008

struct arch { const char *name; uint32_t token; int base; };

static const struct arch archs[] = {
    { "X86", SCMP_ARCH_X86, 0 },
    { "X64", SCMP_ARCH_X86_64, 0 },
    { "X32", SCMP_ARCH_X32, 0x40000000 },
    { "Arm", SCMP_ARCH_ARM, 0 },
    { "Arm64", SCMP_ARCH_AARCH64, 0 },
    { "Mips", SCMP_ARCH_MIPS, 4000 },
    { "Mips64", SCMP_ARCH_MIPS64, 5000 },
    { "Mips64N32", SCMP_ARCH_MIPS64N32, 6000 },
    { "Ppc", SCMP_ARCH_PPC, 0 },
    { "Ppc64", SCMP_ARCH_PPC64, 0 },
    { "S390", SCMP_ARCH_S390, 0 },
    { "S390X", SCMP_ARCH_S390X, 0 },
    { "Parisc", SCMP_ARCH_PARISC, 0 },
    { "Parisc64", SCMP_ARCH_PARISC64, 0 },
    { "RiscV64", SCMP_ARCH_RISCV64, 0 },
};
enum { ARCHS = sizeof(archs) / sizeof(archs[0]), X64 = 1, X32 = 2 };

// Debian 12's libseccomp ends with Linux 6.7. What came later has one number on every architecture (scripts/syscall.tbl of Linux 6.18) ...
static const struct { const char *name; int number; } newer[] = {
    { "statmount", 457 }, { "listmount", 458 }, { "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 },
    { "lsm_list_modules", 461 }, { "mseal", 462 }, { "setxattrat", 463 }, { "getxattrat", 464 }, { "listxattrat", 465 },
    { "removexattrat", 466 }, { "open_tree_attr", 467 }, { "file_getattr", 468 }, { "file_setattr", 469 }, { "listns", 470 },
    // ... but for two that x86_64 alone has (arch/x86/entry/syscalls/syscall_64.tbl).
    { "uretprobe", -335 }, { "uprobe", -336 },
};

static char *names[SLOTS];
static int count;

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add(char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return;
    names[count++] = name;
}

static int is_multiplexed(int number) { return (number <= -101 && number >= -120) || (number <= -201 && number >= -224); }

// The direct number, where libseccomp's resolver answers with the pseudo number of a call that socketcall or ipc stands for: the
// one way to ask for it is the other direction.
static int direct(const struct arch *arch, const char *name)
{
    for (int n = arch->base; n < arch->base + SLOTS; n++) {
        char *found = seccomp_syscall_resolve_num_arch(arch->token, n);
        int same = found && strcmp(found, name) == 0;
        free(found);
        if (same) return n;
    }
    return -1;
}

static int number_on(int arch, const char *name)
{
    // Debian brings its libseccomp up to date: what it knows, it knows better.
    for (unsigned i = 0; i < sizeof(newer) / sizeof(newer[0]) && seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR; i++) {
        if (strcmp(newer[i].name, name) != 0) continue;
        if (newer[i].number > 0) return newer[i].number;
        return arch == X64 || arch == X32 ? -newer[i].number : -1;
    }
    int n = seccomp_syscall_resolve_name_arch(archs[arch].token, name);
    if (is_multiplexed(n)) n = direct(&archs[arch], name);
    return n < 0 ? -1 : n >= 0xf0000 && n <= 0xf000f ? n : n - archs[arch].base;
}

// socketcall's function (include/uapi/linux/net.h) or, with 128 added, ipc's (include/uapi/linux/ipc.h): x86 has pseudo numbers for both.
static int function_of(const char *name)
{
    int n = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86, name);
    return !is_multiplexed(n) ? 0 : n > -200 ? -n - 100 : 128 - n - 200;
}

static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 16777619u;
    return (h ^ (h >> 15)) & (SLOTS - 1);
}

static void print_array(const char *type, const char *name, const char *what, const int *values, int n)
{
    printf("\n    /// <summary>%s</summary>\n    private static ReadOnlySpan<%s> %s =>\n    [", what, type, name);
    for (int i = 0; i < n; i++) printf("%s%d,", i % 24 ? " " : "\n        ", values[i]);
    printf("\n    ];\n");
}

int main(void)
{
    for (int n = 0; n < 1024; n++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, n);
        if (name) add(name);
    }
    // Calls that x86_64 does not have bear pseudo numbers.
    for (int n = -101; n > -10500; n--) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, n);
        if (name) add(name);
    }
    for (unsigned i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) add((char *)newer[i].name);
    qsort(names, count, sizeof(names[0]), by_name);

    static int slots[SLOTS], offsets[SLOTS], column[SLOTS];
    for (int i = 0; i < count; i++) {
        uint32_t at = hash(names[i]);
        while (slots[at]) at = (at + 1) & (SLOTS - 1);
        slots[at] = i + 1;
        offsets[i + 1] = offsets[i] + (int)strlen(names[i]);
    }
    printf("// <auto-generated>\n// Made by scripts/syscall-tables.sh from Debian's libseccomp %u.%u.%u and the newer calls listed in scripts/syscall-tables.c.\n// Do not edit.\n// </auto-generated>\n",
        seccomp_version()->major, seccomp_version()->minor, seccomp_version()->micro);
    printf("namespace OciRuntime.Seccomp;\n\ninternal static partial class SyscallTable\n{\n    /// <summary>Number of names.</summary>\n    public const int Count = %d;\n", count);
    printf("\n    /// <summary>All names in order, without separators.</summary>\n    private static ReadOnlySpan<byte> Names =>\n        \"");
    for (int i = 0; i < count; i++) printf("%s%s", i > 0 && i % 12 == 0 ? "\"u8\n        + \"" : "", names[i]);
    printf("\"u8;\n");
    print_array("ushort", "Offsets", "Where each name begins, and the end of the last one.", offsets, count + 1);
    print_array("ushort", "Slots", "Hash table with open addressing: index of a name plus 1, or 0.", slots, SLOTS);
    for (int i = 0; i < count; i++) column[i] = function_of(names[i]);
    print_array("byte", "Functions", "Which function of socketcall(2) a call is, or with 128 added, of ipc(2); 0 for all others.", column, count);
    for (int a = 0; a < ARCHS; a++) {
        for (int i = 0; i < count; i++) {
            int n = number_on(a, names[i]);
            if (n >= 0xf0000) n = ARM_PRIVATE | (n & 0xf);
            if (n >= SLOTS) { fprintf(stderr, "%s: %s has number %d\n", archs[a].name, names[i], n); return 1; }
            column[i] = n < 0 ? 0xffff : n;
        }
        char what[64];
        snprintf(what, sizeof(what), "Numbers on %s.", archs[a].name);
        print_array("ushort", archs[a].name, what, column, count);
    }
    printf("}\n");
    return 0;
}
