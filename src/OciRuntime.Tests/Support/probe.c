/* What busybox cannot tell from inside a container. Compiled statically by Probe.cs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* probe notify MESSAGE...: one datagram each to $NOTIFY_SOCKET; "sleep" waits forever. */
static int notify(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path)
        return 3;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "sleep"))
            for (;;)
                pause();
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (sendto(fd, argv[i], strlen(argv[i]), 0, (struct sockaddr *)&address, sizeof address) < 0) {
            perror(path);
            return 2;
        }
        close(fd);
    }
    return 0;
}

/* probe bear PID: leaves a child with that number behind, which waits forever; needs CAP_SYS_ADMIN, and the number must be free. */
static int bear(int pid)
{
    pid_t numbers[] = { pid };
    /* struct clone_args: set_tid is the ninth, its size the tenth. */
    unsigned long args[10] = { [4] = SIGCHLD, [8] = (unsigned long)numbers, [9] = 1 };
    long child = syscall(SYS_clone3, args, sizeof args);
    while (child == 0)
        pause();
    if (child < 0)
        perror("clone3");
    return child < 0 ? 2 : 0;
}

/* probe keyring: serial and description of the session keyring. */
static int keyring(void)
{
    char text[512] = "";
    long id = syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* KEY_SPEC_SESSION_KEYRING */, 0);
    syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, id, text, sizeof text - 1);
    printf("%ld %s\n", id, text);
    return 0;
}

/* probe keyring-of NAME PROGRAM...: runs the program in a session keyring of that name. */
static int keyring_of(char **argv)
{
    if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, argv[0]) < 0)
        return 2;
    execv(argv[1], argv + 1);
    return 3;
}

/* probe signals: prints the number of every signal that arrives; ends with the last one there is. */
static int signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("ready\n");
    for (int signal = 0; signal != SIGRTMAX;) {
        signal = sigwaitinfo(&all, NULL);
        printf("<%d>", signal);
    }
    return 9;
}

/* probe mempolicy: mode with flags, and nodes, of the thread's memory policy. */
static int mempolicy(void)
{
    int mode = 0;
    unsigned long nodes[16] = { 0 };
    if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0) < 0)
        return 2;
    printf("%#x", mode);
    for (int i = 0; i < 1024; i++)
        if (nodes[i / 64] >> (i % 64) & 1)
            printf(" %d", i);
    printf("\n");
    return 0;
}

/* probe calls FILE: makes the system calls that the file lists, in hexadecimal, number and six arguments a line; prints the errno of each. */
static int calls(const char *path)
{
    unsigned long n, a, b, c, d, e, f;
    FILE *file = fopen(path, "r");
    if (!file)
        return 3;
    while (fscanf(file, "%lx %lx %lx %lx %lx %lx %lx", &n, &a, &b, &c, &d, &e, &f) == 7)
        printf("%d\n", syscall((long)n, a, b, c, d, e, f) < 0 ? errno : 0);
    return 0;
}

/* probe label PATH...: the SELinux label of each file, and of the session keyring. */
static int label(int argc, char **argv)
{
    char text[512];
    for (int i = 0; i < argc; i++) {
        ssize_t length = getxattr(argv[i], "security.selinux", text, sizeof text);
        puts(length < 0 ? strerror(errno) : strndup(text, length));
    }
    long length = syscall(SYS_keyctl, 17 /* KEYCTL_GET_SECURITY */, -3 /* KEY_SPEC_SESSION_KEYRING */, text, sizeof text);
    puts(length < 0 ? strerror(errno) : strndup(text, length));
    return 0;
}

/* probe call32 NUMBER: the errno of that call of 32-bit x86, made without arguments by a 64-bit program. */
static int call32(int number)
{
#ifdef __x86_64__
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    printf("%d\n", result < 0 ? -result : 0);
    return 0;
#else
    return 1;
#endif
}

/* A node in the working directory, opened; whether the device controller lets pass what is asked. Drivers may refuse, which says nothing about that. */
static int passes(const char *node, int how)
{
    int fd = open(node, how | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == EACCES)
        exit(4); /* nodev */
    int passed = fd >= 0 || errno != EPERM;
    if (fd >= 0)
        close(fd);
    return passed;
}

