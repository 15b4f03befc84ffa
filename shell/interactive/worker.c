/* SPDX-License-Identifier: MIT */
/*
 * A child that looks at file systems and runs completions, while the prompt stays alive. It is made without
 * an exit signal, so that the shell's waits for its jobs do not see it, and in a group of its own: what it started
 * ends with it.
 */
#include "interactive/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long the end of a killed worker is waited for: one that sleeps in a dead file system does not end. */
#define DEATH_MS  20
#define DYING_MAX 16

/* Workers that were killed and did not end yet, to be reaped when the next one starts. Of the process: children are. */
static pid_t dying[DYING_MAX];
static size_t dying_count;

static bool reaped(pid_t worker)
{
    return waitpid(worker, NULL, __WALL | WNOHANG) != 0;
}

static void reap_dying(void)
{
    size_t left = 0;

    for (size_t i = 0; i < dying_count; i++)
        if (!reaped(dying[i]))
            dying[left++] = dying[i];
    dying_count = left;
}

pid_t worker_start(void (*work)(void *argument, int out), void *argument, int *fd)
{
    int ends[2];
    long pid;

    reap_dying();
    if (dying_count + 2 > DYING_MAX) /* two may run at once: for the prompt and for a completion */
        return -EAGAIN;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        close(ends[0]);
        work(argument, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -errno;
    }
    setpgid((pid_t)pid, (pid_t)pid);
    *fd = ends[0];
    return (pid_t)pid;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool worker_collect(pid_t worker, int fd, int milliseconds, struct buf *to)
{
    const int64_t deadline = now_ms() + milliseconds;
    bool all = false;

    for (;;) {
        const int64_t left = deadline - now_ms();
        struct pollfd wait = {fd, POLLIN, 0};
        char bytes[4096];
        ssize_t n;

        if (left < 0 || poll(&wait, 1, (int)left) == 0)
            break;
        n = read(fd, bytes, sizeof bytes);
        all = n == 0;
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        if (n > 0)
            buf_add(to, bytes, (size_t)n);
    }
    worker_end(worker, fd);
    return all;
}

void worker_end(pid_t worker, int fd)
{
    const struct timespec moment = {.tv_nsec = 50000};
    const int64_t deadline = now_ms() + DEATH_MS;

    close(fd);
    kill(-worker, SIGKILL);
    while (!reaped(worker)) {
        if (now_ms() >= deadline) {
            dying[dying_count++] = worker;
            return;
        }
        nanosleep(&moment, NULL);
    }
}
