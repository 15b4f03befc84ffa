/* SPDX-License-Identifier: MIT */
/*
 * Child processes: wait with a deadline, signal without hitting a stranger, adopt orphans.
 *
 *     ring3_status_t status;
 *     if (ring3_process_wait(&child, 0, deadline, &status) == -ETIMEDOUT)
 *         ring3_process_signal(&child, SIGKILL);
 *
 * Children come from ring3_spawn, or from fork through ring3_process_adopt. Thread-safe if no two
 * threads use one ring3_process_t at once; async-signal-safe. A forked child inherits the
 * structures but cannot wait for its siblings (-ECHILD). Before Linux 5.3, or with
 * RING3_DISABLE=pidfd, a deadline is kept by looking with pauses of up to 1 ms.
 */
#ifndef RING3_PROCESS_H
#define RING3_PROCESS_H

#include "ring3/api.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_process {
    pid_t pid; /* 0 once the process has been waited for */
    int pidfd; /* readable (poll, epoll) when the process has ended; -1 if the kernel has none */
} ring3_process_t;

typedef enum ring3_status_kind {
    RING3_EXITED,    /* value: exit status, 0 to 255 */
    RING3_KILLED,    /* value: the signal */
    RING3_DUMPED,    /* the same, and it dumped core */
    RING3_STOPPED,   /* value: the signal; the process lives */
    RING3_CONTINUED, /* value: SIGCONT; the process lives */
} ring3_status_kind_t;

typedef struct ring3_status {
    ring3_status_kind_t kind;
    int value;
    struct rusage usage; /* of the process and the children it waited for, if it has ended */
} ring3_status_t;

#define RING3_REPORT_STOPPED   1u /* also report that it stopped */
#define RING3_REPORT_CONTINUED 2u /* also report that it went on */

/** Take charge of child `pid`, e.g. after fork. @return 0; -ECHILD (not a child of the caller) */
int ring3_process_adopt(ring3_process_t *process, pid_t pid);

/**
 * Wait until the process ends (or stops, or goes on, if asked for by RING3_REPORT_* bits). When it
 * has ended it is reaped, its pidfd closed and process->pid set to 0.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, NULL for ever; one that has passed: look once
 * @param status    may be NULL
 * @return 0; -ETIMEDOUT; -ECHILD (no such child, or it was reaped by someone else, or SIGCHLD is
 *         ignored, which makes the kernel reap)
 */
int ring3_process_wait(ring3_process_t *process, unsigned report, const struct timespec *deadline,
                       ring3_status_t *status);

/** Send a signal (0 only asks). Never hits another process that got the same pid.
 * @return 0; -ESRCH once the process has been waited for; -EPERM, -EINVAL */
int ring3_process_signal(const ring3_process_t *process, int signal);

/** Ask to end (SIGTERM), wait until `deadline`, then insist (SIGKILL) and wait. @return 0, -ECHILD
 */
int ring3_process_end(ring3_process_t *process, const struct timespec *deadline,
                      ring3_status_t *status);

/** Give up charge: closes the pidfd, does not wait. */
void ring3_process_drop(ring3_process_t *process);

/** A pidfd of process `pid`, related or not. @return a descriptor; -ESRCH, -ENOSYS, -EMFILE */
int ring3_pidfd_open(pid_t pid);

/** Become (or cease to be) the one that adopts orphaned descendants. @return 0 */
int ring3_subreaper_set(bool on);

/** Reap every child that has ended, adopted orphans among them, without waiting.
 * @return how many were reaped. Do not mix with children that others wait for. */
int ring3_reap_ended(void);

RING3_API_END

#endif
