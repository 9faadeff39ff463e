/* What busybox cannot tell from inside a container. Compiled statically by Probe.cs. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

int main(int argc, char **argv)
{
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
    return 1;
}
