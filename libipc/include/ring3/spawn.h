/* SPDX-License-Identifier: MIT */
/*
 * Start programs. The cost does not grow with the caller's memory: nothing is copied, the child
 * borrows the address space until it executes the program, on a stack of its own and with all
 * signals blocked.
 *
 *     char *argv[] = {"sort", "-n", NULL};
 *     const ring3_fd_map_t fds[] = {{input, 0}, {output, 1}};
 *     const ring3_spawn_plan_t plan = {.path = "sort", .argv = argv, .fds = fds, .fd_count = 2,
 *                                 .flags = RING3_SPAWN_SEARCH};
 *     ring3_process_t child;
 *     err = ring3_spawn(&plan, &child);        // -ENOENT: no such program
 *
 * An all-zero plan plus path and argv starts the program as fork and exec would. Whatever goes
 * wrong up to and including exec is this call's result, and then no process is left. SIGTSTP, SIGTTIN
 * and SIGTTOU, if the program does not ignore them, stop it as soon as it runs and never before, so
 * that the caller does not wait for a stopped child (a SIGSTOP that comes before exec does).
 *
 * Thread-safe (the plan must not change meanwhile); async-signal-safe; the calling thread alone
 * waits until the exec. Registered fork handlers (pthread_atfork) do not run. Source: clone(2),
 * CLONE_VM | CLONE_VFORK | CLONE_PIDFD; the arrangement of posix_spawn in glibc and musl.
 */
#ifndef RING3_SPAWN_H
#define RING3_SPAWN_H

#include "ring3/api.h"
#include "ring3/process.h"

#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

RING3_API_BEGIN

/** Descriptor `to` of the child is what `from` is in the caller; from == -1: closed in the child.
 */
typedef struct ring3_fd_map {
    int from, to;
} ring3_fd_map_t;

typedef struct ring3_limit {
    int resource; /* RLIMIT_… */
    struct rlimit limit;
} ring3_limit_t;

#define RING3_SPAWN_SEARCH  0x01u /* a path without slash is looked for in the caller's PATH */
#define RING3_SPAWN_GROUP   0x02u /* join process group `group`; 0: lead one of its own */
#define RING3_SPAWN_SESSION 0x04u /* lead a session of its own, without a terminal */
#define RING3_SPAWN_FOREGROUND                                                                     \
    0x08u /* `terminal` belongs to it: its group is put in the foreground, */
          /* with SESSION it becomes the controlling terminal */
#define RING3_SPAWN_ONLY_FDS 0x10u /* inherit 0, 1, 2 and what `fds` names, nothing else */
#define RING3_SPAWN_NO_PIDFD                                                                       \
    0x20u /* the process is known by its number only: saves who waits for it by that */

#define RING3_SPAWN_FDS_MAX 256

typedef struct ring3_spawn_plan {
    const char *path;
    char *const *argv;        /* ends with NULL; argv[0] is the name the program sees */
    char *const *environment; /* NULL: the caller's */
    const char
        *directory; /* working directory; NULL: the caller's. A relative path is meant there */
    /* Taken all at once: {{1, 2}, {2, 1}} swaps. Later entries win where `to` repeats. `to`
     * survives exec also if from == to. At most RING3_SPAWN_FDS_MAX. */
    const ring3_fd_map_t *fds;
    size_t fd_count;
    const ring3_limit_t *limits;
    size_t limit_count;
    const sigset_t *mask;     /* blocked signals; NULL: the caller's */
    const sigset_t *defaults; /* signals that are not to stay ignored; NULL: none. Signals that have
                               * a handler go back to their default in any case. */
    unsigned flags;           /* RING3_SPAWN_… */
    pid_t group;
    int terminal;
} ring3_spawn_plan_t;

/**
 * Start a program.
 *
 * @return 0 and *process; what clone and exec report (-ENOENT, -EACCES, -ENOEXEC, -E2BIG, -EAGAIN,
 *         -ENOMEM, -EMFILE, …) or the step that failed: -EBADF (fds), -EPERM (group, limits),
 * -ENOTTY; -EINVAL (no path or argv, descriptors out of range, more than RING3_SPAWN_FDS_MAX)
 *
 * Where the kernel or a supervisor of system calls refuses that clone, or with
 * RING3_DISABLE=pidfd_spawn, posix_spawn does it, which has no `limits` and no ONLY_FDS and no
 * FOREGROUND with SESSION: -ENOTSUP.
 */
int ring3_spawn(const ring3_spawn_plan_t *plan, ring3_process_t *process);

/**
 * Start `count` programs, each writing to the next one's standard input, in one process group if
 * the first plan has RING3_SPAWN_GROUP (the others join the first one's group; FOREGROUND counts in
 * the first plan only).
 *
 * @param processes  `count` places
 * @return 0; as ring3_spawn, and then those already started have been killed and reaped
 */
int ring3_pipeline(const ring3_spawn_plan_t *plans, size_t count, ring3_process_t *processes);

RING3_API_END

#endif
