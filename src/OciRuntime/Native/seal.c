/*
 * What runs before libc and the .NET runtime do. The program's entry point (ocirun_entry, below) comes here on a stack as the kernel made it; in
 * every verb it
 *
 * 0. makes sure that descriptors 0 to 2 are open and SIGCHLD is not ignored, and hides the variables that set up libc and the .NET runtime. They
 *    are meant for another program: some of them end this one before it has said a word, others would have it write a core file, in a directory
 *    that they name.
 *
 * In the verbs that let a process cross into a container it
 *
 * 1. re-executes the program from a copy nobody can write to. A process that enters a container carries /proc/<pid>/exe with it, and through
 *    that link container root could overwrite the host's binary (CVE-2019-5736). The copy is an overlay of lower layers only, mounted
 *    nowhere: no bytes are copied and, unlike a read-only bind mount, a privileged container cannot turn it writable. Where overlay
 *    is not to be had (no privilege, no module) it is a sealed memfd.
 * 2. In these verbs, and in those that only read signals, blocks them in the only thread there is, so that the code can read them from a
 *    descriptor from its first line on.
 *
 * It has to come first: a libc that is initialised only to be replaced costs as much as a small program's whole life, the .NET runtime another
 * millisecond. So nothing of libc is there: no errno, no thread-local storage, no memcpy; the build refuses an object that asks for any.
 */
#define _GNU_SOURCE
#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#define MFD_EXEC_ 0x10u /* Linux 6.3 */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ATTRIBUTES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* A negated errno, or the result. */
static long call(long number, long a, long b, long c, long d, long e)
{
#if defined __x86_64__
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#endif
}

#define CALL(number, a, b, c, d, e) call(__NR_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static int starts_with(const char *text, const char *prefix)
{
    while (*prefix && *text == *prefix)
        text++, prefix++;
    return !*prefix;
}

static int has_one(char **arguments, const char *const *words, size_t count)
{
    for (; *arguments; arguments++)
        for (size_t k = 0; k < count; k++)
            if (starts_with(*arguments, words[k]) && (*arguments)[length_of(words[k])] == 0)
                return 1;
    return 0;
}

/*
 * Which verbs these are says [Command] on the classes of their options (Cli/Options), from which the compiler of C# makes the file included
 * here. A word that merely looks like one of them costs a millisecond and nothing else.
 */
static int launches(char **arguments)
{
    static const char *const verbs[] = {
#define SealVerbs 1
#include "Prelude.g.cs"
#undef SealVerbs
    };
    return has_one(arguments, verbs, sizeof verbs / sizeof *verbs);
}

static int reads_signals(char **arguments)
{
    static const char *const verbs[] = {
#define BlockSignalsVerbs 1
#include "Prelude.g.cs"
#undef BlockSignalsVerbs
    };
    return has_one(arguments, verbs, sizeof verbs / sizeof *verbs);
}

__attribute__((noreturn)) static void give_up(const char *why)
{
    CALL(write, 2, why, length_of(why), 0, 0);
    for (;;)
        CALL(exit_group, 1, 0, 0, 0, 0);
}

/* A descriptor opened while 0, 1 or 2 is closed would become the standard stream of a hook or a container. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (CALL(fcntl, fd, F_GETFD, 0, 0, 0) == -EBADF && CALL(openat, AT_FDCWD, "/dev/null", O_RDWR, 0, 0) < 0)
            give_up("ocirun: a standard stream is closed, and /dev/null does not open\n");
}

/* Ignored by the caller it stays so across execve, and the kernel reaps children itself: no status of a hook or a container (wait(2), ECHILD). */
static void mind_children(void)
{
    struct {
        void *handler;
        unsigned long flags, restorer, mask;
    } by_default = { 0 };
    if (CALL(rt_sigaction, SIGCHLD, &by_default, NULL, sizeof by_default.mask, 0))
        give_up("ocirun: cannot set the default action of SIGCHLD (sigaction)\n");
}

/* All but the synchronous faults and the signals glibc and NativeAOT use among threads (32 to 34). */
static void block_signals(void)
{
#define BIT(signal) (1ul << ((signal) - 1))
    unsigned long set = ~(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGABRT) | BIT(SIGTRAP) | BIT(SIGSYS) | BIT(32) | BIT(33)
        | BIT(34));
    /* Whoever waits for signals that were not blocked would wait for ever. */
    if (CALL(rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof set, 0))
        give_up("ocirun: cannot block signals (sigprocmask)\n");
}

static int is_sealed_memfd(void)
{
    long fd = CALL(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0);
    if (fd < 0)
        return 0;
    long seals = CALL(fcntl, fd, F_GET_SEALS, 0, 0, 0);
    CALL(close, fd, 0, 0, 0, 0);
    return seals >= 0 && (seals & SEALS) == SEALS;
}

/*
 * That it was started by descriptor, as below, is no proof: a caller may do so, too (fexecve(3)). A read-only overlay may have an upper layer; one
 * that somebody starts us from by descriptor is taken for ours.
 */
static int is_sealed(const char *started_as)
{
    struct statfs fs;
    if (!starts_with(started_as, "/dev/fd/") || CALL(statfs, "/proc/self/exe", &fs, 0, 0, 0))
        return 0;
    if (fs.f_type == OVERLAYFS_SUPER_MAGIC)
        return (fs.f_flags & ST_RDONLY) != 0;
    return fs.f_type == TMPFS_MAGIC && is_sealed_memfd();
}

/* Appends text, with the characters that separate lower layers escaped; gives the new end. */
static char *append(char *to, const char *text, int escaped)
{
    for (; *text; text++) {
        if (escaped && (*text == ':' || *text == '\\' || *text == ','))
            *to++ = '\\';
        *to++ = *text;
    }
    *to = 0;
    return to;
}

