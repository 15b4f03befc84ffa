/* SPDX-License-Identifier: MIT */
/* Threads at the gate: made, joined, cancelled, named, and what they ask of the policy. */
#include "gate.h"

/* --- What they ask of the policy -------------------------------------------------------------- */

static uint8_t class_of(int policy)
{
    switch (policy & ~SCHED_RESET_ON_FORK) {
    case SCHED_FIFO:
        return RING3_CLASS_FIFO;
    case SCHED_RR:
        return RING3_CLASS_RR;
    case SCHED_IDLE:
        return RING3_CLASS_IDLE;
    default:
        return RING3_CLASS_FAIR;
    }
}

static int policy_of(uint8_t class)
{
    switch (class) {
    case RING3_CLASS_FIFO:
        return SCHED_FIFO;
    case RING3_CLASS_RR:
        return SCHED_RR;
    case RING3_CLASS_IDLE:
        return SCHED_IDLE;
    default:
        return SCHED_OTHER;
    }
}

static bool is_real_time(uint8_t class)
{
    return class == RING3_CLASS_FIFO || class == RING3_CLASS_RR;
}

/* Of POSIX's real-time priorities the greatest is the most urgent, as Linux turns them round. */
static int32_t urgency(uint8_t class, int priority)
{
    return is_real_time(class) ? sched_get_priority_max(SCHED_FIFO) - priority
                               : RING3_PRIORITY_DEFAULT;
}

static bool allowed(int policy, int priority)
{
    return priority >= sched_get_priority_min(policy) && priority <= sched_get_priority_max(policy);
}

/* Under the lock. */
static void change(struct gated *thread, int policy, int priority)
{
    const bool queued = thread->state == GATED_READY;
    const int64_t now = gate_now();

    if (queued)
        gate.policy->dequeue(gate.queue, &thread->entity, now);
    thread->entity.band = class_of(policy);
    thread->entity.priority = urgency(thread->entity.band, priority);
    if (queued)
        gate.policy->enqueue(gate.queue, &thread->entity, RING3_MOVES, now);
}

/* The kernel is not asked: it would want privileges, and it is not the kernel that schedules here. */
PUBLIC int pthread_setschedparam(pthread_t handle, int policy, const struct sched_param *param)
{
    struct gated *const me = gate_call();
    struct gated *thread;

    if (!me)
        return real()->pthread_setschedparam(handle, policy, param);
    if (!allowed(policy, param->sched_priority))
        return EINVAL;
    gate_lock(me);
    thread = gate_find(handle);
    if (thread && !thread->ended)
        change(thread, policy, param->sched_priority);
    gate_unlock(me);
    /* Perhaps somebody else is more urgent now. */
    if (thread && gate.policy->check_preempt)
        gate_yield(me);
    return thread ? 0 : ESRCH;
}

PUBLIC int pthread_getschedparam(pthread_t handle, int *policy, struct sched_param *param)
{
    struct gated *const me = gate_call();
    const struct gated *thread;

    if (!me)
        return real()->pthread_getschedparam(handle, policy, param);
    gate_lock(me);
    thread = gate_find(handle);
    if (thread) {
        *policy = policy_of(thread->entity.band);
        param->sched_priority = is_real_time(thread->entity.band)
                                    ? sched_get_priority_max(SCHED_FIFO) - thread->entity.priority
                                    : 0;
    }
    gate_unlock(me);
    return thread ? 0 : ESRCH;
}

PUBLIC int pthread_setschedprio(pthread_t handle, int priority)
{
    const struct sched_param param = {.sched_priority = priority};
    struct sched_param before;
    int policy, result;

    if (!ring3_load(&gate.active, RING3_RELAXED))
        return real()->pthread_setschedprio(handle, priority);
    result = pthread_getschedparam(handle, &policy, &before);
    return result ? result : pthread_setschedparam(handle, policy, &param);
}

