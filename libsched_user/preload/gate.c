/* SPDX-License-Identifier: MIT */
/* Who has a place, who waits for one, and who waits for something else. */
#include "gate.h"

struct gate gate;

__thread struct gated *gated_self;

struct gated gate_gone = {.place = -1, .state = GATED_ENDED};

static uint32_t bucket_of(const void *object)
{
    return (uint32_t)(((uint64_t)(uintptr_t)object >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* --- The lock --------------------------------------------------------------------------------- */

void gate_lock(struct gated *me)
{
    if (me)
        me->inside++;
    ring3_compiler_barrier();
    kernel_lock(&gate.lock);
}

void gate_unlock(struct gated *me)
{
    struct gated *to_wake[PLACES_MOST];
    const unsigned count = gate.to_wake_count;

    memcpy(to_wake, gate.to_wake, count * sizeof *to_wake);
    gate.to_wake_count = 0;
    kernel_unlock(&gate.lock);
    /* Records are never unmapped: at worst this wakes nobody. */
    for (unsigned i = 0; i < count; i++)
        (void)ring3_futex_wake(&to_wake[i]->turn, 1, RING3_PRIVATE);
    ring3_compiler_barrier();
    if (!me || --me->inside > 0)
        return;
    /* A handler posted a semaphore while we were inside; it does not know which any more. */
    if (ring3_unlikely(ring3_load(&me->posted, RING3_RELAXED))) {
        ring3_store(&me->posted, 0, RING3_RELAXED);
        gate_lock(me);
        for (uint32_t i = 0; i < GATE_BUCKETS; i++) {
            struct gated *waiter, *next;

            ring3_list_for_each_entry_safe (waiter, next, &gate.waiting[i], waiting)
                if (waiter->what == FOR_SEMAPHORE)
                    gate_wake(me, waiter);
        }
        gate_unlock(me);
    }
}

/* --- Time ------------------------------------------------------------------------------------- */

int64_t gate_now(void)
{
    struct timespec now;

    if (gate.seeded)
        return ring3_load(&gate.logical, RING3_RELAXED);
    (void)real()->clock_gettime(CLOCK_MONOTONIC, &now);
    return ns_of(&now);
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(void)
{
    uint64_t z = gate.seed + ++gate.draws * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* --- Places ----------------------------------------------------------------------------------- */

bool gate_charge(struct gated *thread, int64_t now)
{
    const int64_t ran = now - thread->since;

    if (ran <= 0)
        return false;
    thread->since = now;
    return gate.policy->tick && gate.policy->tick(gate.queue, &thread->entity, ran, now);
}

static void enqueue(struct gated *thread, ring3_why_t why, int64_t now)
{
    thread->state = GATED_READY;
    gate.policy->enqueue(gate.queue, &thread->entity, why, now);
    gate.ready++;
}

void gate_give_up_place(struct gated *me, int64_t now)
{
    (void)gate_charge(me, now);
    gate_trace(me, now);
    gate.running[me->place] = NULL;
    me->place = -1;
    ring3_store(&me->turn, 0, RING3_RELAXED);
}

void gate_take_place(struct gated *me, struct gated *thread, unsigned place, int64_t now)
{
    gate.running[place] = thread;
    thread->place = (int)place;
    thread->state = GATED_RUNNING;
    thread->since = thread->slice = now;
    ring3_store(&thread->expired, 0, RING3_RELAXED);
    /* Pairs with the acquire in gate_await_turn. */
    ring3_store(&thread->turn, 1, RING3_RELEASE);
    if (thread != me)
        gate.to_wake[gate.to_wake_count++] = thread;
}

static void stop_waiting(struct gated *thread)
{
    if (!thread->object)
        return;
    ring3_list_remove(&thread->waiting);
    gate_withdraw(thread->object);
    thread->object = NULL;
}

/* Should somebody who runs give way to who has just become ready? */
static void look_for_victim(const struct gated *me, const struct gated *woken, int64_t now)
{
    struct gated *victim = NULL;

    if (!gate.policy->check_preempt)
        return;
    for (unsigned i = 0; i < gate.places; i++) {
        struct gated *const running = gate.running[i];

        if (!running)
            return; /* there is room for both */
        if (ring3_load(&running->expired, RING3_RELAXED))
            continue;
        if (gate_charge(running, now)) {
            ring3_store(&running->expired, 1 + RING3_EXPIRED, RING3_RELAXED);
            if (running != me)
                gate_interrupt(running);
            continue;
        }
        if (gate.policy->check_preempt(gate.queue, &running->entity, &woken->entity, now) &&
            (!victim ||
             gate.policy->check_preempt(gate.queue, &running->entity, &victim->entity, now)))
            victim = running;
    }
    if (!victim)
        return;
    ring3_store(&victim->expired, 1 + RING3_PREEMPTED, RING3_RELAXED);
    if (victim != me)
        gate_interrupt(victim);
}

void gate_become_ready(const struct gated *me, struct gated *thread, ring3_why_t why)
{
    const int64_t now = gate_now();

    enqueue(thread, why, now);
    look_for_victim(me, thread, now);
}

/* With a seed: those whose time has come become ready; true if any did. */
static bool expire_timers(struct gated *me)
{
    struct gated *thread;
    bool any = false;

    ring3_list_for_each_entry (thread, &gate.threads, all) {
        if (thread->state != GATED_WAITING || thread->until > gate.logical)
            continue;
        stop_waiting(thread);
        thread->timed_out = true;
        gate_become_ready(me, thread, RING3_WAKES);
        any = true;
    }
    return any;
}

/* With a seed: nobody wants to run. Jump to the next sleeper. */
static bool jump(struct gated *me)
{
    const struct gated *thread;
    int64_t next = FOR_EVER;

    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->state == GATED_WAITING && thread->until < next)
            next = thread->until;
    if (next == FOR_EVER)
        return false;
    if (next > gate.logical)
        ring3_store(&gate.logical, next, RING3_RELAXED);
    return expire_timers(me);
}

/* Threads run, will, or wait for somebody who is not of this gate. */
static bool stuck(void)
{
    const struct gated *thread;

    if (gate.ready > 0 || gate.outside > 0 || gate.alive == 0)
        return false;
    for (unsigned i = 0; i < gate.places; i++)
        if (gate.running[i])
            return false;
    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->state != GATED_ENDED && thread->until < FOR_EVER)
            return false;
    return true;
}

void gate_dispatch(struct gated *me)
{
    bool free_place;

    do {
        free_place = false;
        for (unsigned i = 0; i < gate.places; i++) {
            ring3_entity_t *entity;

            if (gate.running[i])
                continue;
            entity = gate.ready > 0 ? gate.policy->pick(gate.queue, gate_now()) : NULL;
            if (!entity) {
                free_place = true;
                break;
            }
            gate.ready--;
            gate_take_place(me, ring3_container_of(entity, struct gated, entity), i, gate_now());
        }
    } while (gate.seeded && free_place && gate.ready == 0 && jump(me));
    if (gate.ready > 0)
        monitor_look();
    else if (stuck() && !gate.reported) {
        gate.reported = true;
        gate_report_blocked();
    }
}

void gate_await_turn(struct gated *me)
{
    int state;

    /* Who is cancelled asynchronously is so once he has a place again. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    /* Pairs with the release in gate_take_place. */
    while (ring3_load(&me->turn, RING3_ACQUIRE) == 0)
        (void)ring3_futex_wait(&me->turn, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    (void)pthread_setcancelstate(state, NULL);
}

/* Give the place up and queue for another. */
static void requeue(struct gated *me, ring3_why_t why)
{
    gate_lock(me);

    const int64_t now = gate_now();

    gate_give_up_place(me, now);
    if (why == RING3_YIELDS && gate.policy->yield)
        gate.policy->yield(gate.queue, &me->entity, now);
    enqueue(me, why, now);
    gate_dispatch(me);
    gate_unlock(me);
    gate_await_turn(me);
}

void gate_yield(struct gated *me)
{
    requeue(me, RING3_YIELDS);
}

void gate_settle(struct gated *me)
{
    const uint32_t expired = me ? ring3_load(&me->expired, RING3_RELAXED) : 0;

    if (ring3_unlikely(expired) && me->inside == 0 && me->place >= 0)
        requeue(me, (ring3_why_t)(expired - 1));
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* With a seed: this call takes time. */
static void pass_time(struct gated *me)
{
    gate_lock(me);
    ring3_store(&gate.logical, gate.logical + 1 + (int64_t)(draw() % (uint64_t)(2 * gate.step)),
                RING3_RELAXED);
    if (gate_charge(me, gate.logical) && !me->expired)
        ring3_store(&me->expired, 1 + RING3_EXPIRED, RING3_RELAXED);
    (void)expire_timers(me);
    gate_unlock(me);
}

/* A thread that libc made without pthread_create, as for a timer's notification. */
static struct gated *take_in(void)
{
    gate_lock(NULL);

    struct gated *const me = gate_record();

    if (!me) {
        gate_unlock(NULL);
        return NULL;
    }
    me->foreign = true;
    me->detached = true;
    me->handle = pthread_self();
    me->kernel_id = (int)gettid();
    gated_self = me;
    gate_admit(me);
    gate_unlock(NULL);
    gate_await_turn(me);
    return me;
}

struct gated *gate_call(void)
{
    struct gated *me;

    /* Pairs with the release in gate_activate. */
    if (ring3_likely(!ring3_load(&gate.active, RING3_ACQUIRE)))
        return NULL;
    me = gated_self;
    if (ring3_unlikely(!me) && !(me = take_in()))
        return NULL;
    /* In a handler that came while it waits or holds the lock, or too late in its life. */
    if (me->inside || me->place < 0)
        return NULL;
    ring3_store(&me->calls, me->calls + 1, RING3_RELAXED);
    if (gate.seeded)
        pass_time(me);
    gate_settle(me);
    return me;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

void gate_announce(const void *object)
{
    /* With the retry after it, against the fence in gate_awaited after the object was given back. */
    (void)ring3_fetch_add(&gate.awaited[bucket_of(object)], 1, RING3_SEQ_CST);
}

void gate_withdraw(const void *object)
{
    (void)ring3_fetch_sub(&gate.awaited[bucket_of(object)], 1, RING3_RELAXED);
}

bool gate_awaited(const void *object)
{
    if (!ring3_load(&gate.active, RING3_RELAXED))
        return false;
    ring3_fence_full();
    return ring3_load(&gate.awaited[bucket_of(object)], RING3_RELAXED) > 0;
}

/* Stop waiting, unless somebody was faster and has woken us. */
static bool give_up_waiting(struct gated *me, bool timed_out)
{
    bool gave_up;

    gate_lock(me);
    gave_up = me->state == GATED_WAITING;
    if (gave_up) {
        stop_waiting(me);
        me->timed_out = timed_out;
        gate_become_ready(me, me, RING3_WAKES);
        gate_dispatch(me);
    }
    gate_unlock(me);
    return gave_up;
}

static bool ends_by_signals(enum wait_for what)
{
    return what == FOR_SEMAPHORE || what == FOR_TIME;
}

int gate_wait(struct gated *me, const void *object, enum wait_for what, int64_t until)
{
    const struct timespec deadline = {until / RING3_SECOND_NS, until % RING3_SECOND_NS};
    const struct timespec *const limit = until == FOR_EVER || gate.seeded ? NULL : &deadline;
    const int64_t now = gate_now();
    bool waits = true, interrupted = false;
    int cancel_state;

    gate_give_up_place(me, now);
    me->state = GATED_WAITING;
    me->object = object;
    me->what = what;
    me->until = until;
    me->timed_out = false;
    ring3_list_add_tail(&gate.waiting[bucket_of(object)], &me->waiting);
    if (gate.policy->block)
        gate.policy->block(gate.queue, &me->entity, now);
    gate_dispatch(me);
    gate_unlock(me);

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    /* Pairs with the release in gate_take_place. */
    while (ring3_load(&me->turn, RING3_ACQUIRE) == 0) {
        const int err =
            ring3_futex_wait(&me->turn, 0, RING3_PRIVATE, CLOCK_MONOTONIC, waits ? limit : NULL);

        if (!waits || (err != -ETIMEDOUT && (err != -EINTR || !ends_by_signals(what))))
            continue;
        interrupted = give_up_waiting(me, err == -ETIMEDOUT) && err == -EINTR;
        waits = false;
    }
    (void)pthread_setcancelstate(cancel_state, NULL);
    me->what = FOR_NOTHING;
    me->until = FOR_EVER;
    if (me->timed_out)
        return ETIMEDOUT;
    return interrupted ? EINTR : 0;
}

int gate_acquire(struct gated *me, void *object, enum wait_for what, int (*try)(void *object),
                 int64_t until)
{
    int result;

    while ((result = try(object)) == EBUSY) {
        gate_lock(me);
        gate_announce(object);
        result = try(object);
        if (result != EBUSY) {
            gate_withdraw(object);
            gate_unlock(me);
            break;
        }
        result = gate_wait(me, object, what, until);
        if (result == 0 && me->cancelled && ends_by_signals(what))
            result = EBUSY;
        if (result != 0) {
            /* The wake-up that ended the wait too early may have been meant for another. */
            const int last = try(object);

            result = last == EBUSY ? result : last;
            break;
        }
        me->failures++;
        if (what == FOR_MUTEX && gate_waits_outside(object))
            return EBUSY;
    }
    me->failures = 0;
    return result;
}

void gate_wake(struct gated *me, struct gated *thread)
{
    if (thread->state != GATED_WAITING)
        return;
    stop_waiting(thread);
    gate_become_ready(me, thread, RING3_WAKES);
    gate_dispatch(me);
}

struct gated *gate_wake_first(struct gated *me, const void *object)
{
    struct gated *waiter, *first = NULL;

    ring3_list_for_each_entry (waiter, &gate.waiting[bucket_of(object)], waiting)
        if (waiter->object == object &&
            (!first || waiter->entity.priority < first->entity.priority))
            first = waiter;
    if (first)
        gate_wake(me, first);
    return first;
}

void gate_wake_all(struct gated *me, const void *object)
{
    struct gated *waiter, *next;

    ring3_list_for_each_entry_safe (waiter, next, &gate.waiting[bucket_of(object)], waiting)
        if (waiter->object == object)
            gate_wake(me, waiter);
}

void gate_release(struct gated *me, const void *object, bool all)
{
    const struct gated *first = NULL;
    bool give_way;

    if (!gate_awaited(object))
        return;
    gate_lock(me);
    if (all)
        gate_wake_all(me, object);
    else
        first = gate_wake_first(me, object);
    /* It was woken in vain before, because the place and the object were never free at once. */
    give_way = first && first->failures > 0;
    gate_unlock(me);
    gate_settle(me);
    if (give_way && me && me->place >= 0)
        gate_yield(me);
}

static uint8_t outside_mutexes[GATE_BUCKETS];

bool gate_waits_outside(const void *mutex)
{
    return ring3_load(&outside_mutexes[bucket_of(mutex)], RING3_RELAXED);
}

void gate_wait_outside_for(struct gated *me, const void *mutex)
{
    if (gate_waits_outside(mutex))
        return;
    gate_lock(me);
    ring3_store(&outside_mutexes[bucket_of(mutex)], 1, RING3_RELAXED);
    gate_wake_all(me, mutex);
    gate_unlock(me);
}

/* --- Outside ---------------------------------------------------------------------------------- */

void gate_leave(struct gated *me)
{
    if (!me)
        return;
    gate_lock(me);

    const int64_t now = gate_now();

    gate_give_up_place(me, now);
    me->state = GATED_OUTSIDE;
    gate.outside++;
    if (gate.policy->block)
        gate.policy->block(gate.queue, &me->entity, now);
    gate_dispatch(me);
    gate_unlock(me);
}

void gate_enter(struct gated *me)
{
    const int saved = errno;

    if (!me)
        return;
    gate_lock(me);
    gate.outside--;
    gate_become_ready(me, me, RING3_WAKES);
    gate_dispatch(me);
    gate_unlock(me);
    gate_await_turn(me);
    errno = saved;
}
