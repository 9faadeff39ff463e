/*
 * What the .NET runtime calls of libc, or does not, in a program that lives for milliseconds. The linker (--wrap, in the project file) leads the
 * runtime's calls here. docs/performance.md has what each brings.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Memory of libc's in one piece, grown in few steps. */
__attribute__((constructor(101))) static void use_one_arena(void)
{
    if (!mallopt(M_ARENA_MAX, 1) || !mallopt(M_TOP_PAD, 1 << 19))
        _exit(1);
}

/*
 * For --trace (Linux/Timeline.cs), and 0 without such a word: when the program came here, in nanoseconds of CLOCK_MONOTONIC, and how much processor
 * time the process had used by then, with the first of two starts.
 */
static long long started[2];

static long long now(clockid_t clock)
{
    struct timespec time;
    return clock_gettime(clock, &time) ? 0 : time.tv_sec * 1000000000LL + time.tv_nsec;
}

__attribute__((constructor(200))) static void note_start(int argc, char **argv)
{
    for (int i = 1; i < argc && !started[0]; i++)
        if (!strncmp(argv[i], "--t", 3) || !strncmp(argv[i], "-trace", 6)) {
            started[0] = now(CLOCK_MONOTONIC);
            started[1] = now(CLOCK_PROCESS_CPUTIME_ID);
        }
}

long long *ocirun_started(void)
{
    return started;
}

/*
 * At its start the runtime asks how much memory and how many processors the machine and its cgroup have, to size a heap that is given its
 * size at link time (System.GC.HeapHardLimit, GCgen0size). For that it reads all of /proc/self/mountinfo, twice, a kilobyte at a time: three
 * milliseconds for each thousand mounts of the host, in every verb. The answer is that nothing is known.
 */
#define WRAP(type, function, parameters, arguments)                                                  \
    type __real_##function parameters;                                                               \
    type __wrap_##function parameters                                                                \
    {                                                                                                \
        if (!asks_about_the_host(path))                                                              \
            return __real_##function arguments;                                                      \
        errno = ENOENT;                                                                              \
        return NULL;                                                                                 \
    }

static int asks_about_the_host(const char *path)
{
    return !strncmp(path, "/sys/", 5) || !strcmp(path, "/proc/self/mountinfo") || !strcmp(path, "/proc/self/cgroup")
        || !strcmp(path, "/proc/meminfo");
}

WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(DIR *, opendir, (const char *path), (path))

/*
 * The first thread that the runtime makes would run finalizers, and there are none here that matter: what holds a descriptor is disposed of. A
 * second thread has its price even when it sleeps: a stack, an interrupt to the other processor for each page that is unmapped or protected, a
 * clone of the container's process that stops both, and an exit that waits for it. Threads that the program asks for come after it, and are made.
 */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int finalizer_is_there;
    if (finalizer_is_there)
        return __real_pthread_create(thread, attributes, run, argument);
    finalizer_is_there = 1;
    *thread = pthread_self();
    return 0;
}

/*
 * A clone has one thread. If another thread of this process had begun a collection (the shim has several), the clone would have its flags and never
 * see its end. So while one clones, nobody begins: Linux/Processes.cs.
 */
static pthread_mutex_t collections = PTHREAD_MUTEX_INITIALIZER;

void ocirun_forbid_collections(void)
{
    pthread_mutex_lock(&collections);
}

void ocirun_allow_collections(void)
{
    pthread_mutex_unlock(&collections);
}

/* GCToEEInterface::SuspendEE(SUSPEND_REASON) and ::RestartEE(bool), around each collection and on the same thread. */
void __real__ZN15GCToEEInterface9SuspendEEE14SUSPEND_REASON(int reason);
void __wrap__ZN15GCToEEInterface9SuspendEEE14SUSPEND_REASON(int reason)
{
    pthread_mutex_lock(&collections);
    __real__ZN15GCToEEInterface9SuspendEEE14SUSPEND_REASON(reason);
}

void __real__ZN15GCToEEInterface9RestartEEEb(_Bool finished);
void __wrap__ZN15GCToEEInterface9RestartEEEb(_Bool finished)
{
    __real__ZN15GCToEEInterface9RestartEEEb(finished);
    pthread_mutex_unlock(&collections);
}

/* Which memory a core file would have: each piece of the heap takes two calls for it. A process that enters a container writes none. */
int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice)
{
    return advice == MADV_DODUMP || advice == MADV_DONTDUMP ? 0 : __real_madvise(address, length, advice);
}

/*
 * Nobody whom this process clones reads a managed object, neither the child that sets a container up nor a hook's. So none of them gets the
 * collector's memory, which the runtime reserves in one piece: clone and execve have less to copy and to throw away, this process does not copy
 * every page that it writes to after a clone, and a container that waits for `start` has nothing of what the runtime knew. A child that breaks the
 * rule ends by SIGSEGV.
 */
#define LEAST_HEAP ((size_t)256 << 20)

void *__real_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    void *mapped = __real_mmap64(address, length, protection, flags, fd, offset);
    if (mapped != MAP_FAILED && protection == PROT_NONE && length >= LEAST_HEAP)
        __real_madvise(mapped, length, MADV_DONTFORK);
    return mapped;
}

/*
 * The bounds of the first thread's stack, which libc looks for in /proc/self/maps. The name that the program was executed by is the last but a few
 * bytes on it (execve(2), getauxval(3)).
 */
int __real_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes);
int __wrap_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
    const unsigned long page = getauxval(AT_PAGESZ);
    const unsigned long top = (getauxval(AT_EXECFN) | (page - 1)) + 1;
    struct rlimit limit;
    if (gettid() != getpid() || getrlimit(RLIMIT_STACK, &limit))
        return __real_pthread_getattr_np(thread, attributes);
    const unsigned long size = limit.rlim_cur == RLIM_INFINITY ? 8ul << 20 : limit.rlim_cur & ~(page - 1);
    int error = pthread_attr_init(attributes);
    return error ? error : pthread_attr_setstack(attributes, (void *)(top - size), size);
}

/* The directory of the program, where $ORIGIN in the paths of libraries leads to: libc looks for it in every program, this one loads none. */
const char *__wrap__dl_get_origin(void)
{
    return (const char *)-1;
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
