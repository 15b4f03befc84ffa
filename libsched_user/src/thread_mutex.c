/* SPDX-License-Identifier: MIT */
/*
 * Mutexes with priority inheritance.
 *
 * owner
 *     0             nobody
 *     thread        who has it; nobody waits
 *     thread | 1    the same, and the lists are to be looked at, under the lock of all
 *
 * One lock guards all lists of waiters and all urgencies: it is taken only where somebody waits. A
 * thread keeps a list of its mutexes that others wait for, and knows the one that it waits for itself;
 * a change of its urgency goes along that chain, which has no end in itself, since a wait that would
 * close it is refused.
 */
#include "ring3/thread_mutex.h"

#include "runtime.h"

#include <string.h>

#define CONTENDED ((uintptr_t)1)

static struct kernel_lock lock;

struct mutex_waiter {
    ring3_list_t link; /* the most urgent first */
    struct thread *thread;
    uint32_t served; /* 1: it has the mutex */
};

static struct mutex_waiter *waiter_at(const ring3_list_t *link)
{
    return ring3_container_of((uintptr_t)link, struct mutex_waiter, link);
}

struct thread *thread_mutex_owner(const ring3_thread_mutex_t *mutex)
{
    /* Pairs with the release in take: the owner's record is as its maker left it. */
    return (struct thread *)(ring3_load(&mutex->owner, RING3_ACQUIRE) & ~CONTENDED);
}

/* All-zero lists are empty ones. */
static void prepare(ring3_list_t *list)
{
    if (!list->next)
        ring3_list_init(list);
}

/* --- Urgency ---------------------------------------------------------------------------------- */

static struct urgency urgency_of(const struct thread *thread)
{
    return (struct urgency){thread->entity.due, thread->entity.priority, thread->entity.band};
}

/* Smaller is sooner; classes count where the policy has them. */
static int rank_of(const struct urgency *urgency)
{
    static const int ranks[] = {[RING3_CLASS_DEADLINE] = 0,
                                [RING3_CLASS_FIFO] = 1,
                                [RING3_CLASS_RR] = 1,
                                [RING3_CLASS_FAIR] = 2,
                                [RING3_CLASS_IDLE] = 3};

    return strcmp(runtime.policy->name, "linux") == 0 ? ranks[urgency->band] : 0;
}

static bool more_urgent(struct urgency a, struct urgency b)
{
    const int64_t due_a = a.due > 0 ? a.due : INT64_MAX, due_b = b.due > 0 ? b.due : INT64_MAX;

    if (rank_of(&a) != rank_of(&b))
        return rank_of(&a) < rank_of(&b);
    if (rank_of(&a) > 0 || strcmp(runtime.policy->name, "linux") != 0)
        if (a.priority != b.priority)
            return a.priority < b.priority;
    return due_a < due_b;
}

static void put_urgency(struct thread *thread, const void *at)
{
    const struct urgency *const to = at, before = urgency_of(thread);

    thread->entity.due = to->due;
    thread->entity.priority = to->priority;
    thread->entity.band = to->band;
    if (rank_of(&before) != rank_of(to)) {
        /* What one class has written there means nothing to another. */
        memset(thread->entity.own, 0, sizeof thread->entity.own);
        thread->moved = true;
    }
}

static void stand(ring3_thread_mutex_t *mutex, struct mutex_waiter *waiter)
{
    ring3_list_t *at;

    ring3_list_for_each (at, &mutex->waiters)
        if (more_urgent(urgency_of(waiter->thread), urgency_of(waiter_at(at)->thread)))
            break;
    ring3_list_add_tail(at, &waiter->link);
}

static ring3_list_t *held_by(struct thread *thread)
{
    if (!thread->holds)
        ring3_list_init(&thread->rare->held);
    thread->holds = true;
    return &thread->rare->held;
}

/* What the thread should be: its own, or the most urgent of those that wait for it. */
static struct urgency deserved(struct thread *thread)
{
    struct urgency most = thread->inherits ? thread->rare->base : urgency_of(thread);
    ring3_list_t *at;

    ring3_list_for_each (at, held_by(thread)) {
        const ring3_thread_mutex_t *const mutex =
            ring3_container_of(at, ring3_thread_mutex_t, held);

        if (mutex->options & RING3_THREAD_MUTEX_PLAIN)
            continue;
        const struct urgency first = urgency_of(waiter_at(mutex->waiters.next)->thread);

        if (more_urgent(first, most))
            most = first;
    }
    return most;
}

