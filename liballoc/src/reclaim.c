/* SPDX-License-Identifier: MIT */
/* When the reclaimer starts, works and sleeps: see reclaim.h. */
#include "reclaim.h"

#include "cache.h"
#include "misuse.h"
#include "slab.h"
#include "spans.h"

#include "ring3/wait.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* Between two looks. What was not in demand for so long goes: twice this after a burst at most. */
#define PERIOD_NS 200000000L

/* Below this the pages that could be saved are not worth a thread. */
#define WORTH ((size_t)32 << 20)

/* It calls few functions, but libc counts all static TLS of the program's libraries in. */
#define STACK ((size_t)256 << 10)

/* One reclaimer per process. */
uint32_t ring3_reclaim_started, ring3_reclaim_asleep;
bool ring3_reclaim_off;

/* One round. True if there may be something to do in the next. */
static bool reclaim(void)
{
    bool left = ring3_caches_retire(true);
    void *const bad = ring3_slabs_reclaim(&left);

    if (bad)
        ring3_misuse("free", bad, &ring3_policy_slab, ring3_pages_owner(&ring3_heap_pages, bad),
                     -EINVAL);
    /* What became a free slab is a free span now. */
    left |= ring3_arenas_reclaim(&ring3_spans);
    ring3_spans_collapse();
    return left;
}

static void nap(void)
{
    static const uint32_t never;
    const struct timespec end = ring3_deadline_in(CLOCK_MONOTONIC, PERIOD_NS);

    while (ring3_futex_wait(&never, 0, RING3_PRIVATE, CLOCK_MONOTONIC, &end) != -ETIMEDOUT)
        ;
}

static void *reclaimer(void *unused)
{
    for (;;) {
        do
            nap();
        while (reclaim());
        ring3_store(&ring3_reclaim_asleep, 1, RING3_RELAXED);
        nap();
        while (!reclaim() && ring3_load(&ring3_reclaim_asleep, RING3_RELAXED))
            (void)ring3_futex_wait(&ring3_reclaim_asleep, 1, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
        ring3_store(&ring3_reclaim_asleep, 0, RING3_RELAXED);
    }
    return unused;
}

void ring3_reclaim_wake(void)
{
    if (ring3_exchange(&ring3_reclaim_asleep, 0, RING3_RELAXED))
        (void)ring3_futex_wake(&ring3_reclaim_asleep, 1, RING3_PRIVATE);
}

/* No signal of the program's is handled by this thread, and it takes no real-time priority from
 * the one that happened to start it. */
static int start(void)
{
    const struct sched_param normal = {0};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    int err = pthread_attr_init(&attributes);

    if (err)
        return err;
    sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK);
    (void)pthread_attr_setsigmask_np(&attributes, &all);
    (void)pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    (void)pthread_attr_setschedparam(&attributes, &normal);
    (void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    err = pthread_create(&thread, &attributes, reclaimer, NULL);
    if (!err)
        (void)pthread_setname_np(thread, "ring3-reclaim");
    (void)pthread_attr_destroy(&attributes);
    return err;
}

void ring3_reclaim_start_if_worth(void)
{
    if (ring3_reclaim_off || ring3_caches_threads() < 2 || ring3_arenas_ready(&ring3_spans) < WORTH)
        return;

    const int saved = errno;

    /* Relaxed: the new thread sees what its creator did. Creation allocates, and comes by here.
     * Where no thread is to be had, asking again and again would cost more than it could bring. */
    if (!ring3_exchange(&ring3_reclaim_started, 1, RING3_RELAXED))
        (void)start();
    errno = saved;
}

void ring3_reclaim_after_fork(void)
{
    ring3_store(&ring3_reclaim_started, 0, RING3_RELAXED);
    ring3_store(&ring3_reclaim_asleep, 0, RING3_RELAXED);
}
