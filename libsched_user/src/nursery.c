/* SPDX-License-Identifier: MIT */
/* Nurseries: a list of members under a lock, and who waits for it to be empty. */
#include "ring3/nursery.h"

#include "runtime.h"

#include <errno.h>

static struct kernel_lock *lock_of(ring3_nursery_t *nursery)
{
    return (struct kernel_lock *)&nursery->lock;
}

static void enter(ring3_nursery_t *nursery)
{
    ring3_preempt_disable(ring3_self());
    kernel_lock(lock_of(nursery));
}

static void leave(ring3_nursery_t *nursery)
{
    kernel_unlock(lock_of(nursery));
    ring3_preempt_enable(ring3_self());
}

void ring3_nursery_init(ring3_nursery_t *nursery)
{
    *nursery = (ring3_nursery_t){.lock = 0};
    ring3_list_init(&nursery->list);
}

/* By the member's worker, once its stack has been left. The nursery may be gone when its lock has
 * been released. */
static void member_ended(void *at)
{
    struct thread *const member = at;
    ring3_nursery_t *const nursery = member->rare->nursery;
    struct thread *waiter = NULL;

    kernel_lock(lock_of(nursery));
    ring3_list_remove(&member->rare->sibling);
    if (--nursery->members == 0)
        waiter = nursery->waiter;
    kernel_unlock(lock_of(nursery));
    if (waiter)
        thread_wake(waiter);
}

int ring3_nursery_spawn(ring3_nursery_t *nursery, const ring3_thread_attr_t *attr,
                        void *(*body)(void *arg), void *arg)
{
    ring3_thread_attr_t detached = attr ? *attr : (ring3_thread_attr_t){.name = NULL};
    struct thread *made;
    int err;

    detached.detached = true;
    err = thread_make(&made, &detached, body, arg, __builtin_return_address(0));
    if (err)
        return err;
    made->rare->of = made;
    made->rare->nursery = nursery;
    made->at_end = member_ended;
    enter(nursery);
    if (nursery->closing) {
        leave(nursery);
        thread_unmake(made);
        return -ECANCELED;
    }
    ring3_list_add_tail(&nursery->list, &made->rare->sibling);
    nursery->members++;
    leave(nursery);
    err = thread_launch(made);
    if (err) {
        enter(nursery);
        ring3_list_remove(&made->rare->sibling);
        nursery->members--;
        leave(nursery);
        thread_unmake(made);
    }
    return err;
}

static int wait_empty(ring3_nursery_t *nursery, int64_t at, bool cancelable)
{
    struct thread *const self = thread_here();
    int err = 0;

    if (!self)
        return -EPERM;
    enter(nursery);
    if (nursery->waiter) {
        leave(nursery);
        return -EBUSY;
    }
    nursery->waiter = self;
    while (nursery->members > 0 && !err) {
        leave(nursery);
        if (cancelable)
            err = ring3_thread_cancelled();
        if (!err)
            err = thread_wait(self, at);
        enter(nursery);
    }
    nursery->waiter = NULL;
    if (nursery->members == 0)
        err = 0;
    leave(nursery);
    return err;
}

int ring3_nursery_wait(ring3_nursery_t *nursery, const struct timespec *deadline)
{
    const int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    if (err)
        return err;
    return wait_empty(nursery, !deadline ? 0 : ns_of(deadline) > 0 ? ns_of(deadline) : 1, true);
}

void ring3_nursery_cancel(ring3_nursery_t *nursery)
{
    ring3_list_t *at;

    enter(nursery);
    ring3_list_for_each (at, &nursery->list) {
        struct thread *const member = ring3_container_of(at, struct rare, sibling)->of;

        ring3_store(&member->cancelled, 1, RING3_RELEASE);
        thread_wake(member);
    }
    leave(nursery);
}

int ring3_nursery_close(ring3_nursery_t *nursery)
{
    int err;

    enter(nursery);
    nursery->closing++;
    leave(nursery);
    ring3_nursery_cancel(nursery);
    err = wait_empty(nursery, 0, false);
    enter(nursery);
    nursery->closing--;
    leave(nursery);
    return err;
}