/* Make the thread as urgent as it should be, and then those that it waits for. */
static void spread(struct thread *thread)
{
    while (thread) {
        const struct urgency to = deserved(thread), now = urgency_of(thread);
        struct mutex_waiter *const waiter = thread->rare->waiter;
        ring3_thread_mutex_t *const mutex = thread->waits_for;

        if (!more_urgent(to, now) && !more_urgent(now, to))
            return;
        if (!thread->inherits)
            thread->rare->base = now;
        thread_change(thread, put_urgency, &to);
        thread->inherits = more_urgent(to, thread->rare->base);
        if (!mutex)
            return;
        ring3_list_remove(&waiter->link);
        stand(mutex, waiter);
        thread = thread_mutex_owner(mutex);
    }
}

/* --- Locking ---------------------------------------------------------------------------------- */

static bool take(ring3_thread_mutex_t *mutex, const struct thread *self)
{
    /* The acquire pairs with the releases in ring3_thread_mutex_unlock, the release with thread_mutex_owner. */
    return ring3_cas(&mutex->owner, 0, (uintptr_t)self, RING3_ACQ_REL) == 0;
}

/* Under the lock: mark the mutex as contended; false if it has become free. */
static bool mark(ring3_thread_mutex_t *mutex)
{
    uintptr_t seen = ring3_load(&mutex->owner, RING3_RELAXED);

    while (seen && !(seen & CONTENDED))
        if (ring3_cas_try(&mutex->owner, &seen, seen | CONTENDED, RING3_RELAXED))
            return true;
    return seen != 0;
}

/* Would waiting for it mean waiting for oneself? */
static bool closes_a_circle(const struct thread *self, const ring3_thread_mutex_t *mutex)
{
    while (mutex) {
        const struct thread *const owner = thread_mutex_owner(mutex);

        if (owner == self)
            return true;
        mutex = owner ? owner->waits_for : NULL;
    }
    return false;
}

/* Under the lock. */
static int queue(ring3_thread_mutex_t *mutex, struct thread *self, struct mutex_waiter *waiter)
{
    struct thread *owner;

    if (closes_a_circle(self, mutex))
        return -EDEADLK;
    prepare(&mutex->waiters);
    prepare(&mutex->held);
    owner = thread_mutex_owner(mutex);
    if (ring3_list_empty(&mutex->waiters))
        ring3_list_add_tail(held_by(owner), &mutex->held);
    stand(mutex, waiter);
    self->waits_for = mutex;
    self->rare->waiter = waiter;
    spread(owner);
    return 0;
}

/* Under the lock: the waiter does not wait any more, and nobody else did. */
static void unmark(ring3_thread_mutex_t *mutex, const struct thread *owner)
{
    if (!ring3_list_empty(&mutex->waiters))
        return;
    ring3_list_remove(&mutex->held);
    ring3_store(&mutex->owner, (uintptr_t)owner, RING3_RELAXED);
}

/* The deadline has passed, unless the mutex came at the last moment. */
static int give_up(ring3_thread_mutex_t *mutex, struct thread *self, struct mutex_waiter *waiter)
{
    bool served;

    kernel_lock(&lock);
    served = ring3_load(&waiter->served, RING3_ACQUIRE);
    if (!served) {
        struct thread *const owner = thread_mutex_owner(mutex);

        ring3_list_remove(&waiter->link);
        self->waits_for = NULL;
        unmark(mutex, owner);
        spread(owner);
    }
    kernel_unlock(&lock);
    return served ? 0 : -ETIMEDOUT;
}

static int wait_for(ring3_thread_mutex_t *mutex, struct thread *self, int64_t at)
{
    struct mutex_waiter waiter = {.thread = self};
    int err = 0;

    kernel_lock(&lock);
    while (!mark(mutex))
        if (take(mutex, self)) {
            kernel_unlock(&lock);
            return 0;
        }
    err = queue(mutex, self, &waiter);
    kernel_unlock(&lock);
    /* Pairs with the release in hand_over. */
    while (!err && !ring3_load(&waiter.served, RING3_ACQUIRE))
        if (thread_wait(self, at) == -ETIMEDOUT)
            err = give_up(mutex, self, &waiter);
    return err;
}

