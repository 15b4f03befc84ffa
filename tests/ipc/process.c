/* SPDX-License-Identifier: MIT */
#include "ring3/process.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_process_t start_child(void (*body)(void))
{
    ring3_process_t child;

    signal(SIGTERM, SIG_DFL); /* the test framework may have a handler, which fork would pass on */
    const pid_t pid = fork();

    if (pid == 0) {
        body();
        _exit(0);
    }
    check_eq(ring3_process_adopt(&child, pid), 0);
    return child;
}

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static void leave_with_300(void)
{
    _exit(300);
}
static void die_by_signal(void)
{
    raise(SIGTERM);
}

static void burn(void)
{
    const double begin = seconds_now();

    while (seconds_now() - begin < 0.05)
        ;
}

TEST(process, status_tells_how_it_ended_and_what_it_used)
{
    ring3_status_t status;
    ring3_process_t child = start_child(leave_with_300);

    check_eq(ring3_process_wait(&child, 0, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_EXITED);
    check_eq(status.value, 300 & 255);
    check_eq(child.pid, 0);
    check_eq(child.pidfd, -1);
    check_eq(ring3_process_wait(&child, 0, NULL, &status), -ECHILD);
    check_eq(ring3_process_signal(&child, SIGKILL), -ESRCH);

    child = start_child(die_by_signal);
    check_eq(ring3_process_wait(&child, 0, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_KILLED);
    check_eq(status.value, SIGTERM);

    child = start_child(burn);
    check_eq(ring3_process_wait(&child, 0, NULL, &status), 0);
    check_gt(status.usage.ru_utime.tv_usec + status.usage.ru_stime.tv_usec, 0);
}

static void deadlines(void)
{
    const int descriptors = open_descriptors();
    ring3_status_t status;
    ring3_process_t child = start_child(sleep_for_ever);
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(40), past = deadline_in(-1);

    start_signal_storm();
    check_eq(ring3_process_wait(&child, 0, &soon, &status), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.04);
    stop_signal_storm();
    check_eq(ring3_process_wait(&child, 0, &past, &status), -ETIMEDOUT);
    check_eq(ring3_process_signal(&child, 0), 0);
    check_eq(ring3_process_signal(&child, SIGKILL), 0);
    const struct timespec late = deadline_in(20000);

    check_eq(ring3_process_wait(&child, 0, &late, &status), 0);
    check_eq(status.value, SIGKILL);
    check_eq(open_descriptors(), descriptors);
}

TEST(process, waits_with_a_deadline)
{
    deadlines();
}

TEST(process, waits_with_a_deadline_without_pidfds)
{
    check_eq(ring3_env_disable("pidfd"), 0);
    deadlines();
}

TEST(process, waiting_for_ever_survives_signals)
{
    ring3_process_t child = start_child(burn);

    start_signal_storm();
    check_eq(ring3_process_wait(&child, 0, NULL, NULL), 0);
    stop_signal_storm();
}

TEST(process, reports_stops_and_continues_when_asked)
{
    ring3_status_t status;
    ring3_process_t child = start_child(sleep_for_ever);
    const unsigned all = RING3_REPORT_STOPPED | RING3_REPORT_CONTINUED;
    const struct timespec late = deadline_in(20000);

    check_eq(ring3_process_signal(&child, SIGSTOP), 0);
    check_eq(ring3_process_wait(&child, all, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_STOPPED);
    check_eq(status.value, SIGSTOP);
    check_gt(child.pid, 0);
    check_eq(ring3_process_signal(&child, SIGCONT), 0);
    check_eq(ring3_process_wait(&child, all, &late, &status), 0);
    check_eq((int)status.kind, (int)RING3_CONTINUED);
    check_eq(ring3_process_end(&child, &late, &status), 0);
    check_eq(status.value, SIGTERM);
}

static void ignore_term(void)
{
    signal(SIGTERM, SIG_IGN);
    sleep_for_ever();
}

TEST(process, end_insists_after_the_deadline_and_reaches_the_stopped)
{
    ring3_status_t status;
    ring3_process_t child = start_child(ignore_term);

    sleep_ms(50); /* the child now ignores SIGTERM; if it does not yet, it ends by it */
    const struct timespec soon = deadline_in(40), late = deadline_in(20000);

    check_eq(ring3_process_end(&child, &soon, &status), 0);
    check(status.value == SIGKILL || status.value == SIGTERM);
    child = start_child(sleep_for_ever);
    check_eq(ring3_process_signal(&child, SIGSTOP), 0);
    check_eq(ring3_process_end(&child, &late, &status), 0);
    check_eq(status.value, SIGTERM);
}

TEST(process, adopts_children_only)
{
    ring3_process_t process;

    check_eq(ring3_process_adopt(&process, 1), -ECHILD);
    check_eq(ring3_process_adopt(&process, -1), -ECHILD);
    check_eq(ring3_process_adopt(&process, 0), -ECHILD);
}

TEST(process, a_pidfd_polls_readable_at_the_end)
{
    ring3_process_t child = start_child(sleep_for_ever);
    const struct timespec past = deadline_in(-1);

    check_ge(child.pidfd, 0);
    check_eq(ring3_fd_wait(child.pidfd, POLLIN, &past), -ETIMEDOUT);
    kill(child.pid, SIGKILL);
    check_eq(ring3_fd_wait(child.pidfd, POLLIN, NULL), POLLIN);
    check_eq(ring3_process_wait(&child, 0, NULL, NULL), 0);
}

TEST(process, works_when_no_descriptor_is_free)
{
    const pid_t pid = fork();
    ring3_process_t child;
    const struct timespec late = deadline_in(20000);

    if (pid == 0)
        _exit(5);
    use_up_descriptors();
    check_eq(ring3_process_adopt(&child, pid), 0);
    check_eq(child.pidfd, -1);
    check_eq(ring3_process_wait(&child, 0, &late, NULL), 0);
}

/* What the kernel does, on which the rest relies. */
TEST(process, a_zombie_stays_until_waited_for)
{
    ring3_process_t child = start_child(die_by_signal);

    check_gt(ring3_fd_wait(child.pidfd, POLLIN, NULL), 0);
    check_eq(kill(child.pid, 0), 0);
    const pid_t pid = child.pid;

    check_eq(ring3_process_wait(&child, 0, NULL, NULL), 0);
    check_eq(kill(pid, 0), -1);
    check_eq(errno, ESRCH);
}

TEST(process, fork_copies_private_memory_and_shares_the_shared)
{
    int *const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *const private =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const pid_t pid = fork();

    if (pid == 0) {
        *shared = 1;
        *private = 1;
        _exit(0);
    }
    check_child(pid);
    check_eq(*shared, 1);
    check_eq(*private, 0);
}

/* A grandchild whose parent ends becomes ours, and can be waited for. */
TEST(process, a_subreaper_adopts_orphans)
{
    pid_t grandchild;
    int ends[2];

    check_eq(ring3_subreaper_set(true), 0);
    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        const pid_t inner = fork();

        if (inner == 0)
            sleep_for_ever();
        _exit(write(ends[1], &inner, sizeof inner) == sizeof inner ? 0 : 1);
    }
    check_eq(read(ends[0], &grandchild, sizeof grandchild), (ssize_t)sizeof grandchild);
    check_child(pid);
    ring3_process_t orphan;

    check_eq(ring3_process_adopt(&orphan, grandchild), 0);
    check_eq(ring3_reap_ended(), 0);
    kill(grandchild, SIGKILL);
    check_gt(ring3_fd_wait(orphan.pidfd, POLLIN, NULL), 0);
    check_eq(ring3_reap_ended(), 1);
    check_eq(ring3_process_wait(&orphan, 0, NULL, NULL), -ECHILD);
    check_eq(ring3_subreaper_set(false), 0);
}
