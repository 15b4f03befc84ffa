/* SPDX-License-Identifier: MIT */
/*
 * Rendezvous: two contexts meet and exchange a pointer. Whoever comes first waits for a second.
 *
 *     void *theirs;
 *     ring3_rendezvous_meet(&place, mine, &theirs);
 *
 * `waiting` is 1 while somebody waits; it is written and read under the lock of the parking table's
 * queue, and is there to be looked at. All-zero is ready for use. Those who wait are met in the
 * order in which they came; there is never more than one, because the next to come meets him.
 *
 * For contexts of one process. Not async-signal-safe, no cancellation point. Source: rendezvous(2)
 * of Plan 9; Java's Exchanger.
 *
 * Order: what each did before it came happens before the return of the other.
 */
#ifndef RING3_RENDEZVOUS_H
#define RING3_RENDEZVOUS_H

#include "ring3/api.h"

#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_rendezvous {
    uint32_t waiting;
} ring3_rendezvous_t;

#define RING3_RENDEZVOUS_INIT                                                                      \
    {                                                                                              \
        0                                                                                          \
    }

/**
 * Meet another context at `place`: it gets `mine`, and *theirs becomes its pointer.
 *
 * @param clock     CLOCK_MONOTONIC or CLOCK_REALTIME
 * @param deadline  absolute time on that clock; NULL waits for ever
 * @return 0; -ETIMEDOUT; -EINVAL for another clock or a malformed time. A signal handler does not
 * end the wait.
 */
int ring3_rendezvous_clockmeet(ring3_rendezvous_t *place, void *mine, void **theirs,
                               clockid_t clock, const struct timespec *deadline);

/** The same without a deadline. */
static inline void ring3_rendezvous_meet(ring3_rendezvous_t *place, void *mine, void **theirs)
{
    (void)ring3_rendezvous_clockmeet(place, mine, theirs, CLOCK_MONOTONIC, NULL);
}

RING3_API_END

#endif