int ring3_thread_mutex_trylock(ring3_thread_mutex_t *mutex)
{
    const struct thread *const self = thread_here();

    if (!self)
        return -EPERM;
    return take(mutex, self) ? 0 : -EBUSY;
}

int ring3_thread_mutex_lock_until(ring3_thread_mutex_t *mutex, const struct timespec *deadline)
{
    struct thread *const self = thread_here();
    const int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    if (!self || err)
        return err ? err : -EPERM;
    if (ring3_likely(take(mutex, self)))
        return 0;
    return wait_for(mutex, self, !deadline ? 0 : ns_of(deadline) > 0 ? ns_of(deadline) : 1);
}

int ring3_thread_mutex_lock(ring3_thread_mutex_t *mutex)
{
    return ring3_thread_mutex_lock_until(mutex, NULL);
}

/* Under the lock: the next owner, to be woken. The waiter may be gone when it has been served. */
static struct thread *hand_over(ring3_thread_mutex_t *mutex)
{
    struct mutex_waiter *const waiter = waiter_at(mutex->waiters.next);
    struct thread *const next = waiter->thread;

    ring3_list_remove(&waiter->link);
    ring3_list_remove(&mutex->held);
    next->waits_for = NULL;
    if (ring3_list_empty(&mutex->waiters)) {
        ring3_store(&mutex->owner, (uintptr_t)next, RING3_RELEASE);
    } else {
        ring3_store(&mutex->owner, (uintptr_t)next | CONTENDED, RING3_RELEASE);
        ring3_list_add_tail(held_by(next), &mutex->held);
    }
    spread(next);
    /* Pairs with the acquire in wait_for. */
    ring3_store(&waiter->served, 1, RING3_RELEASE);
    return next;
}

int ring3_thread_mutex_unlock(ring3_thread_mutex_t *mutex)
{
    struct thread *const self = thread_here();
    uintptr_t seen = (uintptr_t)self;
    struct urgency before;
    struct thread *next;
    bool lowered;

    if (!self || thread_mutex_owner(mutex) != self)
        return -EPERM;
    /* Pairs with the acquire in take. */
    if (ring3_likely(ring3_cas_try(&mutex->owner, &seen, 0, RING3_RELEASE)))
        return 0;
    kernel_lock(&lock);
    before = urgency_of(self);
    prepare(&mutex->waiters);
    /* Those who waited may have given up. */
    next = ring3_list_empty(&mutex->waiters) ? NULL : hand_over(mutex);
    if (next)
        spread(self);
    else
        ring3_store(&mutex->owner, 0, RING3_RELEASE);
    lowered = more_urgent(before, urgency_of(self));
    kernel_unlock(&lock);
    if (!next)
        return 0;
    thread_wake(next);
    thread_give_way(self, lowered);
    return 0;
}

void mutexes_leave(struct thread *self)
{
    while (self->holds && !ring3_list_empty(&self->rare->held))
        (void)ring3_thread_mutex_unlock(
            ring3_container_of(self->rare->held.next, ring3_thread_mutex_t, held));
}

void thread_urgency_change(struct thread *thread, void (*change)(struct thread *, const void *),
                           const void *to)
{
    struct urgency now;

    kernel_lock(&lock);
    if (thread->inherits) {
        /* Its own urgency changes, and then perhaps what it has. */
        now = urgency_of(thread);
        thread_change(thread, put_urgency, &thread->rare->base);
        thread_change(thread, change, to);
        thread->rare->base = urgency_of(thread);
        thread_change(thread, put_urgency, &now);
    } else {
        thread_change(thread, change, to);
        if (thread->waits_for) {
            ring3_list_remove(&thread->rare->waiter->link);
            stand(thread->waits_for, thread->rare->waiter);
            spread(thread_mutex_owner(thread->waits_for));
        }
    }
    spread(thread);
    kernel_unlock(&lock);
}

int ring3_thread_mutex_init(ring3_thread_mutex_t *mutex, uint32_t options)
{
    if (options & ~RING3_THREAD_MUTEX_PLAIN)
        return -EINVAL;
    *mutex = (ring3_thread_mutex_t){.options = options};
    return 0;
}

int ring3_thread_mutex_destroy(ring3_thread_mutex_t *mutex)
{
    return ring3_load(&mutex->owner, RING3_RELAXED) ? -EBUSY : 0;
}
