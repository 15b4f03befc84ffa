/* SPDX-License-Identifier: MIT */
/* What the scheduler's files share: schedule.c switches, life.c begins and ends threads, idle.c looks for work,
 * balance.c moves threads between workers. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "runtime.h"

/* The time, where anybody wants to know it. */
static inline int64_t time_if_kept(void)
{
    return runtime.timed ? runtime_clock() : 0;
}

static inline void lock_queue(struct worker *worker)
{
    if (ring3_load(&runtime.several, RING3_RELAXED))
        kernel_lock(&worker->lock);
}

static inline void unlock_queue(struct worker *worker)
{
    if (ring3_load(&runtime.several, RING3_RELAXED))
        kernel_unlock(&worker->lock);
}

static inline uint32_t queued(const struct worker *worker)
{
    return ring3_load(&worker->queued, RING3_RELAXED);
}

static inline void set_queued(struct worker *worker, uint32_t threads)
{
    ring3_store(&worker->queued, threads, RING3_RELAXED);
}

/* Threads that the worker could run: its own, and those in the global queue. */
static inline uint32_t waiting_for(const struct worker *worker)
{
    uint32_t threads = queued(worker);

    if (ring3_unlikely(runtime.shared) && !worker->bound)
        threads += queued(runtime.shared);
    return threads;
}

/* The queue that a running thread was last in, whose policy charges it. */
static inline struct worker *home_of(struct worker *worker, const struct thread *thread)
{
    return ring3_unlikely(runtime.shared) && thread->shared ? runtime.shared : worker;
}

/* --- balance.c -------------------------------------------------------------------------------- */

/* May it leave its worker while it is queued? */
bool may_move(const struct thread *thread);
/* May it run on that one? */
bool may_run_on(const struct thread *thread, const struct worker *worker);

/* Put it into the global queue, if it is one for that; by any kernel thread. */
bool enqueue_shared(struct worker *worker, struct thread *thread, ring3_why_t why, int64_t now);
/* The next from the global queue or the worker's own. */
struct thread *pick_shared(struct worker *worker, int64_t now);

/* Move a thread here from the worker that has the most. */
void balance_pull(struct worker *worker, int64_t now);
/* Move one to the worker that has the least, if it has much less. */
void balance_push(struct worker *worker, int64_t now);

static inline bool balances(ring3_runtime_balance_t way)
{
    return ring3_load(&runtime.several, RING3_RELAXED) &&
           (runtime.options.balance == RING3_BALANCE_BOTH || runtime.options.balance == way);
}

/* --- The run queue ---------------------------------------------------------------------------- */

/* With the queue's lock. */
static inline void put_in(struct worker *home, struct thread *thread, ring3_why_t why, int64_t now)
{
    runtime.policy->enqueue(home->queue, &thread->entity,
                            ring3_unlikely(thread->moved) ? RING3_MOVES : why, now);
    thread->moved = false;
    thread->in_queue = true;
    set_queued(home, home->queued + 1);
}

/* It wants to run, from now on. */
static inline void note_ready(struct thread *thread, int64_t now)
{
    if (runtime.timed)
        thread->rare->since = now;
    if (thread->started)
        set_state(thread, RING3_THREAD_READY);
}

/* By the worker itself. */
static inline void enqueue(struct worker *worker, struct thread *thread, ring3_why_t why,
                           int64_t now)
{
    if (ring3_unlikely(runtime.shared) && enqueue_shared(worker, thread, why, now))
        return;
    note_ready(thread, now);
    lock_queue(worker);
    put_in(worker, thread, why, now);
    unlock_queue(worker);
}

/* The first of a queue, to run on `worker`. */
static inline struct thread *pick_from(struct worker *home, struct worker *worker, int64_t now)
{
    ring3_entity_t *entity;
    struct thread *thread = NULL;

    if (queued(home) == 0)
        return NULL;
    lock_queue(home);
    entity = runtime.policy->pick(home->queue, now);
    if (entity) {
        set_queued(home, home->queued - 1);
        thread = ring3_container_of(entity, struct thread, entity);
        thread->in_queue = false;
        if (home != worker)
            ring3_store(&thread->worker, worker, RING3_RELAXED);
    }
    unlock_queue(home);
    return thread;
}

static inline struct thread *pick(struct worker *worker, int64_t now)
{
    return ring3_unlikely(runtime.shared) ? pick_shared(worker, now)
                                          : pick_from(worker, worker, now);
}

static inline void load_add(struct worker *worker, int change)
{
    if (ring3_load(&runtime.several, RING3_RELAXED))
        (void)ring3_fetch_add(&worker->load, (uint32_t)change, RING3_RELAXED);
}

/* Figures that others read while their owner changes them. */
#define count(figure, by) ring3_store(figure, *(figure) + (by), RING3_RELAXED)

/* User and system time are `before`'s, if anybody: what comes is another's. */
void charge_cpu_times(struct worker *worker, struct thread *before);

/* The worker runs this thread now, or nobody (NULL). */
static inline void note_current(struct worker *worker, struct thread *thread, int64_t now)
{
    struct thread *const before = worker->current;

    if (ring3_unlikely(runtime.options.cpu_times) && before != thread)
        charge_cpu_times(worker, before);

    if (ring3_unlikely(worker->trace) && before != thread) {
        if (before)
            trace_add(worker->trace, before, worker->slice_from, now);
        worker->slice_from = now;
    }
    worker->current = thread;
}

/* The same, told by the kernel thread that runs it. */
static inline void set_current(struct worker *worker, struct thread *thread, int64_t now)
{
    if (ring3_unlikely(runtime.options.cpu_times) && worker->current != thread)
        charge_cpu_times(worker, worker->current);
    note_current(worker, thread, now);
}

static inline void start_running(struct worker *worker, struct thread *thread, int64_t now)
{
    set_current(worker, thread, now);
    if (ring3_unlikely(ring3_load(&runtime.masks, RING3_RELAXED)))
        mask_for(worker->carrier, thread);
    count(&worker->turns, 1);
    set_state(thread, RING3_THREAD_RUNNING);
    if (runtime.timed) {
        worker->since = now;
        count(&thread->rare->waiting, now - thread->rare->since);
        if (!thread->started)
            ring3_store(&thread->rare->first_run, now, RING3_RELAXED);
    }
    thread->started = true;
}

/* It stops running, to wait or for good. */
static inline void stop_running(struct worker *worker, struct thread *thread, int64_t now)
{
    if (runtime.timed)
        (void)thread_charge(worker, thread, now);
    if (runtime.policy->block) {
        struct worker *const home = home_of(worker, thread);

        lock_queue(home);
        runtime.policy->block(home->queue, &thread->entity, now);
        unlock_queue(home);
    }
    load_add(worker, -1);
}

/* Who runs next on this worker; NULL: nobody. */
struct thread *choose(struct worker *worker, int64_t now);

/* Go from `from` to `next`, or to the idle context if that is NULL or held by another carrier. */
void go(struct worker *worker, ring3_context_t *from, struct thread *next, int64_t now,
        void (*after)(void *), void *arg);

/* Where to go on for `next` (as for go). It runs from now on. */
ring3_context_t *go_where(struct worker *worker, struct thread *next, int64_t now);

/* Where a thread goes that ends, or NULL: the long way. */
ring3_context_t *leave_quickly(struct worker *worker, struct thread *self);

/* Leave the scheduler; a preemption that was asked for meanwhile is done now. */
void leave(struct thread *self);

/* --- life.c ----------------------------------------------------------------------------------- */

/* Give a thread its stack, at its first run. */
bool bind_stack(struct worker *worker, struct thread *thread);

#endif
