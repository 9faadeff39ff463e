/* meddle DEADLINE MARKER WHAT PROCESS CALL N COMMAND...: runs the command and does something at one system call of it or of a child.
   meddle DEADLINE MARKER WHAT PROCESS CALL N --attach PID: does so to a process that is there already, from the line "ready" on standard output on,
   until that process ends or meddle is killed.

   The call is the N-th one, or each for 0, of number CALL that process PROCESS makes: 0 is the command, the others are counted by birth, -1 is all.
   CALL,ARGUMENT=VALUE is only one whose argument, counted from 0, has that value, CALL,ARGUMENT:TEXT one whose argument is a path with that in it. Several WHATs joined by '+' are done to as many CALLs.
   What comes before the command opens a file whose path ends with MARKER does not count. A child that executes a program by execve is let go of: it is
   a hook, or the container's. WHAT is
     record      prints a line "PROCESS CALL N" for each call instead;
     none        nothing;
     ERRNO       a number: the call is not made and fails with it, or with 0 seems to succeed (close is made, as the kernel does, whatever it says);
     clear-ARGUMENT-BITS         the call is made without these bits, in hexadecimal, of its argument; "resolve" is what openat2 is given of that name;
     put-ARGUMENT-VALUE          the call is made with this argument;
     raise-ARGUMENT-OFFSET-BITS  the call is made with these bits in the 32 bits at OFFSET of what its argument points to;
     answer-ARGUMENT-BYTE        the call is made, and afterwards what its argument points to begins with this byte;
     kill-before, kill-after, term-before, term-after    sends the signal to the process that makes the call, before or after that;
     delayMS     makes the thread wait before the call, while the others get on.
   On descriptor 3, if there is one, it says "hit" when it was done, and "hang" when the command took longer than DEADLINE milliseconds, and was killed. The exit status is the command's. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 512, THREADS = 64, PROCESSES = 32, CHANGES = 4 };

/* What is done to which call. */
struct change {
    char *what, text[64];
    int call, argument;
    unsigned long value;
};

/* One that is traced. */
struct thread {
    int id, process, attaching;
    const struct change *pending;
    long call, resume_at;
};

static struct thread threads[THREADS];
static int groups[PROCESSES], group_count;
static int counts[PROCESSES][CALLS];
static const char *marker;
static struct change changes[CHANGES];
static int change_count, wanted_process, wanted_n, begun, recording, attaching;

/* Where x86-64 has the arguments of a system call. */
static const size_t registers[] = { offsetof(struct user, regs.rdi), offsetof(struct user, regs.rsi), offsetof(struct user, regs.rdx),
    offsetof(struct user, regs.r10), offsetof(struct user, regs.r8), offsetof(struct user, regs.r9) };

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int group_of(int thread)
{
    char path[64], line[128];
    int group = thread;
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %d", &group) == 1)
            break;
    if (status)
        fclose(status);
    return group;
}

static struct thread *thread_of(int id)
{
    struct thread *free = NULL;
    for (struct thread *t = threads; t < threads + THREADS; t++) {
        if (t->id == id)
            return t;
        if (!t->id && !free)
            free = t;
    }
    if (!free)
        exit(125);
    int group = group_of(id), process = 0;
    while (process < group_count && groups[process] != group)
        process++;
    if (process == PROCESSES)
        exit(125);
    if (process == group_count)
        groups[group_count++] = group;
    *free = (struct thread){ .id = id, .process = process };
    return free;
}

/* As much of it as is on one page, or nothing. */
static const char *path_of(int pid, unsigned long address)
{
    static char path[4096];
    struct iovec here = { path, sizeof path - 1 }, there = { (void *)address, 0 };
    memset(path, 0, sizeof path);
    /* Up to the end of the page: what comes after it may not be there. */
    there.iov_len = 4096 - address % 4096;
    if (there.iov_len > sizeof path - 1)
        there.iov_len = sizeof path - 1;
    return process_vm_readv(pid, &here, 1, &there, 1, 0) > 0 ? path : "";
}

static int is_marker(int pid, unsigned long address)
{
    const char *path = path_of(pid, address);
    size_t length = strlen(path), end = strlen(marker);
    return length >= end && !strcmp(path + length - end, marker);
}

static void report(const char *word)
{
    if (write(3, word, strlen(word)) < 0 && errno != EBADF)
        exit(125);
}

static void set(int pid, size_t offset, long value)
{
    ptrace(PTRACE_POKEUSER, pid, offset, value);
}

/* The kernel's eventfd_read and eventfd_write fail by neither. */
static int is_eventfd(const struct thread *t, int fd)
{
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", t->id, fd);
    return readlink(path, target, sizeof target - 1) > 0 && !strcmp(target, "anon_inode:[eventfd]");
}