PUBLIC int pthread_setname_np(pthread_t handle, const char *name)
{
    struct gated *const me = gate_call();
    const int result = real()->pthread_setname_np(handle, name);
    struct gated *thread;

    if (!me || result != 0)
        return result;
    gate_lock(me);
    thread = gate_find(handle);
    for (size_t i = 0; thread && i < sizeof thread->name; i++) {
        /* It goes into charts as it is. */
        thread->name[i] =
            (char)(*name == '"' || *name == '\\' || (*name > 0 && *name < ' ') ? '?' : *name);
        name += *name != '\0';
    }
    if (thread)
        thread->name[sizeof thread->name - 1] = '\0';
    gate_unlock(me);
    return 0;
}

/* --- Made ------------------------------------------------------------------------------------- */

static void *begin(void *record)
{
    struct gated *const me = record;

    me->handle = pthread_self();
    gate_starts(me);
    gate_await_turn(me);
    return me->body(me->arg);
}

/* Scheduling asked for explicitly goes to our policy, and not to the kernel. */
static int apply_attributes(struct gated *thread, const pthread_attr_t *attr, pthread_attr_t *ours)
{
    struct sched_param param;
    int inherit, policy, detach;

    if (!attr)
        return pthread_attr_init(ours);
    if (pthread_attr_getdetachstate(attr, &detach) == 0)
        thread->detached = detach == PTHREAD_CREATE_DETACHED;
    /* glibc's attributes may be copied: what they point to stays the caller's. */
    *ours = *attr;
    if (pthread_attr_getinheritsched(attr, &inherit) != 0 || inherit != PTHREAD_EXPLICIT_SCHED)
        return 0;
    (void)pthread_attr_getschedpolicy(attr, &policy);
    (void)pthread_attr_getschedparam(attr, &param);
    if (!allowed(policy, param.sched_priority))
        return EINVAL;
    change(thread, policy, param.sched_priority);
    return pthread_attr_setinheritsched(ours, PTHREAD_INHERIT_SCHED);
}

PUBLIC int pthread_create(pthread_t *handle, const pthread_attr_t *attr, void *(*body)(void *),
                          void *arg)
{
    struct gated *me, *thread;
    pthread_attr_t ours;
    int result;

    if (!ring3_load(&gate.active, RING3_RELAXED))
        gate_activate();
    me = gate_call();
    if (!me)
        return real()->pthread_create(handle, attr, body, arg);
    monitor_begin();
    gate_lock(me);
    thread = gate_record();
    if (!thread) {
        gate_unlock(me);
        return EAGAIN;
    }
    thread->body = body;
    thread->arg = arg;
    thread->entity.priority = me->entity.priority;
    thread->entity.band = me->entity.band;
    result = apply_attributes(thread, attr, &ours);
    gate_unlock(me);
    /* Not under the lock: it allocates, and whoever has the allocator's lock may have no place. */
    if (result == 0)
        result = real()->pthread_create(handle, &ours, begin, thread);
    if (!attr)
        (void)pthread_attr_destroy(&ours);
    gate_lock(me);
    if (result == 0) {
        thread->handle = *handle; /* it has not run yet: it has no place */
        gate_admit(thread);
    } else {
        gate.alive--;
        gate_forget(thread);
    }
    gate_unlock(me);
    gate_settle(me);
    return result;
}

/* --- Joined ----------------------------------------------------------------------------------- */

static void forget(struct gated *me, pthread_t handle)
{
    struct gated *thread;

    gate_lock(me);
    thread = gate_find(handle);
    if (thread && thread->ended)
        gate_forget(thread);
    gate_unlock(me);
}

/* Wait for its end at the gate; libc's join, after that, waits for the last instructions. 0 if there
 * is nothing to wait for. */
