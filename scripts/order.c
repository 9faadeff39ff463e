/*
 * Which functions of a static program run, in the order of their first call: order ADDRESSES LIST PROGRAM
 * [ARGUMENT]...
 *
 * A breakpoint at the first instruction of each (one address a line, hexadecimal), taken away when it is hit. All threads and children are followed,
 * and executions of the program, which may be from a copy; of other programs none. Adds the addresses to the list. Ends when all of them have.
 * Used by order.sh.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOP 0x1000000

static FILE *list;
static unsigned char original[TOP];
static char is_function[TOP], is_known[TOP];

static int memory_of(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) err(1, "%s", path);
    return fd;
}

static int runs(pid_t pid, const struct stat *program)
{
    char path[32];
    struct stat exe;
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    return stat(path, &exe) == 0 && exe.st_size == program->st_size;
}

static void set_breakpoints(pid_t pid)
{
    int fd = memory_of(pid);
    for (unsigned long at = 0; at < TOP; at++) {
        if (!is_function[at]) continue;
        if (pread(fd, &original[at], 1, at) != 1 || pwrite(fd, "\xcc", 1, at) != 1) is_function[at] = 0;
    }
    close(fd);
}

/* The instruction is put back, and runs next. False when the trap was no breakpoint. */
static int take_away(pid_t pid)
{
    struct user_regs_struct registers;
    ptrace(PTRACE_GETREGS, pid, 0, &registers);
    unsigned long at = registers.rip - 1;
    if (at >= TOP || !is_function[at]) return 0;
    int fd = memory_of(pid);
    if (pwrite(fd, &original[at], 1, at) != 1) err(1, "write memory");
    close(fd);
    registers.rip = at;
    ptrace(PTRACE_SETREGS, pid, 0, &registers);
    if (!is_known[at]) fprintf(list, "%lx\n", at);
    is_known[at] = 1;
    return 1;
}

int main(int argc, char **argv)
{
    struct stat program;
    if (argc < 4) errx(2, "usage: order ADDRESSES LIST PROGRAM [ARGUMENT]...");
    if (stat(argv[3], &program) < 0) err(1, "%s", argv[3]);
    FILE *addresses = fopen(argv[1], "r");
    if (!addresses) err(1, "%s", argv[1]);
    for (unsigned long at; fscanf(addresses, "%lx", &at) == 1;) if (at < TOP) is_function[at] = 1;
    list = fopen(argv[2], "ae");
    if (!list) err(1, "%s", argv[2]);
    pid_t first = fork();
    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(argv[3], argv + 3);
        err(127, "%s", argv[3]);
    }
    int status, result = 1;
    waitpid(first, &status, 0);
    ptrace(PTRACE_SETOPTIONS, first, 0,
        PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
    ptrace(PTRACE_CONT, first, 0, 0);
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid == first && WIFEXITED(status)) result = WEXITSTATUS(status);
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_EXEC && runs(pid, &program)) set_breakpoints(pid);
        if (event == PTRACE_EVENT_EXEC && !runs(pid, &program)) ptrace(PTRACE_DETACH, pid, 0, 0);
        else ptrace(PTRACE_CONT, pid, 0, event || signal == SIGSTOP || (signal == SIGTRAP && take_away(pid)) ? 0 : signal);
    }
    return result;
}