/* probe devices: for each line "c|b MAJOR MINOR" of standard input a line with what is possible: m(ake), r(ead), w(rite), b(oth at once). */
static int devices(void)
{
    char type;
    unsigned major, minor;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (scanf(" %c %u %u", &type, &major, &minor) == 3) {
        int made = mknod("node", (type == 'c' ? S_IFCHR : S_IFBLK) | 0600, makedev(major, minor)) == 0;
        printf("%s%s%s%s.\n", made ? "m" : "", passes("node", O_RDONLY) ? "r" : "", passes("node", O_WRONLY) ? "w" : "", passes("node", O_RDWR) ? "b" : "");
        unlink("node");
    }
    return 0;
}

/* probe devices-watch ROUNDS +NODE -NODE ...: opens the nodes again and again until standard input ends; + must always be let pass, - never.
   Says "enough" after so many rounds, and at its end how often it was otherwise. */
static int devices_watch(int argc, char **argv)
{
    long enough = strtol(argv[0], NULL, 10), bad = 0;
    struct pollfd input = { .fd = 0, .events = POLLIN };
    for (long rounds = 1; poll(&input, 1, 0) == 0; rounds++) {
        for (int i = 1; i < argc; i++)
            bad += passes(argv[i] + 1, O_RDWR) != (argv[i][0] == '+');
        if (rounds == enough && (puts("enough"), fflush(stdout)))
            return 1;
    }
    printf("%ld\n", bad);
    return 0;
}

static int is_runtime(int pid)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    int file = open(path, O_RDONLY);
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    close(file);
    return n >= 6 && !strncmp(text, "ocirun", 6);
}

static char found[65536];
static size_t found_length;

static void find(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    found_length += vsnprintf(found + found_length, sizeof found - found_length, format, args);
    va_end(args);
}

/* Traced, it could not be reaped by its parent. */
static int seize(int pid)
{
    int status;
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        return 0;
    int still = is_runtime(pid);
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
        ptrace(PTRACE_DETACH, pid, 0, 0);
    return still;
}

/* What a process of the runtime gives away. Counts only when it still was the runtime's at the end: the program it becomes may be looked at. */
static int inspect(int pid, const struct stat *own)
{
    char path[64], text[4096], line[256];
    struct stat other;
    found_length = 0;
    if (!is_runtime(pid))
        return 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "CapPrm", 6) || !strncmp(line, "CapBnd", 6) || !strncmp(line, "Uid", 3))
            find("%s", line);
    if (status)
        fclose(status);
    snprintf(path, sizeof path, "/proc/%d/root", pid);
    if (stat(path, &other) == 0)
        find("root %s\n", other.st_ino == own->st_ino && other.st_dev == own->st_dev ? "own" : "FOREIGN");
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int file = open(path, O_WRONLY);
    find("exe %s\n", file >= 0 ? "WRITABLE" : "not writable");
    close(file);
    for (int fd = 0; fd < 32; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        ssize_t n = readlink(path, text, sizeof text - 1);
        if (n > 0)
            find("fd %d %.*s%s\n", fd, (int)n, text, stat(path, &other) == 0 && S_ISDIR(other.st_mode) && other.st_ino != own->st_ino ? " FOREIGN" : "");
    }
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    close(file);
    if (length > 0)
        find("environ %s\n", memmem(text, length, "OCIRUN_SECRET", 13) ? "LEAKED" : "empty");
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    file = open(path, O_RDONLY);
    struct iovec here = { text, 16 }, there = { (void *)0x400000, 16 };
    if (file >= 0 || process_vm_readv(pid, &here, 1, &there, 1, 0) > 0)
        find("mem open\n");
    close(file);
    if (!is_runtime(pid))
        return 0;
    fputs(found, stdout);
    if (seize(pid))
        printf("ptrace seized\n");
    return 1;
}

