/* SPDX-License-Identifier: MIT */
/*
 * Runs a program and writes what it used: launch RESULT SECONDS [NAME=VALUE…] -- PROGRAM
 * [ARGUMENT…]
 *
 * RESULT gets one line: wait status, wall time and CPU time in microseconds, peak resident memory
 * in KiB; or "late" if the program did not end within SECONDS and was killed, with all its
 * children. The NAME=VALUE pairs are in the environment of the program alone, so that LD_PRELOAD
 * is.
 *
 * Small on purpose: Linux counts what a process had mapped before exec into its peak memory, so a
 * program started by a large one (a Python script) seems as large as that.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long microseconds(struct timeval t)
{
    return t.tv_sec * 1000000L + t.tv_usec;
}

static void become(char **environment, char **program)
{
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever interrupts us interrupts the program */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (; strcmp(*environment, "--") != 0; environment++)
        putenv(*environment);
    execvp(program[0], program);
    fprintf(stderr, "%s: %s\n", program[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

int main(int argc, char **argv)
{
    struct timespec begin, end, limit;
    struct rusage usage;
    sigset_t child;
    int dash = 3, status;

    while (dash < argc && strcmp(argv[dash], "--") != 0)
        dash++;
    if (dash + 1 >= argc) {
        fprintf(stderr, "usage: launch RESULT SECONDS [NAME=VALUE...] -- PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    const double seconds = strtod(argv[2], NULL);
    limit.tv_sec = (time_t)seconds;
    limit.tv_nsec = (long)((seconds - (double)limit.tv_sec) * 1e9);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);

    clock_gettime(CLOCK_MONOTONIC, &begin);
    const pid_t pid = fork();
    if (pid < 0) {
        perror("launch: fork");
        return 1;
    }
    if (pid == 0)
        become(argv + 3, argv + dash + 1);
    const int late = sigtimedwait(&child, NULL, &limit) < 0;
    if (late)
        kill(-pid, SIGKILL);
    wait4(pid, &status, 0, &usage);
    clock_gettime(CLOCK_MONOTONIC, &end);

    FILE *result = fopen(argv[1], "w");
    if (!result) {
        perror(argv[1]);
        return 1;
    }
    if (late)
        fprintf(result, "late\n");
    else
        fprintf(result, "%d %ld %ld %ld\n", status,
                (end.tv_sec - begin.tv_sec) * 1000000L + (end.tv_nsec - begin.tv_nsec) / 1000,
                microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss);
    return fclose(result) == 0 ? 0 : 1;
}
