/* SPDX-License-Identifier: MIT */
/*
 * shell-latency ENTRIES KEYS R3SH: how long a key takes to the screen. Runs the shell on a pseudo-terminal with so
 * many entries in its history, types commands that the history suggests, and takes the time from each key until the
 * terminal has got something to show. Prints the median, the 99th percentile and the longest, in microseconds.
 */
#include "edit/history.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 5     /* nothing more comes for this long: the line is drawn */
#define HANG_MS  60000 /* the shell does not answer any more */

static char home[] = "/tmp/shell-latency-XXXXXX", file[64];

static void fail(const char *what)
{
    fprintf(stderr, "shell-latency: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void command(long i, char text[96])
{
    static const char *const words[] = {"git commit -m", "make -C", "grep -rn",
                                        "ls -l",         "ssh",     "cd"};

    snprintf(text, 96, "%s number-%ld/of-many things", words[i % 6], i * 7919 % 100003);
}

static void fill_history(long entries)
{
    struct history *const h = history_open(file);

    if (!h)
        fail("history");
    for (long i = 0; i < entries; i++) {
        char text[96];

        command(i, text);
        if (history_add(h, text, "/", i) < 0)
            fail("history");
    }
    history_close(h);
}

/* Reads until `text` comes, or if it is NULL until nothing more comes. */
static void read_until(int fd, const char *text)
{
    static char seen[1 << 16];
    size_t len = 0;

    for (;;) {
        struct pollfd wait = {fd, POLLIN, 0};
        const int n = poll(&wait, 1, text ? HANG_MS : QUIET_MS);
        ssize_t got;

        if (n == 0 && !text)
            return;
        if (n <= 0)
            fail("no answer");
        if (len > sizeof seen / 2)
            len = 0;
        got = read(fd, seen + len, sizeof seen - 1 - len);
        if (got <= 0)
            fail("the shell ended");
        len += (size_t)got;
        seen[len] = '\0';
        if (text && strstr(seen, text))
            return;
    }
}

static pid_t start(const char *program, int *fd)
{
    const struct winsize size = {24, 80, 0, 0};
    const pid_t pid = forkpty(fd, NULL, NULL, &size);
    char variable[64], histfile[80];

    if (pid < 0)
        fail("forkpty");
    if (pid > 0)
        return pid;
    snprintf(variable, sizeof variable, "HOME=%s", home);
    snprintf(histfile, sizeof histfile, "HISTFILE=%s", file);
    char *const environment[] = {variable,      histfile,
                                 "TERM=xterm",  "LC_ALL=C.UTF-8",
                                 "PS1=ready> ", "PATH=/usr/local/bin:/usr/bin:/bin",
                                 NULL};

    execle(program, "r3sh", (char *)NULL, environment);
    _exit(127);
}

/* One key: the time until the first byte of the answer. */
static double press(int fd, char key)
{
    struct pollfd wait = {fd, POLLIN, 0};
    const double before = now_us();
    double after;

    if (write(fd, &key, 1) != 1)
        fail("write");
    if (poll(&wait, 1, HANG_MS) != 1)
        fail("a key is not answered");
    after = now_us();
    read_until(fd, NULL);
    return after - before;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const long entries = argc == 4 ? strtol(argv[1], NULL, 10) : 0,
               keys = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    double *taken;
    long done = 0;
    pid_t shell;
    int fd;

    if (entries < 1 || keys < 1) {
        fprintf(stderr, "usage: shell-latency ENTRIES KEYS R3SH\n");
        return 2;
    }
    taken = calloc((size_t)keys, sizeof *taken);
    if (!taken || !mkdtemp(home))
        fail("home");
    snprintf(file, sizeof file, "%s/history", home);
    fill_history(entries);
    shell = start(argv[3], &fd);
    read_until(fd, "ready> ");
    read_until(fd, NULL);
    for (long line = 0; done < keys; line++) {
        char text[96];

        command(line * 31 % entries, text);
        for (const char *c = text; *c && done < keys; c++)
            taken[done++] = press(fd, *c);
        (void)press(fd, 'U' & 31); /* not counted: drops the line */
    }
    kill(shell, SIGKILL);
    waitpid(shell, NULL, 0);
    unlink(file);
    rmdir(home);
    qsort(taken, (size_t)keys, sizeof *taken, ascending);
    printf("entries %ld keys %ld p50 %.0f us p99 %.0f us longest %.0f us\n", entries, keys,
           taken[keys / 2], taken[keys * 99 / 100], taken[keys - 1]);
    free(taken);
    return 0;
}
