// timeit: wall times of commands run alternately, so that whatever else the machine does hits all of them alike.
//
//   timeit [OPTION...] -- NAME COMMAND [ARG...] [';' COMMAND [ARG...]]... [-- NAME COMMAND ...]...
//
//   -n RUNS      measurements of each candidate (50)
//   -w WARMUPS   rounds before the first that counts (3)
//   -g GAP       milliseconds between two measurements (0)
//   -b SECONDS   no new round after so long (120): what is slow is measured less often, and says so
//   -m           peak resident memory in MiB instead of time
//
// One measurement is the time from just before posix_spawn to just after wait, summed over the commands of a sequence; a command
// after the word `untimed` only has to succeed. The order within a round rotates, so that no candidate always runs behind the same
// other one. A candidate whose command fails is out. Prints a JSON object a candidate.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_candidates = 16, max_steps = 8, limit_s = 60 };

struct step {
    char **argv;
    bool untimed;
};

struct candidate {
    const char *name;
    struct step step[max_steps];
    int steps;
    double *value;
    int values;
    bool failed;
};

extern char **environ;

static bool memory; // -m
static int errors;  // a file in memory, the stderr of the command at work
static volatile pid_t current;

// A command that hangs is a failed one.
static void on_alarm(int signal)
{
    (void)signal;
    if (current > 0)
        kill(current, SIGKILL);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static void show_errors(void)
{
    char text[2000];
    ssize_t length = pread(errors, text, sizeof text, 0);
    if (length > 0)
        fwrite(text, 1, length, stderr);
}

// What the command takes, in milliseconds or MiB; negative when it fails: a launch that failed fast would win the comparison.
static double run_step(char **argv, const posix_spawn_file_actions_t *quiet)
{
    pid_t pid;
    int status;
    struct rusage usage;
    (void)!ftruncate(errors, 0);
    double start = now_ms();
    int error = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);
    if (error) {
        fprintf(stderr, "timeit: %s: %s\n", argv[0], strerror(error));
        return -1;
    }
    current = pid;
    alarm(limit_s);
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    double end = now_ms();
    alarm(0);
    current = 0;
    if (status != 0) {
        fprintf(stderr, "timeit: failed with status 0x%x:", status);
        for (char **word = argv; *word; word++)
            fprintf(stderr, " %s", *word);
        fputc('\n', stderr);
        show_errors();
        return -1;
    }
    return memory ? usage.ru_maxrss / 1024.0 : end - start;
}

static double run_candidate(const struct candidate *c, const posix_spawn_file_actions_t *quiet)
{
    double result = 0;
    for (int i = 0; i < c->steps && result >= 0; i++) {
        double value = run_step(c->step[i].argv, quiet);
        if (value < 0)
            result = value;
        else if (c->step[i].untimed)
            ;
        else if (!memory)
            result += value;
        else if (value > result)
            result = value;
    }
    // `create` leaves us the container's init.
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return result;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int low = (int)at;
    int high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

static void print_result(const struct candidate *c)
{
    if (c->failed || c->values == 0) {
        printf("{\"name\": \"%s\", \"failed\": true}\n", c->name);
        return;
    }
    qsort(c->value, c->values, sizeof(double), by_value);
    printf("{\"name\": \"%s\", \"median\": %.3f, \"min\": %.3f, \"p90\": %.3f, \"runs\": %d}\n", c->name,
           quantile(c->value, c->values, 0.5), c->value[0], quantile(c->value, c->values, 0.9), c->values);
}

// Splits one candidate's words at ';' into NULL-terminated argument vectors, in place.
static void parse_steps(struct candidate *c, char **words, int count)
{
    for (int i = 0; i <= count; i++) {
        int begin = i;
        while (i < count && strcmp(words[i], ";") != 0)
            i++;
        words[i] = NULL;
        bool untimed = words[begin] && strcmp(words[begin], "untimed") == 0;
        if (!words[begin + untimed] || c->steps == max_steps) {
            fprintf(stderr, "timeit: %s has an empty command, or more than %d\n", c->name, max_steps);
            exit(2);
        }
        c->step[c->steps++] = (struct step){words + begin + untimed, untimed};
    }
}

static int parse_candidates(struct candidate *c, char **words, int count)
{
    int candidates = 0;
    for (int i = 0; i < count;) {
        int end = i;
        while (end < count && strcmp(words[end], "--") != 0)
            end++;
        if (candidates == max_candidates) {
            fprintf(stderr, "timeit: more than %d candidates\n", max_candidates);
            exit(2);
        }
        c[candidates].name = words[i];
        words[end] = NULL; // the separator, or argv's own terminator
        parse_steps(&c[candidates++], words + i + 1, end - i - 1);
        i = end + 1;
    }
    return candidates;
}

int main(int argc, char **argv)
{
    int option, runs = 50, warmups = 3;
    long gap = 0;
    double budget = 120e3;
    while ((option = getopt(argc, argv, "+n:w:g:b:m")) != -1) {
        switch (option) {
        case 'n': runs = atoi(optarg); break;
        case 'w': warmups = atoi(optarg); break;
        case 'g': gap = atol(optarg); break;
        case 'b': budget = atof(optarg) * 1e3; break;
        case 'm': memory = true; break;
        default: return 2;
        }
    }

    static struct candidate c[max_candidates];
    int candidates = parse_candidates(c, argv + optind, argc - optind);
    if (candidates == 0 || runs < 1) {
        fprintf(stderr, "usage: timeit [-n RUNS] [-w WARMUPS] [-g GAP] [-b SECONDS] [-m] -- NAME COMMAND... [-- NAME COMMAND...]...\n");
        return 2;
    }

    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    errors = memfd_create("stderr", MFD_CLOEXEC);
    fcntl(errors, F_SETFL, O_APPEND);
    posix_spawn_file_actions_adddup2(&quiet, errors, 2);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);

    for (int i = 0; i < candidates; i++)
        c[i].value = calloc(runs, sizeof(double));
    double end = now_ms() + budget;
    for (int round = -warmups; round < runs && (round <= 0 || now_ms() < end); round++) {
        for (int i = 0; i < candidates; i++) {
            struct candidate *next = &c[(i + round + warmups) % candidates];
            if (next->failed)
                continue;
            double value = run_candidate(next, &quiet);
            next->failed = value < 0;
            if (round >= 0 && !next->failed)
                next->value[next->values++] = value;
            if (gap)
                sleep_ms(gap);
        }
    }
    for (int i = 0; i < candidates; i++)
        print_result(&c[i]);
    return 0;
}
