// floor: what the kernel alone takes for the default bundle and /bin/true. No configuration is read, nothing is checked,
// every path is constant: only the system calls that no runtime can avoid, and a child that is born in its cgroup (v2) or
// enters its cgroups itself (v1), so that no process is moved, which takes a lock of the whole machine. On v2 the device
// program is left out.
// Usage: floor ROOTFS CGROUP, whose parent is there in every hierarchy; floor --version does nothing, in a static program.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char cgroup_root[] = "/sys/fs/cgroup";
static const char *cgroup_name;

static char hierarchy[32][256]; // the container's directory in each hierarchy
static int hierarchies;

static void die(const char *what)
{
    perror(what);
    _exit(1);
}

static void must(long result, const char *what)
{
    if (result < 0)
        die(what);
}

static int is_cgroup(const char *directory)
{
    char path[300];
    snprintf(path, sizeof path, "%s/cgroup.procs", directory);
    return access(path, F_OK) == 0;
}

// On v2 there is one hierarchy, on v1 one per directory (links to combined ones lead to the same place).
static void find_hierarchies(void)
{
    if (is_cgroup(cgroup_root)) {
        snprintf(hierarchy[hierarchies++], 256, "%s/%s", cgroup_root, cgroup_name);
        return;
    }
    DIR *root = opendir(cgroup_root);
    struct dirent *entry;
    while (root && (entry = readdir(root)) && hierarchies < 32) {
        char path[256];
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%.100s", cgroup_root, entry->d_name);
        if (is_cgroup(path))
            snprintf(hierarchy[hierarchies++], 256, "%.150s/%.100s", path, cgroup_name);
    }
    if (root)
        closedir(root);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

static void copy_first_line(const char *from, const char *to)
{
    char text[256];
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (length > 0) {
        text[length] = 0;
        write_file(to, text);
    }
}

static void make_cgroups(void)
{
    char from[300], to[300];
    for (int i = 0; i < hierarchies; i++) {
        must(mkdir(hierarchy[i], 0755), hierarchy[i]);
        // A v1 cpuset takes no process before it has processors and memory.
        static const char *const inherited[] = {"cpuset.cpus", "cpuset.mems"};
        for (int k = 0; k < 2 && strstr(hierarchy[i], "/cpuset/"); k++) {
            snprintf(from, sizeof from, "%s/../%s", hierarchy[i], inherited[k]);
            snprintf(to, sizeof to, "%s/%s", hierarchy[i], inherited[k]);
            copy_first_line(from, to);
        }
        if (strstr(hierarchy[i], "/devices/")) {
            static const char *const allowed[] = {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:8 rwm", "c 1:7 rwm", "c 5:0 rwm",
                                                  "c 1:5 rwm", "c 1:9 rwm", "c 136:* rwm", "c 5:2 rwm"};
            snprintf(to, sizeof to, "%s/devices.deny", hierarchy[i]);
            write_file(to, "a");
            snprintf(to, sizeof to, "%s/devices.allow", hierarchy[i]);
            for (unsigned k = 0; k < sizeof allowed / sizeof *allowed; k++)
                write_file(to, allowed[k]);
        }
    }
}

static void enter_cgroups(void)
{
    char path[300];
    for (int i = 0; i < hierarchies; i++) {
        // Moving one's own single thread through it skips the lock.
        snprintf(path, sizeof path, "%s/tasks", hierarchy[i]);
        write_file(path, "0");
    }
}

static void remove_cgroups(void)
{
    for (int i = 0; i < hierarchies; i++)
        while (rmdir(hierarchy[i]) < 0 && errno == EBUSY)
            usleep(100);
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data)
{
    must(mount(type, target, type, flags, data), target);
}

static void make_devices(void)
{
    static const struct { const char *name; int major, minor; } device[] = {
        {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
    };
    char path[64];
    for (unsigned i = 0; i < sizeof device / sizeof *device; i++) {
        snprintf(path, sizeof path, "dev/%s", device[i].name);
        must(mknod(path, S_IFCHR | 0666, makedev(device[i].major, device[i].minor)), path);
    }
    must(symlink("/proc/self/fd", "dev/fd"), "fd");
    must(symlink("/proc/self/fd/0", "dev/stdin"), "stdin");
    must(symlink("/proc/self/fd/1", "dev/stdout"), "stdout");
    must(symlink("/proc/self/fd/2", "dev/stderr"), "stderr");
    must(symlink("pts/ptmx", "dev/ptmx"), "ptmx");
}

static void bind_cgroups(void)
{
    char target[300];
    mount_at("tmpfs", "sys/fs/cgroup", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=755");
    for (int i = 0; i < hierarchies; i++) {
        const char *name = hierarchy[i] + strlen(cgroup_root) + 1;
        snprintf(target, sizeof target, "sys/fs/cgroup/%.*s", (int)strcspn(name, "/"), name);
        must(mkdir(target, 0755), target);
        must(mount(hierarchy[i], target, NULL, MS_BIND, NULL), target);
        must(mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL), target);
    }
    must(mount(NULL, "sys/fs/cgroup", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL), "cgroup");
}

static void mask_and_protect(void)
{
    static const char *const masked[] = {"proc/acpi", "proc/asound", "proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list",
                                         "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi"};
    static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    for (unsigned i = 0; i < sizeof masked / sizeof *masked; i++)
        if (mount("dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
            mount_at("tmpfs", masked[i], MS_RDONLY, NULL);
    for (unsigned i = 0; i < sizeof readonly / sizeof *readonly; i++)
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
}

static void make_root(const char *rootfs)
{
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private /");
    must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
    must(chdir(rootfs), rootfs);
    mount_at("proc", "proc", 0, NULL);
    mount_at("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
    must(mkdir("dev/pts", 0755), "pts");
    must(mkdir("dev/shm", 01777), "shm");
    must(mkdir("dev/mqueue", 0755), "mqueue");
    mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
    mount_at("tmpfs", "dev/shm", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k");
    mount_at("mqueue", "dev/mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
    mount_at("sysfs", "sys", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
    bind_cgroups();
    make_devices();
    mask_and_protect();
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount of the old root");
    must(chdir("/"), "chdir");
    must(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "read-only /");
}

static void drop_privileges(void)
{
    static const int kept[] = {CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    struct rlimit files = {1024, 1024};
    unsigned mask = 0;
    for (int i = 0; i < 3; i++)
        mask |= 1u << kept[i];
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (cap > 31 || !(mask >> cap & 1))
            prctl(PR_CAPBSET_DROP, cap);
    must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    must(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
    must(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
    data[0].effective = data[0].permitted = mask;
    must(syscall(SYS_capset, &header, data), "capset");
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void child(const char *rootfs)
{
    char *argv[] = {"/bin/true", NULL}, *env[] = {"PATH=/bin", NULL};
    must(prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
    if (!is_cgroup(cgroup_root))
        enter_cgroups();
    must(setsid(), "setsid");
    make_root(rootfs);
    must(sethostname("floor", 5), "sethostname");
    drop_privileges();
    execve(argv[0], argv, env);
    die("execve");
}

int main(int argc, char **argv)
{
    struct clone_args args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
        .exit_signal = SIGCHLD,
    };
    int status = 1;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return 0;
    if (argc != 3)
        return 2;
    cgroup_name = argv[2];
    find_hierarchies();
    make_cgroups();
    if (is_cgroup(cgroup_root)) {
        int cgroup = open(hierarchy[0], O_PATH | O_CLOEXEC);
        must(cgroup, hierarchy[0]);
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)cgroup;
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    must(pid, "clone3");
    if (pid == 0)
        child(argv[1]);
    waitpid((pid_t)pid, &status, 0);
    remove_cgroups();
    return status != 0;
}
