/* SPDX-License-Identifier: MIT */
/* Two meet in the parking table's queue: see ring3/rendezvous.h. */
#include "ring3/rendezvous.h"

#include "queue.h"

#include "ring3/container.h"
#include "ring3/wait.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(ring3_rendezvous_t) == 4, "the size is part of the interface");

struct party {
    ring3_waiter_t waiter;
    void *brought, *taken_home;
};

int ring3_rendezvous_clockmeet(ring3_rendezvous_t *place, void *mine, void **theirs,
                               clockid_t clock, const struct timespec *deadline)
{
    struct party me = {.waiter = {.address = place}, .brought = mine};
    struct ring3_taken taken = {NULL, NULL};
    const int bad = ring3_deadline_check(clock, deadline);

    if (bad)
        return bad;
    const struct ring3_queue queue = ring3_queue_lock(place);
    ring3_waiter_t *const waiter = ring3_queue_first(queue, place);

    if (waiter) {
        struct party *const other = ring3_container_of(waiter, struct party, waiter);

        *theirs = other->brought;
        other->taken_home = mine;
        ring3_store(&place->waiting, 0, RING3_RELAXED);
        ring3_queue_take(queue, waiter, 0, &taken);
        ring3_queue_unlock(queue);
        ring3_queue_wake(&taken);
        return 0;
    }
    ring3_store(&place->waiting, 1, RING3_RELAXED);
    const int result = ring3_queue_wait(queue, &me.waiter, clock, deadline, false);

    if (result == -ETIMEDOUT) {
        ring3_store(&place->waiting, 0, RING3_RELAXED);
        ring3_queue_unlock(queue);
    } else {
        *theirs = me.taken_home;
    }
    return result;
}
