/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "ring3/wait.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct timespec deadline_in(long ms)
{
    return ring3_deadline_in(CLOCK_MONOTONIC, ms * 1000000L);
}

static char scratch[64];

void enter_scratch(void)
{
    strcpy(scratch, "/tmp/ring3-ipc-XXXXXX");
    check(mkdtemp(scratch) != NULL);
    check_eq(chdir(scratch), 0);
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void leave_scratch(void)
{
    struct rlimit limit;

    /* Removing takes descriptors, which the test may have used up. */
    check_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_eq(chdir("/"), 0);
    nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int entries_in(const char *directory)
{
    DIR *const d = opendir(directory);
    const struct dirent *entry;
    int n = 0;

    check(d != NULL, "opendir %s", directory);
    while ((entry = readdir(d)))
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(d);
    return n;
}

int open_descriptors(void)
{
    return entries_in("/proc/self/fd") - 1; /* not the one that looks */
}

void use_up_descriptors(void)
{
    const int next = dup(0);
    struct rlimit limit;

    check_ge(next, 0);
    close(next);
    check_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)next;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void check_killed(pid_t pid)
{
    int status = 0;
    pid_t ended;

    do /* perhaps in a storm */
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    check_eq(ended, pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "wait status %#x", (unsigned)status);
}

static volatile sig_atomic_t storm_signals;

static void count_signal(int signal)
{
    (void)signal;
    storm_signals++;
}

void start_signal_storm(void)
{
    const struct sigaction action = {.sa_handler = count_signal};
    const struct itimerval every_ms = {{0, 1000}, {0, 1000}};

    storm_signals = 0;
    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &every_ms, NULL), 0);
}

void stop_signal_storm(void)
{
    const struct itimerval never = {0};

    /* What was done may have taken less than the first millisecond. Without a storm this hangs. */
    while (!storm_signals && !under_valgrind())
        sleep_ms(1); /* a blocking call: where the thread sanitizer delivers signals */
    check_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}

void sleep_ms(long ms)
{
    const struct timespec until = deadline_in(ms);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static unsigned char pattern_at(size_t i, unsigned seed)
{
    return (unsigned char)(i * 131 + (i >> 8) * 17 + seed);
}

void fill_pattern(void *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = pattern_at(i, seed);
}

bool has_pattern(const void *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)bytes)[i] != pattern_at(i, seed))
            return false;
    return true;
}
