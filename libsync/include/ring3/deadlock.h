/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks: avoiding them (Banker's algorithm), finding them (by cycle, and by matrix), and a mutex
 * that finds the cycle it would close and gives one waiter -EDEADLK.
 *
 * Processes and resource types are numbered from 0. Matrices are arrays of the caller, row by row:
 * entry [process * types + type]. A type has as many instances as `available` and the allocations
 * add up to.
 *
 * The functions on matrices are pure: they keep nothing, and are as safe as their arguments.
 * Sources: Dijkstra 1965 and Habermann 1969 (Banker's algorithm); Coffman, Elphick and Shoshani 1971
 * (detection with several instances); Holt 1972 (graphs).
 */
#ifndef RING3_DEADLOCK_H
#define RING3_DEADLOCK_H

#include "ring3/api.h"
#include "ring3/mutex.h"
#include "ring3/self.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

#define RING3_PROCESSES_MAX 64

/* --- Avoidance ------------------------------------------------------------------------------------ */

typedef struct ring3_banker {
    uint32_t processes, types; /* processes: at most RING3_PROCESSES_MAX */
    uint32_t *available;       /* [types] */
    uint32_t *allocated;       /* [processes][types] */
    const uint32_t *claimed;   /* [processes][types]: the most each will ever want */
} ring3_banker_t;

/** True if all processes can end in some order even if each wants all it has claimed; writes that
 * order to `order` (may be NULL). */
bool ring3_banker_safe(const ring3_banker_t *bank, uint32_t *order);

/**
 * Give `process` what it wants, if the state stays safe.
 *
 * @return 0; -EAGAIN: not enough is available now; -EDEADLK: the state would be unsafe; -EINVAL:
 * more than it has claimed, or more than RING3_PROCESSES_MAX processes. Nothing changes but at 0.
 */
int ring3_banker_request(ring3_banker_t *bank, uint32_t process, const uint32_t *wanted);

/** Take back. 0; -EINVAL if it has not as much. */
int ring3_banker_release(ring3_banker_t *bank, uint32_t process, const uint32_t *returned);

/* --- Detection ------------------------------------------------------------------------------------ */

/**
 * Which processes are deadlocked: those whose requests cannot be met even if all others end.
 *
 * @param requested  [processes][types]: what each waits for
 * @return a bit for each of them; 0: no deadlock. Exact also where a type has several instances,
 * where a cycle need not be a deadlock.
 */
uint64_t ring3_deadlock_detect(uint32_t processes, uint32_t types, const uint32_t *available,
                               const uint32_t *allocated, const uint32_t *requested);

/**
 * A cycle in a wait-for graph: bit j of waits_for[i] says that i waits for j.
 *
 * @param cycle  gets its processes in order; has room for `processes`; may be NULL
 * @return its length; 0: no cycle. With one instance of each type a cycle is a deadlock.
 */
uint32_t ring3_deadlock_cycle(uint32_t processes, const uint64_t *waits_for, uint32_t *cycle);

/* --- Recovery ------------------------------------------------------------------------------------- */

/*
 * A mutex that knows who waits for whom. Before a context sleeps, it follows the chain from the
 * mutex's owner to what that one waits for, and so on; if it comes back to itself, the cheapest of
 * the cycle is the victim: its lock returns -EDEADLK, and it should give back what it holds.
 *
 * All of these mutexes share one guard, held for the length of the chain; so they are for locks
 * whose order cannot be known, not for fast ones. FIFO. All-zero is free. For threads of one
 * process; not recursive (-EDEADLK); not async-signal-safe; in a child of fork, mutexes that others
 * held or waited for must be made all-zero again.
 *
 * owner, first, last  under the guard
 */
struct ring3_deadlock_waiter;
typedef struct ring3_deadlock_mutex {
    ring3_self_t *owner;
    struct ring3_deadlock_waiter *first, *last;
} ring3_deadlock_mutex_t;

/**
 * Lock, waiting until `deadline` at most.
 *
 * @param cost      of giving up: the victim of a cycle is the waiter with the lowest; the caller if
 * several have
 * @param deadline  absolute CLOCK_MONOTONIC time, or NULL to wait for ever
 * @return 0; -EDEADLK; -ETIMEDOUT; -EINVAL for a malformed time
 *
 * Order: what came before an unlock happens before everything after the next lock.
 */
int ring3_deadlock_lock(ring3_deadlock_mutex_t *mutex, uint32_t cost,
                        const struct timespec *deadline);

/** 0; -EPERM if the caller does not have it. */
int ring3_deadlock_unlock(ring3_deadlock_mutex_t *mutex);

RING3_API_END

#endif
