/*
 * Runs before the .NET runtime does. In every verb:
 *
 * 0. Hides the variables that set up the .NET runtime. They are meant for another program: some of them end this one before it has said a
 *    word, others would have it write a core file, in a directory that they name.
 *
 * In the verbs that let a process cross into a container:
 *
 * 1. Re-executes the program from a copy nobody can write to. A process that enters a container carries /proc/<pid>/exe with it, and through
 *    that link container root could overwrite the host's binary (CVE-2019-5736). The copy is an overlay of lower layers only, mounted
 *    nowhere: no bytes are copied and, unlike a read-only bind mount, a privileged container cannot turn it writable. Where overlay
 *    is not to be had (no privilege, no module) it is a sealed memfd.
 * 2. Makes sure that descriptors 0 to 2 are open and SIGCHLD is not ignored.
 * 3. In these verbs and in top, blocks signals in the only thread there is, so that every thread of the .NET runtime inherits the mask and
 *    the code can read them from a descriptor (a finalizer thread with an open mask would take SIGTERM's default action in the middle of a launch).
 *
 * And it has the handler of the signals that end a container which waits for `start`.
 *
 * It is C because it has to come first: as managed code the runtime would be initialised twice, which costs another millisecond.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "_OCIRUN_SEALED"
#define OVERLAY_MAGIC 0x794c7630
#define SYS_fsopen_ 430
#define SYS_fsconfig_ 431
#define SYS_fsmount_ 432
#define FSOPEN_CLOEXEC_ 1
#define FSCONFIG_SET_STRING_ 1
#define FSCONFIG_CMD_CREATE_ 6
#define FSMOUNT_CLOEXEC_ 1
#define ATTR_RDONLY_NOSUID_NODEV 7
#define MFD_EXEC_ 0x10
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

/* A descriptor opened while 0, 1 or 2 is closed would become the standard stream of a hook or a container. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
            _exit(1);
}

static int starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/*
 * Only the pointers go: the block of text that execve brought stays as it is, and Host/CallersEnvironment.cs reads it there for the programs that
 * are to have the caller's environment.
 */
static void hide_settings_of_the_runtime(void)
{
    char **kept = environ;
    for (char **variable = environ; *variable; variable++)
        if (!starts_with(*variable, "DOTNET_") && !starts_with(*variable, "COMPlus_"))
            *kept++ = *variable;
    *kept = NULL;
}

static int has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], word))
            return 1;
    return 0;
}

/* A word that merely looks like one of these verbs costs a millisecond and nothing else. Checkpoint is among them for its signals (3). */
static int launches(int argc, char **argv)
{
    static const char *const verbs[] = {"create", "run", "exec", "restore", "checkpoint", "mounts"};
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (has_word(argc, argv, verbs[i]))
            return 1;
    return 0;
}

__attribute__((noreturn)) static void give_up(const char *why)
{
    _exit(write(2, why, strlen(why)) < 0 ? 2 : 1);
}

/* All but the synchronous faults and the signals glibc and NativeAOT use among threads (32 to 34). */
static void block_signals(void)
{
    sigset_t set;
    sigfillset(&set);
    int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, 34 };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        sigdelset(&set, kept[i]);
    /* Whoever waits for signals that were not blocked would wait for ever. */
    if (sigprocmask(SIG_SETMASK, &set, NULL))
        give_up("ocirun: cannot block signals (sigprocmask)\n");
}

static int is_sealed(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    struct statfs fs;
    int seals = fcntl(fd, F_GET_SEALS);
    int sealed = (seals >= 0 && (seals & SEALS) == SEALS)
        || (fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAY_MAGIC && (fs.f_flags & 1 /* ST_RDONLY */));
    close(fd);
    return sealed;
}

/* Appends text with the characters that separate lower layers escaped. */
static char *escape(char *to, const char *end, const char *text)
{
    for (; *text && to < end - 2; text++) {
        if (*text == ':' || *text == '\\' || *text == ',')
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
static int overlay_mount(const char *directory, const char *other)
{
    char layers[8300];
    char *end = escape(layers, layers + 8192, directory);
    snprintf(end, (size_t)(layers + sizeof layers - end), ":%s", other);
    int context = (int)syscall(SYS_fsopen_, "overlay", FSOPEN_CLOEXEC_);
    if (context < 0)
        return -1;
    int mount = -1;
    if (syscall(SYS_fsconfig_, context, FSCONFIG_SET_STRING_, "lowerdir", layers, 0) == 0
        && syscall(SYS_fsconfig_, context, FSCONFIG_CMD_CREATE_, NULL, NULL, 0) == 0)
        mount = (int)syscall(SYS_fsmount_, context, FSMOUNT_CLOEXEC_, ATTR_RDONLY_NOSUID_NODEV);
    close(context);
    return mount;
}

static void execute_overlay(char *path, char **argv)
{
    char *name = strrchr(path, '/');
    if (!name || name == path)
        return;
    *name++ = 0;
    const char *others[] = { "/dev/shm", "/sys/kernel", "/proc/tty" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int mount = overlay_mount(path, others[i]);
        if (mount < 0)
            continue;
        syscall(SYS_execveat, mount, name, argv, environ, 0);
        close(mount);
    }
    name[-1] = '/';
}

static void execute_memfd(char **argv)
{
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = (int)syscall(SYS_memfd_create, "ocirun", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC_);
    if (to < 0 && errno == EINVAL) /* MFD_EXEC is Linux 6.3 */
        to = (int)syscall(SYS_memfd_create, "ocirun", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat st;
    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);
        if (n <= 0)
            return;
        left -= n;
    }
    if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
        return;
    close(from);
    syscall(SYS_execveat, to, "", argv, environ, AT_EMPTY_PATH);
}

__attribute__((constructor(200))) static void seal(int argc, char **argv)
{
    open_standard_streams();
    /* Ignored by the caller it stays so across execve, and the kernel reaps children itself: no status of a hook or a container (wait(2), ECHILD). */
    signal(SIGCHLD, SIG_DFL);
    if (!launches(argc, argv)) {
        /* Ended by a signal it has a terminal to give back. Other verbs with such a word are short, or unblock them. */
        if (has_word(argc, argv, "top"))
            block_signals();
        hide_settings_of_the_runtime();
        return;
    }
    if (getenv(MARK)) {
        unsetenv(MARK);
        if (is_sealed()) {
            /* Not before: the first of the two starts passes on what it was given. */
            hide_settings_of_the_runtime();
            return;
        }
    }
    block_signals();
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0 && setenv(MARK, "1", 1) == 0) {
        path[n] = 0;
        execute_overlay(path, argv);
        execute_memfd(argv);
    }
    give_up("ocirun: cannot make a sealed copy of the program to enter a container with (CVE-2019-5736): neither overlay nor memfd works here\n");
}

/* What ends a created container's init (Init/InitMain.cs): nothing in it depends on the .NET runtime, in whose midst a signal may come. */
static void end(int number)
{
    syscall(SYS_exit_group, 128 + number);
    *(volatile int *)8 = number; /* A seccomp filter may deny even that. */
}

void *ocirun_end_handler(void)
{
    return (void *)end;
}