static int is_wanted(const struct thread *t, int n)
{
    return (t->process == wanted_process || wanted_process < 0) && (!wanted_n || n == wanted_n);
}

static int is_meant(int pid, const struct change *c, const struct __ptrace_syscall_info *info)
{
    if (info->entry.nr != (unsigned long)c->call || c->argument < 0)
        return info->entry.nr == (unsigned long)c->call;
    unsigned long argument = info->entry.args[c->argument];
    return *c->text ? strstr(path_of(pid, argument), c->text) != NULL : argument == c->value;
}

/* Reads and writes what a process has in its memory. */
static void peek(int pid, unsigned long address, void *data, size_t size)
{
    struct iovec here = { data, size }, there = { (void *)address, size };
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)size)
        exit(125);
}

static void poke(int pid, unsigned long address, void *data, size_t size)
{
    struct iovec here = { data, size }, there = { (void *)address, size };
    if (process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)size)
        exit(125);
}

/* Makes a call less careful than it is; 0 where that is not what is to be done. */
static int weaken(int pid, const char *what, const unsigned long *arguments)
{
    enum { COUNT = sizeof registers / sizeof *registers };
    unsigned long bits, resolve;
    unsigned argument, offset, word;
    if (sscanf(what, "clear-resolve-%lx", &bits) == 1) {
        /* struct open_how: flags, mode, resolve. */
        peek(pid, arguments[2] + 16, &resolve, sizeof resolve);
        resolve &= ~bits;
        poke(pid, arguments[2] + 16, &resolve, sizeof resolve);
    } else if (sscanf(what, "clear-%u-%lx", &argument, &bits) == 2 && argument < COUNT) {
        set(pid, registers[argument], arguments[argument] & ~bits);
    } else if (sscanf(what, "put-%u-%lx", &argument, &bits) == 2 && argument < COUNT) {
        set(pid, registers[argument], bits);
    } else if (sscanf(what, "raise-%u-%u-%lx", &argument, &offset, &bits) == 3 && argument < COUNT) {
        peek(pid, arguments[argument] + offset, &word, sizeof word);
        word |= bits;
        poke(pid, arguments[argument] + offset, &word, sizeof word);
    } else {
        return 0;
    }
    return 1;
}

/* The beginning of a call. */
static void enter(struct thread *t, const struct __ptrace_syscall_info *info)
{
    long call = t->call = info->entry.nr;
    if (!begun) {
        if (t->process == 0 && (call == SYS_openat || call == SYS_openat2))
            begun = is_marker(t->id, info->entry.args[1]);
        return;
    }
    int of_kind = 0, meant = 0;
    for (int i = 0; i < change_count; i++) {
        of_kind |= call == changes[i].call;
        meant |= is_meant(t->id, &changes[i], info);
    }
    if (call < 0 || call >= CALLS || (of_kind && !meant))
        return;
    if ((call == SYS_read || call == SYS_write) && is_eventfd(t, info->entry.args[0]))
        return;
    int n = ++counts[t->process][call];
    if (recording)
        dprintf(3, "%d %ld %d\n", t->process, call, n);
    if (recording || !meant || !is_wanted(t, n))
        return;
    report("hit");
    for (int i = 0; i < change_count; i++) {
        const char *what = changes[i].what;
        if (!is_meant(t->id, &changes[i], info) || weaken(t->id, what, (const unsigned long *)info->entry.args))
            continue;
        t->pending = &changes[i];
        if (!strncmp(what, "delay", 5))
            t->resume_at = now() + atoi(what + 5);
        else if (!strcmp(what, "kill-before"))
            kill(groups[t->process], SIGKILL);
        else if (!strcmp(what, "term-before"))
            kill(groups[t->process], SIGTERM);
        else if (isdigit(*what) && call != SYS_close)
            set(t->id, offsetof(struct user, regs.orig_rax), -1);
    }
}

static void leave(struct thread *t)
{
    unsigned argument, byte;
    if (!t->pending)
        return;
    const char *what = t->pending->what;
    t->pending = NULL;
    if (!strcmp(what, "kill-after"))
        kill(groups[t->process], SIGKILL);
    else if (!strcmp(what, "term-after"))
        kill(groups[t->process], SIGTERM);
    else if (isdigit(*what))
        set(t->id, offsetof(struct user, regs.rax), -atoi(what));
    else if (sscanf(what, "answer-%u-%x", &argument, &byte) == 2 && argument < sizeof registers / sizeof *registers)
        poke(t->id, ptrace(PTRACE_PEEKUSER, t->id, registers[argument], 0), &(unsigned char){ byte }, 1);
}

/* The last of a process's threads that has stopped, or ended before it could, ends the attaching. */
static void attached(struct thread *t)
{
    if (t->attaching && !--attaching)
        dprintf(1, "ready\n");
    t->attaching = 0;
}