/* probe spy: watches for processes of the runtime in this pid namespace. New pids are the next numbers. */
static int spy(void)
{
    struct stat own;
    stat("/", &own);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    for (int next = getpid() + 1;; ) {
        int born = 0;
        for (int pid = next; pid < next + 4 && !born; pid++)
            if (kill(pid, 0) == 0 || errno == EPERM)
                born = pid;
        if (!born)
            continue;
        int seen = 0;
        while (inspect(born, &own))
            seen++;
        printf("%s\n", seen ? "seen" : "late");
        next = born + 1;
    }
}

/* What init says to the runtime (Init/SyncMessage.cs), with a length of the text that it does not have. */
static struct {
    int kind, step, error, detail;
    long value;
    int length, operation;
    char text[1000];
} forged = { .kind = 1, .error = 1, .text = "forged" };

static int forge(int socket)
{
    return send(socket, &forged, sizeof forged, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof forged;
}

/* A copy of a process's first socket above stdio. */
static int socket_of(int pid)
{
    int type, held = syscall(SYS_pidfd_open, pid, 0);
    for (int number = 3; held >= 0 && number < 64; number++) {
        int copy = syscall(SYS_pidfd_getfd, held, number, 0);
        socklen_t size = sizeof type;
        if (copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
            close(held);
            return copy;
        }
        close(copy);
    }
    close(held);
    return -1;
}

/* probe forge LENGTH STEP OPERATION: stops each process of the runtime that shows up in this pid namespace, and speaks in its place. */
static int forge_exec(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    for (int next = getpid() + 1;; ) {
        int born = 0, status, sent = 0;
        for (int pid = next; pid < next + 64 && !born; pid++)
            if (kill(pid, 0) == 0 || errno == EPERM)
                born = pid;
        if (!born)
            continue;
        next = born + 1;
        if (ptrace(PTRACE_SEIZE, born, 0, 0) < 0)
            continue;
        ptrace(PTRACE_INTERRUPT, born, 0, 0);
        if (waitpid(born, &status, __WALL) == born && WIFSTOPPED(status)) {
            int copy = is_runtime(born) ? socket_of(born) : -1;
            sent = copy >= 0 && forge(copy);
            close(copy);
            ptrace(PTRACE_DETACH, born, 0, 0);
        }
        printf("%s\n", sent ? "forged" : "late");
    }
}

/* probe forge-start LENGTH STEP OPERATION: answers `start` in the place of a created container's init. */
static int forge_start(void)
{
    int copy = socket_of(1), status;
    if (copy < 0 || ptrace(PTRACE_SEIZE, 1, 0, 0) < 0)
        return 2;
    ptrace(PTRACE_INTERRUPT, 1, 0, 0);
    waitpid(1, &status, __WALL);
    printf("ready\n");
    fflush(stdout);
    int client = accept(copy, NULL, NULL);
    int done = client >= 0 && forge(client);
    pause();
    return !done;
}

/* probe console PATH: takes a terminal's master on a unix socket and copies what it says. */
static int console(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&address, sizeof address) < 0 || listen(server, 1) < 0)
        return 2;
    int client = accept(server, NULL, NULL);
    char name[256], control[CMSG_SPACE(sizeof(int))], text[256];
    struct iovec vector = { name, sizeof name };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    if (recvmsg(client, &message, 0) <= 0 || !CMSG_FIRSTHDR(&message))
        return 3;
    int master;
    memcpy(&master, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof master);
    for (ssize_t n; (n = read(master, text, sizeof text)) > 0;)
        if (write(1, text, n) < 0)
            return 4;
    return 0;
}

static void fuse_answer(int device, const struct fuse_in_header *request, int error, const void *content, size_t length)
{
    struct fuse_out_header header = { .len = sizeof header + (error ? 0 : length), .error = -error, .unique = request->unique };
    struct iovec parts[] = { { &header, sizeof header }, { (void *)content, length } };
    if (writev(device, parts, error || !length ? 1 : 2) < 0)
        perror("answer");
}

