/* SPDX-License-Identifier: MIT */
/* Threads that wait until a time: a tree in each worker, which alone touches it. */
#include "runtime.h"

/* Equal times in the order of the thread table. */
static bool sooner(const ring3_rbnode_t *a, const ring3_rbnode_t *b)
{
    const struct thread *const left = timer_owner(a);
    const struct thread *const right = timer_owner(b);

    return left->timer_at != right->timer_at ? left->timer_at < right->timer_at
                                             : left->index < right->index;
}

/* For the monitor. */
static void publish(struct worker *worker)
{
    const ring3_rbnode_t *const first = ring3_rbtree_first(&worker->timers);

    ring3_store(&worker->next_timer, first ? timer_owner(first)->timer_at : INT64_MAX,
                RING3_RELAXED);
}

void timer_add(struct worker *worker, struct thread *thread, int64_t at)
{
    thread->timer_at = at > 0 ? at : 1;
    /* Who looks at a nursery reads it meanwhile: a member has it from there. */
    if (thread->rare->of != thread)
        thread->rare->of = thread;
    ring3_rbtree_insert(&worker->timers, &thread->rare->timer, sooner);
    publish(worker);
}

void timer_remove(struct worker *worker, struct thread *thread)
{
    if (thread->timer_at == 0)
        return;
    ring3_rbtree_remove(&worker->timers, &thread->rare->timer);
    thread->timer_at = 0;
    publish(worker);
}

int64_t timers_expire(struct worker *worker, int64_t now)
{
    ring3_rbnode_t *first;

    while ((first = ring3_rbtree_first(&worker->timers))) {
        struct thread *const thread = timer_owner(first);

        if (thread->timer_at > now)
            return thread->timer_at;
        timer_remove(worker, thread);
        thread->timed_out = true;
        thread_wake(thread);
    }
    return INT64_MAX;
}
