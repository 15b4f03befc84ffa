/* SPDX-License-Identifier: MIT */
/*
 * Keep a program running: start it again when it ends, after a pause that doubles while it keeps
 * failing.
 *
 *     ring3_supervisor_t s = {.plan = &plan, .pause_first_ns = 100 * ms, .pause_longest_ns = 30 *
 * sec, .steady_ns = 10 * sec}; while ((event = ring3_supervisor_step(&s, NULL, &status)) !=
 * RING3_SUPERVISOR_DONE) log(event, &status);
 *
 * No thread: time passes in the step. One thread at a time. As with any child, SIGCHLD must not be
 * ignored.
 */
#ifndef RING3_SUPERVISOR_H
#define RING3_SUPERVISOR_H

#include "ring3/api.h"
#include "ring3/spawn.h"

#include <stdbool.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_supervisor {
    const ring3_spawn_plan_t *plan;
    int64_t pause_first_ns;   /* before the first restart; doubles with each further failure */
    int64_t pause_longest_ns; /* up to this */
    int64_t steady_ns;        /* a run of at least this long starts the count of failures again */
    unsigned failures_most;   /* give up after so many failures in a row; 0: never */
    bool only_failures;       /* exit status 0 ends the supervision */
    /* state, all-zero at first */
    bool running, done;
    ring3_process_t process;
    unsigned failures;    /* in a row */
    uint64_t starts;      /* so far */
    struct timespec when; /* running: since; otherwise: when to start next */
} ring3_supervisor_t;

typedef enum ring3_supervisor_event {
    RING3_SUPERVISOR_DONE,    /* it will not be started again */
    RING3_SUPERVISOR_STARTED, /* s->process runs */
    RING3_SUPERVISOR_ENDED,   /* *status says how; the next start is at s->when */
} ring3_supervisor_event_t;

/**
 * Go on until the next event.
 *
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL for ever
 * @param status    written with ENDED, and with the DONE that follows the last end; may be NULL
 * @return an event; -ETIMEDOUT; a negative errno of ring3_spawn: counted as a failure, tried again
 * in the next step unless that is DONE
 */
int ring3_supervisor_step(ring3_supervisor_t *s, const struct timespec *deadline,
                          ring3_status_t *status);

/** End the program (SIGTERM, after `deadline` SIGKILL) and the supervision. @return 0, -ECHILD */
int ring3_supervisor_stop(ring3_supervisor_t *s, const struct timespec *deadline,
                          ring3_status_t *status);

RING3_API_END

#endif
