/* A container's process with CAP_SYS_PTRACE that waits for others to come into its pid namespace. Compiled statically by PidNamespacePeerTests.cs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *canary, *secret;
static char text[1 << 20];

static int is_runtime(int pid)
{
    char path[64], name[16];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    int file = open(path, O_RDONLY);
    ssize_t n = file < 0 ? 0 : read(file, name, sizeof name);
    close(file);
    return n >= 6 && !strncmp(name, "ocirun", 6);
}

/* Each finding is a line of its own; the reader wants to know which there are. */
static void found(const char *what)
{
    printf("FOUND %s\n", what);
}

/* The host's file, from a directory on. */
static void try_path(const char *what, const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/../../../../../../../../../../%s", directory, canary);
    int file = open(path, O_RDONLY);
    if (file < 0) {
        snprintf(path, sizeof path, "%s/%s", directory, canary);
        file = open(path, O_RDONLY);
    }
    if (file >= 0)
        found(what);
    close(file);
}

static void try_text(const char *what, const char *path)
{
    int file = open(path, O_RDONLY);
    ssize_t n = file < 0 ? 0 : read(file, text, sizeof text);
    close(file);
    if (n > 0 && memmem(text, n, secret, strlen(secret)))
        found(what);
}

/* All memory that can be written: what was ever copied lies there. */
static void try_memory(int pid)
{
    char path[64], line[512], rights[8];
    unsigned long from, to;
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDONLY);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = memory < 0 ? NULL : fopen(path, "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[1] != 'w')
            continue;
        for (; from < to; from += sizeof text / 2) {
            ssize_t n = pread(memory, text, to - from < sizeof text ? to - from : sizeof text, from);
            if (n <= 0)
                break;
            if (memmem(text, n, secret, strlen(secret)))
                found("mem");
        }
    }
    if (maps)
        fclose(maps);
    close(memory);
}

static void try_files(int pid, const char *kind)
{
    char path[4096], what[4200], link[4096];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, kind);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (*entry->d_name == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/%s/%s", pid, kind, entry->d_name);
        ssize_t n = readlink(path, link, sizeof link - 1);
        if (n < 0)
            continue;
        link[n] = 0;
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            snprintf(what, sizeof what, "%s", kind);
            try_path(what, path);
        }
        if (!strcmp(kind, "fd") && atoi(entry->d_name) > 2)
            printf("fd %s\n", link);
        int file = !strcmp(kind, "map_files") ? open(path, O_WRONLY) : -1;
        if (file >= 0)
            found("map_files writable");
        close(file);
    }
    if (directory)
        closedir(directory);
}

static void rights(int pid)
{
    char path[64], line[256];
    unsigned long long capabilities = 0;
    int filters = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status)) {
        sscanf(line, "CapPrm: %llx", &capabilities);
        sscanf(line, "Seccomp_filters: %d", &filters);
    }
    if (status)
        fclose(status);
    if (is_runtime(pid))
        printf("rights %llx filters %d\n", capabilities, filters);
}

static void hammer(int pid)
{
    char path[64];
    int seen = 0;
    while (is_runtime(pid)) {
        seen = 1;
        rights(pid);
        snprintf(path, sizeof path, "/proc/%d/root", pid);
        try_path("root", path);
        snprintf(path, sizeof path, "/proc/%d/cwd", pid);
        try_path("cwd", path);
        try_files(pid, "fd");
        snprintf(path, sizeof path, "/proc/%d/environ", pid);
        try_text("environ", path);
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        try_text("cmdline", path);
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        int file = open(path, O_WRONLY);
        if (file >= 0)
            found("exe writable");
        close(file);
        try_files(pid, "map_files");
        try_memory(pid);
    }
    if (seen)
        printf("seen\n");
}

/* peer CANARY SECRET: a file of the host and a word of its caller's, of which nothing may come here. New pids are the next numbers; a process may become
   one of the runtime's later. */
static int peer(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    for (int first = getpid() + 1, next = first;;) {
        for (int pid = first; pid < next + 8; pid++) {
            if (kill(pid, 0) == 0 || errno == EPERM) {
                if (pid >= next)
                    next = pid + 1;
                hammer(pid);
            } else if (pid == first && pid < next) {
                first++;
            }
        }
    }
}

/* before-6.18 PROGRAM...: procfs has no option "pidns", nor any other that takes an open file. */
static int old(char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsconfig, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5 /* FSCONFIG_SET_FD */, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 2;
    execv(argv[0], argv);
    return 3;
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "peer")) {
        canary = argv[2];
        secret = argv[3];
        return peer();
    }
    return argc > 2 && !strcmp(argv[1], "before-6.18") ? old(argv + 2) : 1;
}
