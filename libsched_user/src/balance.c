/* SPDX-License-Identifier: MIT */
/*
 * Threads that change workers: pulled by one that is idle, pushed by one that has many, or from a queue
 * that all workers share.
 *
 * A thread is moved while it is queued, from queue to queue under both locks, so that it always is in
 * exactly one and thread->worker says in whose. Only those leave that have not begun, or may migrate
 * and are off their stacks: a thread that yields is queued before its stack is left.
 *
 * The locks of two queues are taken in the order of the workers' numbers. Who holds the later one
 * already may have to let go of it; it is told so, and looks again at what it had seen.
 * Source: double_lock_balance of Linux's kernel/sched.
 */
#include "figures.h"
#include "schedule.h"

#include "ring3/bitmap.h"

bool may_move(const struct thread *thread)
{
    return !thread->pinned && !thread->carrier && !thread->interrupted &&
           (!thread->started || (thread->migrates && thread->entity.period == 0));
}

bool may_run_on(const struct thread *thread, const struct worker *worker)
{
    return !thread->confined || ring3_bitmap_test(thread->rare->affinity, worker->index);
}

static bool may_leave(const ring3_entity_t *entity, void *to)
{
    const struct thread *const thread =
        ring3_container_of((uintptr_t)entity, struct thread, entity);

    /* Pairs with the release in stack_left (schedule.c). */
    return may_move(thread) && ring3_load(&thread->on_stack, RING3_ACQUIRE) == 0 &&
           may_run_on(thread, to);
}

/* --- Between two workers ---------------------------------------------------------------------- */

/* With the lock of `held` take that of `other` too. True: `held` was open meanwhile. */
static bool lock_second(struct worker *held, struct worker *other)
{
    if (kernel_trylock(&other->lock))
        return false;
    if (held->index < other->index) {
        kernel_lock(&other->lock);
        return false;
    }
    kernel_unlock(&held->lock);
    kernel_lock(&other->lock);
    kernel_lock(&held->lock);
    return true;
}

/* With both locks. */
static bool move_one(struct worker *from, struct worker *to, int64_t now)
{
    ring3_entity_t *const entity =
        ring3_policy_balance(runtime.policy, from->queue, may_leave, to, now);
    struct thread *const thread = entity ? ring3_container_of(entity, struct thread, entity) : NULL;

    if (!thread)
        return false;
    set_queued(from, from->queued - 1);
    ring3_store(&thread->worker, to, RING3_RELAXED);
    load_add(from, -1);
    load_add(to, 1);
    put_in(to, thread, RING3_MOVES, now);
    return true;
}

void balance_pull(struct worker *worker, int64_t now)
{
    struct worker *from = NULL;

    for (unsigned i = 0; i < runtime.workers; i++) {
        struct worker *const other = runtime.worker[i];

        if (other != worker && queued(other) > (from ? queued(from) : 0))
            from = other;
    }
    if (!from)
        return;
    kernel_lock(&worker->lock);
    /* If ours was open, somebody may have pushed a thread here: then we have one. */
    if ((!lock_second(worker, from) || queued(worker) == 0) && move_one(from, worker, now))
        figures_stolen();
    kernel_unlock(&from->lock);
    kernel_unlock(&worker->lock);
}

static uint32_t load_of(const struct worker *worker)
{
    return ring3_load(&worker->load, RING3_RELAXED);
}

/* Moving one must make them more equal. */
static bool much_less(const struct worker *other, const struct worker *worker)
{
    return load_of(other) + 1 < load_of(worker);
}

void balance_push(struct worker *worker, int64_t now)
{
    struct worker *to = NULL;
    bool moved = false;

    if (!balances(RING3_BALANCE_PUSH) || worker->bound || queued(worker) == 0)
        return;
    for (unsigned i = 0; i < runtime.workers; i++) {
        struct worker *const other = runtime.worker[i];

        if (other != worker && (!to || load_of(other) < load_of(to)))
            to = other;
    }
    if (!to || !much_less(to, worker))
        return;
    kernel_lock(&worker->lock);
    /* If ours was open, the other may have helped itself. */
    if (!lock_second(worker, to) || much_less(to, worker))
        moved = move_one(worker, to, now);
    if (moved) /* sequentially consistent with worker_called: it sees the thread, or we see it asleep */
        (void)ring3_exchange(&to->queued, to->queued, RING3_SEQ_CST);
    kernel_unlock(&to->lock);
    kernel_unlock(&worker->lock);
    if (moved && ring3_load(&to->sleeping, RING3_SEQ_CST))
        worker_kick(to);
}

/* --- The global queue ------------------------------------------------------------------------- */

static void wake_idler(void)
{
    for (unsigned i = 0; i < runtime.workers; i++)
        if (ring3_load(&runtime.worker[i]->sleeping, RING3_SEQ_CST)) {
            worker_kick(runtime.worker[i]);
            return;
        }
}

bool enqueue_shared(struct worker *worker, struct thread *thread, ring3_why_t why, int64_t now)
{
    struct worker *const shared = runtime.shared;
    const bool shares = !thread->confined && may_move(thread);
    bool crowd;

    if (shares != thread->shared) {
        thread->shared = shares;
        thread->moved = true;
    }
    if (!shares)
        return false;
    load_add(worker, -1);
    note_ready(thread, now);
    lock_queue(shared);
    put_in(shared, thread, why, now);
    crowd = why != RING3_YIELDS || shared->queued > 1;
    /* Sequentially consistent with worker_called. */
    (void)ring3_exchange(&shared->queued, shared->queued, RING3_SEQ_CST);
    unlock_queue(shared);
    /* One that yields can be taken by who runs it. */
    if (crowd)
        wake_idler();
    return true;
}

struct thread *pick_shared(struct worker *worker, int64_t now)
{
    struct worker *const shared = runtime.shared;
    /* In turn, so that neither's threads wait for ever. */
    const bool own_first = worker->bound || worker->turns % 2 == 0;
    struct thread *thread = own_first ? pick_from(worker, worker, now) : NULL;

    if (thread || worker->bound)
        return thread;
    thread = pick_from(shared, worker, now);
    if (thread)
        load_add(worker, 1);
    else if (!own_first)
        thread = pick_from(worker, worker, now);
    return thread;
}