/* probe stalled PATH lookup|open|read: a FUSE file system on the file or directory, which has the file "passwd" in it; that kind of request it takes and never answers. */
static int stalled(const char *path, const char *kind)
{
    static char request[1 << 17];
    const struct fuse_in_header *in = (void *)request;
    const unsigned never = !strcmp(kind, "lookup") ? FUSE_LOOKUP : !strcmp(kind, "open") ? FUSE_OPEN : FUSE_READ;
    struct stat below;
    char options[128];
    int device = open("/dev/fuse", O_RDWR);
    if (device < 0 || stat(path, &below) < 0)
        return 2;
    snprintf(options, sizeof options, "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other", device, below.st_mode & S_IFMT);
    if (mount("stalled", path, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
        perror(path);
        return 3;
    }
    printf("mounted\n");
    fflush(stdout);
    while (read(device, request, sizeof request) > 0) {
        struct fuse_attr file = { .ino = 2, .mode = S_IFREG | 0644, .nlink = 1, .size = 4096 };
        struct fuse_attr top = { .ino = 1, .mode = (below.st_mode & S_IFMT) | 0755, .nlink = 1, .size = 4096 };
        struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
        struct fuse_attr_out attributes = { .attr = in->nodeid == 1 ? top : file };
        struct fuse_entry_out entry = { .nodeid = 2, .attr = file };
        struct fuse_open_out opened = { 0 };
        struct fuse_statfs_out statfs = { .st.bsize = 4096 };
        if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT)
            continue;
        if (in->opcode == never) {
            printf("stalled\n");
            fflush(stdout);
            continue;
        }
        switch (in->opcode) {
        case FUSE_INIT: fuse_answer(device, in, 0, &init, sizeof init); break;
        case FUSE_GETATTR: fuse_answer(device, in, 0, &attributes, sizeof attributes); break;
        case FUSE_LOOKUP: fuse_answer(device, in, 0, &entry, sizeof entry); break;
        case FUSE_OPEN: case FUSE_OPENDIR: fuse_answer(device, in, 0, &opened, sizeof opened); break;
        case FUSE_STATFS: fuse_answer(device, in, 0, &statfs, sizeof statfs); break;
        case FUSE_FLUSH: case FUSE_RELEASE: case FUSE_RELEASEDIR: fuse_answer(device, in, 0, NULL, 0); break;
        default: fuse_answer(device, in, ENOSYS, NULL, 0);
        }
    }
    return 0;
}

/* probe tell PATH..., or stay PATH..., which goes on, or wait PATH..., until a SIGTERM: what each is: the entries of a directory with where they lead, or
   whose and what they are, where a link leads, the first 64 KiB of a file. And what acct says. */