/* What a stopped thread has to say; how it goes on: a request and a signal. */
static enum __ptrace_request stopped(struct thread *t, int status, int *signal)
{
    struct __ptrace_syscall_info info;
    int event = status >> 16;
    *signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, t->id, sizeof info, &info) <= 0)
            return PTRACE_SYSCALL;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
            enter(t, &info);
        else
            leave(t);
        return PTRACE_SYSCALL;
    }
    if (event == PTRACE_EVENT_EXEC)
        /* execveat is the runtime, which executes its own sealed copy. */
        return t->process > 0 && t->call == SYS_execve ? PTRACE_DETACH : PTRACE_SYSCALL;
    if (event == PTRACE_EVENT_STOP) {
        attached(t);
        /* A thread that is new, or a group that was stopped. */
        return WSTOPSIG(status) == SIGTRAP ? PTRACE_SYSCALL : PTRACE_LISTEN;
    }
    if (!event)
        *signal = WSTOPSIG(status);
    return PTRACE_SYSCALL;
}

static const int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;

/* Every thread of a process, until none is new. */
static void attach(int process)
{
    char path[64];
    struct dirent *entry;
    thread_of(process);
    snprintf(path, sizeof path, "/proc/%d/task", process);
    for (int known = -1; known != attaching;) {
        known = attaching;
        DIR *tasks = opendir(path);
        while (tasks && (entry = readdir(tasks))) {
            int id = atoi(entry->d_name);
            if (id <= 0 || ptrace(PTRACE_SEIZE, id, 0, options) < 0)
                continue;
            thread_of(id)->attaching = 1;
            attaching++;
            ptrace(PTRACE_INTERRUPT, id, 0, 0);
        }
        if (tasks)
            closedir(tasks);
    }
}

/* Starts a command that is traced from its first instruction on. */
static int start(char **argv, const sigset_t *mask)
{
    int command = fork();
    if (command == 0) {
        raise(SIGSTOP);
        sigprocmask(SIG_SETMASK, mask, NULL);
        execv(argv[0], argv);
        _exit(127);
    }
    waitpid(command, NULL, WUNTRACED);
    if (ptrace(PTRACE_SEIZE, command, 0, options) < 0)
        exit(125);
    thread_of(command);
    kill(command, SIGCONT);
    return command;
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 125;
    long end = now() + atoi(argv[1]);
    marker = argv[2];
    begun = !*marker;
    recording = !strcmp(argv[3], "record");
    wanted_process = atoi(argv[4]);
    for (char *what, *call; change_count < CHANGES && (what = strsep(&argv[3], "+")) && (call = strsep(&argv[5], "+"));) {
        struct change *c = &changes[change_count++];
        *c = (struct change){ .what = what, .argument = -1 };
        if (sscanf(call, "%d,%d:%63s", &c->call, &c->argument, c->text) == 2)
            sscanf(call, "%d,%d=%lu", &c->call, &c->argument, &c->value);
        if (c->argument > 5)
            return 125;
    }
    wanted_n = atoi(argv[6]);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    sigset_t child, none;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &none);
    int attaches = !strcmp(argv[7], "--attach"), command = attaches ? atoi(argv[8]) : start(argv + 7, &none);
    if (attaches)
        attach(command);
    for (;;) {
        int status, signal, id = waitpid(-1, &status, __WALL | WNOHANG);
        if (id <= 0) {
            long time = now(), until = end;
            for (struct thread *t = threads; t < threads + THREADS; t++) {
                if (t->id && t->resume_at && t->resume_at <= time) {
                    t->resume_at = 0;
                    ptrace(PTRACE_SYSCALL, t->id, 0, 0);
                } else if (t->id && t->resume_at && t->resume_at < until) {
                    until = t->resume_at;
                }
            }
            if (time >= end) {
                report("hang");
                kill(command, SIGKILL);
                end = time + 1000;
            }
            long wait = until - time > 1000 ? 1000 : until > time ? until - time : 1;
            sigtimedwait(&child, NULL, &(struct timespec){ wait / 1000, wait % 1000 * 1000000 });
            continue;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id == command) {
                if (WIFSIGNALED(status)) {
                    /* As it ended; without a core. */
                    signal = WTERMSIG(status);
                    sigprocmask(SIG_SETMASK, &none, NULL);
                    raise(signal);
                }
                return WEXITSTATUS(status);
            }
            for (struct thread *t = threads; t < threads + THREADS; t++) {
                if (t->id != id)
                    continue;
                attached(t);
                t->id = 0;
            }
            continue;
        }
        struct thread *t = thread_of(id);
        enum __ptrace_request request = stopped(t, status, &signal);
        if (t->resume_at)
            continue;
        ptrace(request, id, 0, signal);
        if (request == PTRACE_DETACH)
            t->id = 0;
    }
}
