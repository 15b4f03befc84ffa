/* SPDX-License-Identifier: MIT */
/* What a worker does when nobody wants to run on it: it looks for work at others, and sleeps. */
#include "dump.h"
#include "schedule.h"

#include <sched.h>

bool worker_called(const struct worker *worker)
{
    const struct worker *const shared = worker->bound ? NULL : runtime.shared;

    /* Sequentially consistent with those who put threads there, and look at `sleeping` afterwards. */
    return ring3_load(&worker->inbox, RING3_SEQ_CST) ||
           ring3_load(&runtime.ending, RING3_SEQ_CST) ||
           (!worker->starved && (ring3_load(&worker->queued, RING3_SEQ_CST) > 0 ||
                                 (shared && ring3_load(&shared->queued, RING3_SEQ_CST) > 0)));
}

/* How long to rest when threads cannot run for want of memory, ns. */
#define MEMORY_NAP 1000000

/* Sleep until somebody calls, or until `until`. */
static void sleep_until(struct worker *worker, int64_t until)
{
    const int64_t nap = worker->starved ? runtime_clock() + MEMORY_NAP : INT64_MAX;
    struct timespec deadline;

    until = nap < until ? nap : until;
    if (until == INT64_MAX)
        dump_idle();
    if (runtime.options.virtual_clock && until != INT64_MAX) {
        runtime.virtual_now = until;
        return;
    }
    if (!worker->bound && poller_wait(worker, until)) {
        monitor_wake();
        return;
    }
    deadline = (struct timespec){until / RING3_SECOND_NS, until % RING3_SECOND_NS};
    /* Sequentially consistent with the exchange in worker_kick and that of `ending`: one of us sees the
     * other. Here and elsewhere in the scheduler it is an exchange where a store would do: qemu lets a
     * load overtake the store that precedes it (stlr, ldar on x86-64), and x86-64 knows no other such
     * store. */
    (void)ring3_exchange(&worker->sleeping, 1, RING3_SEQ_CST);
    if (!worker_called(worker))
        (void)ring3_futex_wait(&worker->sleeping, 1, RING3_PRIVATE, CLOCK_MONOTONIC,
                               until == INT64_MAX ? NULL : &deadline);
    /* Sequentially consistent with the monitor, which looks once more before it sleeps. */
    (void)ring3_exchange(&worker->sleeping, 0, RING3_SEQ_CST);
    monitor_wake();
}

static void rest(struct worker *worker, int64_t until)
{
    (void)ring3_fetch_add(&runtime.idlers, 1, RING3_RELAXED);
    sleep_until(worker, until);
    (void)ring3_fetch_sub(&runtime.idlers, 1, RING3_RELAXED);
}

/* Looks before the kernel is asked to run somebody else: a worker leaves a stack in a few. */
#define AWAIT_LOOKS 100

/* The thread that this worker has chosen, once another has left its stack. */
static struct thread *await_stack(struct worker *worker)
{
    struct thread *const thread = worker->awaited;

    /* Pairs with the release in stack_left (schedule.c). */
    for (unsigned looks = 1; ring3_load(&thread->on_stack, RING3_ACQUIRE); looks++) {
        ring3_cpu_relax();
        if (looks % AWAIT_LOOKS == 0)
            (void)sched_yield();
    }
    worker->awaited = NULL;
    return thread;
}

/* Who runs next here, even if it has to be fetched. */
static struct thread *find_work(struct worker *worker, int64_t now)
{
    struct thread *next;

    worker->starved = false;
    next = choose(worker, now);
    if (!next && !worker->bound && balances(RING3_BALANCE_PULL)) {
        balance_pull(worker, now);
        next = choose(worker, now);
    }
    return next;
}

bool worker_idle(struct worker *worker)
{
    struct carrier *const carrier = worker->carrier;

    while (!worker->handing && !worker->done && !ring3_load(&runtime.ending, RING3_ACQUIRE)) {
        const int64_t now = runtime_clock();
        const int64_t timer = timers_expire(worker, now);
        struct thread *const next = worker->awaited ? await_stack(worker) : find_work(worker, now);

        if (!next) {
            rest(worker, timer);
        } else if (next->carrier) {
            worker->handing = next;
        } else if (ring3_load(&next->on_stack, RING3_ACQUIRE)) {
            worker->awaited = next;
        } else {
            worker->busy++;
            go(worker, &carrier->idle, next, now, NULL, NULL);
            worker->busy--;
        }
    }
    return worker->handing != NULL;
}
