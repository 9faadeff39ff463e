// timeit: wall times of commands run alternately, so that whatever else the machine does hits all of them alike.
//
//   timeit [-n RUNS] [-w WARMUPS] [-g GAP_MS] -- NAME COMMAND [ARG...] [';' COMMAND [ARG...]]... [-- NAME COMMAND ...]...
//
// One measurement is the time from just before posix_spawn to just after wait, summed over the commands of a sequence.
// The order within a round rotates, so that no candidate always runs behind the same other one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_candidates = 16, max_steps = 8 };

struct candidate {
    const char *name;
    char **step[max_steps];
    int steps;
    double *ms;
};

extern char **environ;

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

static double run_step(char **argv, const posix_spawn_file_actions_t *quiet)
{
    pid_t pid;
    int status;
    double start = now_ms();
    int error = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);
    if (error) {
        fprintf(stderr, "timeit: %s: %s\n", argv[0], strerror(error));
        exit(1);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    double end = now_ms();
    // A launch that failed fast would win the comparison.
    if (status != 0) {
        fprintf(stderr, "timeit: %s %s … failed with status 0x%x\n", argv[0], argv[1] ? argv[1] : "", status);
        exit(1);
    }
    return end - start;
}

static double run_candidate(const struct candidate *c, const posix_spawn_file_actions_t *quiet)
{
    double sum = 0;
    for (int i = 0; i < c->steps; i++)
        sum += run_step(c->step[i], quiet);
    // `create` leaves us the container's init.
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return sum;
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

static void print_table(struct candidate *c, int candidates, int runs)
{
    printf("  %-26s %9s %9s %9s %9s\n", "", "median ms", "min", "p90", "ratio");
    double first = 0;
    for (int i = 0; i < candidates; i++) {
        qsort(c[i].ms, runs, sizeof(double), by_value);
        double median = quantile(c[i].ms, runs, 0.5);
        if (i == 0)
            first = median;
        printf("  %-26s %9.2f %9.2f %9.2f %8.2fx\n", c[i].name, median, c[i].ms[0], quantile(c[i].ms, runs, 0.9), median / first);
    }
}

// Splits one candidate's words at ';' into NULL-terminated argument vectors, in place.
static void parse_steps(struct candidate *c, char **words, int count)
{
    if (count < 1) {
        fprintf(stderr, "timeit: %s has no command\n", c->name);
        exit(2);
    }
    c->step[c->steps++] = words;
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], ";") == 0 && c->steps < max_steps) {
            words[i] = NULL;
            c->step[c->steps++] = &words[i + 1];
        }
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
    while ((option = getopt(argc, argv, "+n:w:g:")) != -1) {
        switch (option) {
        case 'n': runs = atoi(optarg); break;
        case 'w': warmups = atoi(optarg); break;
        case 'g': gap = atol(optarg); break;
        default: return 2;
        }
    }

    static struct candidate c[max_candidates];
    int candidates = parse_candidates(c, argv + optind, argc - optind);
    if (candidates == 0 || runs < 1) {
        fprintf(stderr, "usage: timeit [-n RUNS] [-w WARMUPS] [-g GAP_MS] -- NAME COMMAND... [-- NAME COMMAND...]...\n");
        return 2;
    }

    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);

    for (int i = 0; i < candidates; i++)
        c[i].ms = calloc(runs, sizeof(double));
    for (int round = -warmups; round < runs; round++) {
        for (int i = 0; i < candidates; i++) {
            struct candidate *next = &c[(i + round + warmups) % candidates];
            double ms = run_candidate(next, &quiet);
            if (round >= 0)
                next->ms[round] = ms;
            if (gap)
                sleep_ms(gap);
        }
    }
    print_table(c, candidates, runs);
    return 0;
}