static int tell(int argc, char **argv)
{
    static char text[1 << 16];
    struct dirent **entries;
    char target[4096];
    for (int i = 0; i < argc; i++) {
        printf("# %s\n", argv[i]);
        ssize_t length = readlink(argv[i], target, sizeof target);
        int file = length < 0 ? open(argv[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
        int count = file >= 0 ? scandirat(file, ".", &entries, NULL, alphasort) : -1;
        for (int j = 0; j < count; j++) {
            struct stat its;
            ssize_t size = readlinkat(file, entries[j]->d_name, target, sizeof target);
            if (size >= 0)
                printf("%s %.*s\n", entries[j]->d_name, (int)size, target);
            else if (fstatat(file, entries[j]->d_name, &its, AT_SYMLINK_NOFOLLOW) == 0)
                printf("%s %u:%u %o %u:%u\n", entries[j]->d_name, its.st_uid, its.st_gid, its.st_mode, major(its.st_rdev), minor(its.st_rdev));
            else
                printf("%s: %s\n", entries[j]->d_name, strerror(errno));
        }
        if (length >= 0)
            printf("%.*s\n", (int)length, target);
        else if (file < 0)
            puts(strerror(errno));
        else if (count < 0)
            while ((length = read(file, text, sizeof text)) > 0)
                fwrite(text, 1, length, stdout);
        close(file);
    }
    printf("# acct\n%d\n", syscall(SYS_acct, "/none") < 0 ? errno : 0);
    return 0;
}

/* probe epoll PATH: has the kernel write an event into memory that is a file. */
static int told(const char *path)
{
    int file = open(path, O_RDONLY), events = epoll_create1(0), ready = eventfd(1, 0);
    struct epoll_event wanted = { .events = EPOLLIN };
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED || epoll_ctl(events, EPOLL_CTL_ADD, ready, &wanted) < 0)
        return 2;
    return epoll_wait(events, memory, 1, -1) < 0;
}

/* probe hoard NUMBER: has about so many descriptors. */
static int hoard(int number)
{
    while (number-- > 0)
        if (dup(0) < 0)
            return 2;
    printf("hoarded\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* probe peak PROGRAM...: runs it, and says on stderr how many KiB of memory it had at most (getrusage(2), ru_maxrss). */
static int peak(char **argv)
{
    int status;
    struct rusage usage;
    pid_t child = fork();
    if (child == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    if (wait4(child, &status, 0, &usage) != child)
        return 126;
    fprintf(stderr, "peak %ld\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

static void *stay(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

/* probe headless: its first thread ends, and another one goes on. */
static int headless(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, stay, NULL))
        return 2;
    pthread_exit(NULL);
}

/* probe vforks COUNT: so many children each wait for a child of their own that never executes anything. */
static int vforks(int count)
{
    for (int i = 0; i < count; i++)
        if (fork() == 0 && vfork() == 0)
            stay(NULL);
    stay(NULL);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "epoll"))
        return told(argv[2]);
    if (argc > 2 && !strcmp(argv[1], "hoard"))
        return hoard(atoi(argv[2]));
    if (argc > 2 && !strcmp(argv[1], "peak"))
        return peak(argv + 2);
    if (argc > 1 && !strcmp(argv[1], "headless"))
        return headless();
    if (argc > 2 && !strcmp(argv[1], "vforks"))
        return vforks(atoi(argv[2]));
    if (argc > 2 && !strcmp(argv[1], "tell"))
        return tell(argc - 2, argv + 2);
    if (argc > 2 && !strcmp(argv[1], "stay")) {
        tell(argc - 2, argv + 2);
        fflush(stdout);
        for (;;)
            pause();
    }
    if (argc > 2 && !strcmp(argv[1], "wait")) {
        sigset_t term;
        int number;
        tell(argc - 2, argv + 2);
        fflush(stdout);
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        return sigwait(&term, &number);
    }
    if (argc > 3 && !strcmp(argv[1], "stalled"))
        return stalled(argv[2], argv[3]);
    if (argc > 2 && !strcmp(argv[1], "console"))
        return console(argv[2]);
    if (argc > 1 && !strcmp(argv[1], "devices"))
        return devices();
    if (argc > 2 && !strcmp(argv[1], "devices-watch"))
        return devices_watch(argc - 2, argv + 2);
    if (argc > 4) {
        forged.length = atoi(argv[2]);
        forged.step = atoi(argv[3]);
        forged.operation = atoi(argv[4]);
    }
    if (argc > 4 && !strcmp(argv[1], "forge"))
        return forge_exec();
    if (argc > 4 && !strcmp(argv[1], "forge-start"))
        return forge_start();
    if (argc > 1 && !strcmp(argv[1], "spy"))
        return spy();
    if (argc > 1 && !strcmp(argv[1], "notify"))
        return notify(argc - 2, argv + 2);
    if (argc > 1 && !strcmp(argv[1], "mempolicy"))
        return mempolicy();
    if (argc > 1 && !strcmp(argv[1], "keyring"))
        return keyring();
    if (argc > 3 && !strcmp(argv[1], "keyring-of"))
        return keyring_of(argv + 2);
    if (argc > 2 && !strcmp(argv[1], "calls"))
        return calls(argv[2]);
    if (argc > 2 && !strcmp(argv[1], "call32"))
        return call32(atoi(argv[2]));
    if (argc > 1 && !strcmp(argv[1], "label"))
        return label(argc - 2, argv + 2);
    if (argc > 1 && !strcmp(argv[1], "signals"))
        return signals();
    if (argc > 2 && !strcmp(argv[1], "bear"))
        return bear(atoi(argv[2]));
    return 1;
}