static int await_end(struct gated *me, pthread_t handle, int64_t until)
{
    struct gated *thread;
    int result = 0;

    gate_lock(me);
    while ((thread = gate_find(handle)) && !thread->ended && !thread->detached && thread != me) {
        gate_announce(thread);
        result = gate_wait(me, thread, FOR_END, until);
        if (me->cancelled) {
            me->cancelled = false;
            pthread_testcancel();
        }
        if (result != 0)
            return result;
        gate_lock(me);
    }
    gate_unlock(me);
    return 0;
}

PUBLIC int pthread_join(pthread_t handle, void **value)
{
    struct gated *const me = gate_call();
    int result;

    if (!me)
        return real()->pthread_join(handle, value);
    pthread_testcancel();
    (void)await_end(me, handle, FOR_EVER);
    result = real()->pthread_join(handle, value);
    if (result == 0)
        forget(me, handle);
    return result;
}

PUBLIC int pthread_tryjoin_np(pthread_t handle, void **value)
{
    struct gated *const me = gate_call();
    const int result = real()->pthread_tryjoin_np(handle, value);

    if (me && result == 0)
        forget(me, handle);
    return result;
}

PUBLIC int pthread_clockjoin_np(pthread_t handle, void **value, clockid_t clock,
                                const struct timespec *deadline)
{
    struct gated *const me = gate_call();
    int result;

    if (!me)
        return real()->pthread_clockjoin_np(handle, value, clock, deadline);
    if (deadline && !is_time(deadline))
        return EINVAL;
    result = await_end(me, handle, gate_until(clock, deadline));
    if (result == 0)
        result = real()->pthread_join(handle, value);
    if (result == 0)
        forget(me, handle);
    return result;
}

PUBLIC int pthread_timedjoin_np(pthread_t handle, void **value, const struct timespec *deadline)
{
    return pthread_clockjoin_np(handle, value, CLOCK_REALTIME, deadline);
}

PUBLIC int pthread_detach(pthread_t handle)
{
    struct gated *const me = gate_call();
    struct gated *thread;
    int result;

    result = real()->pthread_detach(handle);
    if (!me || result != 0)
        return result;
    gate_lock(me);
    thread = gate_find(handle);
    if (thread) {
        thread->detached = true;
        if (thread->ended)
            gate_forget(thread);
    }
    gate_unlock(me);
    return result;
}

/* --- Cancelled -------------------------------------------------------------------------------- */

static bool is_cancellation_point(enum wait_for what)
{
    return what == FOR_COND || what == FOR_SEMAPHORE || what == FOR_END || what == FOR_TIME;
}

PUBLIC int pthread_cancel(pthread_t handle)
{
    struct gated *const me = gate_call();
    struct gated *thread;
    int result;

    if (!me)
        return real()->pthread_cancel(handle);
    result = real()->pthread_cancel(handle);
    gate_lock(me);
    thread = gate_find(handle);
    if (thread && thread->state == GATED_WAITING && is_cancellation_point(thread->what)) {
        thread->cancelled = true;
        gate_wake(me, thread);
    }
    gate_unlock(me);
    gate_settle(me);
    return result;
}

/* --- The rest --------------------------------------------------------------------------------- */

PUBLIC int sched_yield(void)
{
    struct gated *const me = gate_call();

    if (!me)
        return real()->sched_yield();
    gate_yield(me);
    return 0;
}

/* The gate's signal stays open: who blocked it could not be interrupted. */
static const sigset_t *without_ours(int how, const sigset_t *set, sigset_t *copy)
{
    if (!set || how == SIG_UNBLOCK || !ring3_load(&gate.active, RING3_RELAXED))
        return set;
    *copy = *set;
    (void)sigdelset(copy, GATE_SIGNAL);
    return copy;
}

PUBLIC int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    sigset_t copy;

    return real()->pthread_sigmask(how, without_ours(how, set, &copy), before);
}

PUBLIC int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    sigset_t copy;

    return real()->sigprocmask(how, without_ours(how, set, &copy), before);
}
