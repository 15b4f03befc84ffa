/* SPDX-License-Identifier: MIT */
/*
 * The contention profile that libring3-locks.so keeps, as other processes read it, and its reports.
 *
 * Rows are written under the lock they describe, one word at a time; only the words of read locks,
 * which have several holders, are added to atomically. A reader from outside may see an acquisition
 * whose histogram does not have it yet.
 */
#ifndef RING3_LOCKSTAT_H
#define RING3_LOCKSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCKSTAT_LOCKS_NAME "locks.lock.1" /* the counters that lead to the tables */
#define LOCKSTAT_SITES_NAME "locks.site.1"

#define LOCKSTAT_FRAMES     6  /* of the stack where the lock was made or first locked */
#define LOCKSTAT_BINS       40 /* bin n: 2^n to 2^(n+1) - 1 cycles; bin 0 also 0 */
#define LOCKSTAT_TOP        4

enum lockstat_type { LOCKSTAT_MUTEX, LOCKSTAT_RWLOCK, LOCKSTAT_COND, LOCKSTAT_TYPES };

struct lockstat_waiter {
    uint32_t thread, waits; /* kernel thread id */
    uint64_t cycles;
};

struct lockstat_lock {
    uint64_t object;    /* its address; 0 when the row stands for several */
    uint64_t objects;   /* how many it has stood for */
    uint32_t type;      /* enum lockstat_type */
    uint32_t is_static; /* `frames` is where it was first locked, not made */
    uint64_t frames[LOCKSTAT_FRAMES];
    uint64_t acquired, reads, contended;
    uint64_t wait, wait_max; /* cycles, of the contended */
    uint64_t timed;          /* acquisitions whose hold was measured: one in 16 */
    uint64_t hold, hold_max;
    uint64_t handoffs, handoff; /* from an unlock to the next holder, where somebody waited */
    uint32_t wait_bins[LOCKSTAT_BINS], hold_bins[LOCKSTAT_BINS], handoff_bins[LOCKSTAT_BINS];
    struct lockstat_waiter top[LOCKSTAT_TOP];
    /* Of the moment. */
    uint64_t held_since, released_at;
    uint32_t waiting, dead;
};

/* "mutex", "rwlock", "condition". */
const char *ring3_lockstat_type(const struct lockstat_lock *lock);

struct lockstat_site {
    uint64_t site; /* return address into the caller; 0: free */
    uint32_t lock; /* row of the lock */
    uint32_t unused;
    uint64_t acquired, contended, wait, timed, hold;
};

/* What a report is about. Row 0 of either table is not used. */
struct lockstat_view {
    const struct lockstat_lock *locks;
    const struct lockstat_site *sites;
    size_t lock_count, site_count;
    double ns_per_cycle;
    pid_t pid;
    size_t most; /* locks to show */
};

enum lockstat_format { LOCKSTAT_TEXT, LOCKSTAT_JSON, LOCKSTAT_HTML };

/* Write the report to `fd`. One caller at a time. */
void ring3_lockstat_report(int fd, const struct lockstat_view *view, enum lockstat_format format);

/* Nanoseconds per unit of ring3_cycles, measured for some milliseconds. */
double ring3_lockstat_calibrate(void);

#endif