/*
 * An overlay needs two lower layers. The second one is never seen, as the first has what is looked up; it must only be a directory that
 * neither contains the first nor lies in it.
 */
static long overlay_mount(const char *directory, const char *other)
{
    char layers[2 * 4096 + 64];
    append(append(append(layers, directory, 1), ":", 0), other, 0);
    long context = CALL(fsopen, "overlay", FSOPEN_CLOEXEC, 0, 0, 0);
    if (context < 0)
        return -1;
    long mount = -1;
    if (CALL(fsconfig, context, FSCONFIG_SET_STRING, "lowerdir", layers, 0) == 0
        && CALL(fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = CALL(fsmount, context, FSMOUNT_CLOEXEC, ATTRIBUTES, 0, 0);
    CALL(close, context, 0, 0, 0, 0);
    return mount;
}

static void execute_overlay(char **argv, char **environment)
{
    char path[4096];
    long length = CALL(readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof path - 1, 0);
    if (length <= 0)
        return;
    path[length] = 0;
    char *name = path + length;
    while (name > path && name[-1] != '/')
        name--;
    if (name - path < 2)
        return;
    name[-1] = 0;
    static const char *const others[] = { "/dev/shm", "/sys/kernel", "/proc/tty" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        long mount = overlay_mount(path, others[i]);
        if (mount < 0)
            continue;
        CALL(execveat, mount, name, argv, environment, 0);
        CALL(close, mount, 0, 0, 0, 0);
    }
}

static void execute_memfd(char **argv, char **environment)
{
    long from = CALL(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0, 0);
    long to = CALL(memfd_create, "ocirun", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC_, 0, 0, 0);
    if (to == -EINVAL)
        to = CALL(memfd_create, "ocirun", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0);
    struct stat st;
    if (from < 0 || to < 0 || CALL(fstat, from, &st, 0, 0, 0))
        return;
    for (off_t left = st.st_size; left > 0;) {
        long n = CALL(sendfile, to, from, NULL, left, 0);
        if (n <= 0)
            return;
        left -= n;
    }
    if (CALL(fcntl, to, F_ADD_SEALS, SEALS, 0, 0))
        return;
    CALL(close, from, 0, 0, 0, 0);
    CALL(execveat, to, "", argv, environment, AT_EMPTY_PATH);
}

/*
 * Only the pointers go, and what stands behind them on the stack moves up: the block of text that execve brought stays as it is, and
 * Host/CallersEnvironment.cs reads it there for the programs that are to have the caller's environment.
 */
static void hide_settings_of_the_runtime(char **environment)
{
    static const char *const hidden[] = { "DOTNET_", "COMPlus_", "GLIBC_TUNABLES=", "MALLOC_", "LD_" };
    char **kept = environment;
    for (; *environment; environment++) {
        size_t k = 0;
        while (k < sizeof hidden / sizeof *hidden && !starts_with(*environment, hidden[k]))
            k++;
        if (k == sizeof hidden / sizeof *hidden)
            *kept++ = *environment;
    }
    if (kept == environment)
        return;
    *kept++ = NULL;
    /* Word by word: where one pointer is gone, an entry lies half on the one that it came from. */
    const unsigned long *from = (const unsigned long *)(environment + 1);
    unsigned long *to = (unsigned long *)kept, type;
    do {
        type = *from++;
        *to++ = type;
        *to++ = *from++;
    } while (type != AT_NULL);
}

static const char *started_as(char **environment)
{
    while (*environment++)
        ;
    for (const Elf64_auxv_t *entry = (const Elf64_auxv_t *)environment; entry->a_type != AT_NULL; entry++)
        if (entry->a_type == AT_EXECFN)
            return (const char *)entry->a_un.a_val;
    return "";
}

/* The stack: the number of arguments, they and a null, the environment and a null, the auxiliary vector. */
__attribute__((used)) static void before_libc(char **stack)
{
    char **argv = stack + 1;
    char **environment = argv + (long)*stack + 1;
    int seals = launches(argv);
    if (!seals || !is_sealed(started_as(environment))) {
        open_standard_streams();
        mind_children();
        /* Ended by a signal such a verb has a terminal to give back. Other verbs with such a word are short, or unblock them. */
        if (seals || reads_signals(argv))
            block_signals();
        if (seals) {
            /* With the whole environment. */
            execute_overlay(argv, environment);
            execute_memfd(argv, environment);
            give_up("ocirun: cannot make a sealed copy of the program to enter a container with (CVE-2019-5736): neither overlay nor memfd works here\n");
        }
    }
    hide_settings_of_the_runtime(environment);
}

/* Where the kernel begins (the linker's --entry). What libc's own entry finds is what it would have found without us. */
#if defined __x86_64__
__asm__(".globl ocirun_entry\n"
        ".type ocirun_entry, @function\n"
        "ocirun_entry:\n"
        "    mov %rsp, %rbx\n"
        "    mov %rsp, %rdi\n"
        "    xor %ebp, %ebp\n"
        "    call before_libc\n"
        "    mov %rbx, %rsp\n"
        "    xor %edx, %edx\n" /* No function for exit to call. */
        "    jmp _start\n");
#elif defined __aarch64__
__asm__(".globl ocirun_entry\n"
        ".type ocirun_entry, %function\n"
        "ocirun_entry:\n"
        "    mov x19, sp\n"
        "    mov x0, sp\n"
        "    mov x29, #0\n"
        "    bl before_libc\n"
        "    mov sp, x19\n"
        "    mov x0, #0\n"
        "    b _start\n");
#endif
