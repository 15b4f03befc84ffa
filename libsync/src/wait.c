/* SPDX-License-Identifier: MIT */
/* Time, futexes and the waiting policies of ring3/wait.h. */
#include "ring3/wait.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spin.h"

const char *ring3_wait_name(ring3_wait_t how)
{
    static const char *const names[RING3_WAIT_POLICIES] = {"adaptive", "spin", "yield", "park"};

    return (unsigned)how < RING3_WAIT_POLICIES ? names[how] : NULL;
}

struct timespec ring3_deadline_in(clockid_t clock, int64_t nanoseconds)
{
    struct timespec when;

    clock_gettime(clock, &when);
    when.tv_sec += nanoseconds / RING3_SECOND_NS;
    when.tv_nsec += nanoseconds % RING3_SECOND_NS;
    if (when.tv_nsec >= RING3_SECOND_NS) {
        when.tv_nsec -= RING3_SECOND_NS;
        when.tv_sec++;
    } else if (when.tv_nsec < 0) {
        when.tv_nsec += RING3_SECOND_NS;
        when.tv_sec--;
    }
    return when;
}

int ring3_deadline_check(clockid_t clock, const struct timespec *deadline)
{
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
        return -EINVAL;
    if (deadline && (deadline->tv_nsec < 0 || deadline->tv_nsec >= RING3_SECOND_NS))
        return -EINVAL;
    return 0;
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

bool ring3_deadline_passed(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;

    if (!deadline)
        return false;
    clock_gettime(clock, &now);
    return !earlier(&now, deadline);
}

int ring3_futex_wait(const uint32_t *word, uint32_t expected, int shared, clockid_t clock,
                     const struct timespec *deadline)
{
    const int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG) |
                          (clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
    const int saved = errno;
    long result;

    /* The kernel refuses times before the epoch; they have passed. */
    if (deadline && deadline->tv_sec < 0)
        return ring3_load(word, RING3_ACQUIRE) == expected ? -ETIMEDOUT : -EAGAIN;
    result = syscall(SYS_futex, word, operation, expected, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    if (result < 0) {
        result = -errno;
        errno = saved;
    }
    return (int)result;
}

int ring3_futex_wake(const uint32_t *word, int count, int shared)
{
    const int saved = errno;
    const long woken =
        syscall(SYS_futex, word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, 0, 0, 0);

    errno = saved;
    return woken < 0 ? 0 : (int)woken;
}

/* One look at the clock costs about as much as some spins; a yield may take a whole time slice. */
#define TURNS_PER_CLOCK 64

/*
 * Where threads outnumber CPUs spinning is in vain, but a lock that goes from one to the next in order would
 * put each of them to sleep and wake it again. So adaptive waiters let others run so often before they sleep;
 * one that sleeps and is woken costs some tens of these.
 */
#ifndef RING3_WAIT_YIELDS
#define RING3_WAIT_YIELDS 20U
#endif

int ring3_wait_change(const uint32_t *word, uint32_t old, ring3_wait_t how,
                      const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t spins = ring3_spin_limit(how);

    for (uint32_t turn = 0;; turn++) {
        /* Pairs with the release that changed the word (see the header). */
        if (ring3_load(word, RING3_ACQUIRE) != old)
            return 0;
        if ((turn >= spins || turn % TURNS_PER_CLOCK == TURNS_PER_CLOCK - 1) &&
            ring3_deadline_passed(CLOCK_MONOTONIC, deadline))
            return -ETIMEDOUT;
        if (turn < spins) {
            ring3_cpu_relax();
        } else if (how == RING3_WAIT_YIELD ||
                   (how == RING3_WAIT_ADAPTIVE && turn < spins + RING3_WAIT_YIELDS)) {
            self->parker->yield(self);
        } else if (ring3_park_turn(word, 0, word, old, deadline) == -ETIMEDOUT) {
            return ring3_load(word, RING3_ACQUIRE) != old ? 0 : -ETIMEDOUT;
        }
    }
}

/* A poller looks this often by spinning, then this often by yielding, before it naps. */
#define PAUSE_SPINS  64
#define PAUSE_YIELDS 80
#define NAP_MIN_NS   20000   /* about the cost of going to sleep and coming back */
#define NAP_MAX_NS   1000000 /* the longest a poller may overlook a free lock */

int ring3_pause(ring3_pause_t *pause, ring3_wait_t how, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    const uint32_t turn = pause->turn++;
    const uint32_t word = 0;

    if (how == RING3_WAIT_SPIN ||
        (turn < PAUSE_SPINS && how != RING3_WAIT_PARK && ring3_arch.cpus > 1)) {
        for (uint32_t i = 0; i <= turn % PAUSE_SPINS; i++)
            ring3_cpu_relax();
    } else if (how == RING3_WAIT_YIELD || turn < PAUSE_YIELDS) {
        self->parker->yield(self);
    } else {
        const uint32_t doublings = turn - PAUSE_YIELDS < 6 ? turn - PAUSE_YIELDS : 6;
        const int64_t nap = (int64_t)NAP_MIN_NS << doublings;
        struct timespec until =
            ring3_deadline_in(CLOCK_MONOTONIC, nap < NAP_MAX_NS ? nap : NAP_MAX_NS);

        if (deadline && earlier(deadline, &until))
            until = *deadline;
        (void)self->parker->park(self, &word, 0, CLOCK_MONOTONIC, &until);
    }
    return ring3_deadline_passed(CLOCK_MONOTONIC, deadline) ? -ETIMEDOUT : 0;
}
