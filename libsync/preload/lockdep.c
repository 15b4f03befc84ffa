/* SPDX-License-Identifier: MIT */
/* The chain of locks that each thread holds, and the rules over it: see lockdep.h. */
#include "lockdep_fast.h"

#include "ring3/atomic.h"

#include <signal.h>
#include <string.h>

/* Guards the graph and the reports. */
static ring3_mutex_t graph_lock;

void lockdep_lock(void)
{
    ring3_mutex_lock(&graph_lock);
}

void lockdep_unlock(void)
{
    ring3_mutex_unlock(&graph_lock);
}

#define LONGEST_CYCLE 32

/* --- New chains ------------------------------------------------------------------------------ */

static unsigned kind_of(const struct held *held, enum watch_mode taken)
{
    return (held->mode != WATCH_WRITE ? 2u : 0u) + (taken == WATCH_READ_AGAIN ? 1u : 0u);
}

/* `to` is waited for, or may be, while `held` is held. */
static void depends(uint32_t from, uint32_t to, unsigned kind, const void *held_at,
                    const void *site)
{
    const struct graph_edge *cycle[LONGEST_CYCLE];
    const int length =
        graph_enter(from, to, kind, (uint64_t)(uintptr_t)held_at, site, cycle, LONGEST_CYCLE);

    if (length > 0 && length <= LONGEST_CYCLE)
        report_cycle(cycle, length);
}

/* A class that a handler locks must not be locked elsewhere while the signal can come. */
static void look_at_handlers(const struct watch *watch, uint32_t row)
{
    static uint64_t in_handler[WATCH_CLASSES], unblocked[WATCH_CLASSES];
    const uint32_t class = lockdep_class(row);
    sigset_t mask;

    if (watch->me->handling)
        in_handler[class] |= UINT64_C(1) << (watch->me->handling - 1);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 64; number++)
        if (number != watch->me->handling && !sigismember(&mask, number))
            unblocked[class] |= UINT64_C(1) << (number - 1);
    if (in_handler[class] & unblocked[class])
        report_rule(RULE_HANDLER, row, watch->object, watch->site, 0);
}

static void look_at_chain(const struct watch *watch, uint32_t row)
{
    const uint32_t class = lockdep_class(row);
    struct thread *const me = watch->me;

    ring3_mutex_lock(&graph_lock);
    look_at_handlers(watch, row);
    for (uint32_t i = 0; i < me->depth; i++) {
        const struct held *const held = &me->held[i];
        const uint32_t other = lockdep_class(held->row);

        if (held->object == watch->object) {
            /* Also with a deadline: it can only pass. */
            if (watch->mode == WATCH_WRITE || held->mode == WATCH_WRITE ||
                watch->mode == WATCH_READ)
                report_rule(RULE_AGAIN, row, watch->object, watch->site,
                            (uint64_t)(uintptr_t)held->site);
        } else if (watch->may_give_up) {
            continue;
        } else if (other != class) {
            depends(other, class, kind_of(held, watch->mode), held->site, watch->site);
        } else {
            const uint32_t from = graph_object(held->object, class),
                           to = graph_object(watch->object, class);

            if (from && to)
                depends(from, to, kind_of(held, watch->mode), held->site, watch->site);
        }
    }
    ring3_mutex_unlock(&graph_lock);
}

void lockdep_new_chain(const struct watch *watch, uint32_t row)
{
    struct thread *const me = watch->me;

    graph_know_chain(watch->key);
    if (me->reporting)
        return;
    me->reporting = true;
    look_at_chain(watch, row);
    me->reporting = false;
}

/* --- Releases that are not the last lock's ------------------------------------------------- */

/* Strike the lock off the chain; false if it is not in it. */
static bool strike_off(struct thread *me, const void *object)
{
    uint32_t at = me->depth;

    while (at > 0 && me->held[at - 1].object != object)
        at--;
    if (at == 0)
        return false;
    memmove(&me->held[at - 1], &me->held[at], (me->depth - at) * sizeof me->held[0]);
    ring3_store(&me->depth, me->depth - 1, RING3_RELEASE);
    /* The chains of those above lead through others now. */
    for (uint32_t i = at - 1; i < me->depth; i++)
        me->held[i].key = lockdep_key(me, i, me->held[i].object, me->held[i].row, me->held[i].mode);
    return true;
}

void lockdep_released_slow(struct thread *me, void *object, uint32_t row, const void *site)
{
    if (strike_off(me, object))
        return;
    if (me->unseen > 0) {
        me->unseen--; /* it may well be one of those */
    } else if (row && !me->reporting) {
        me->reporting = true;
        ring3_mutex_lock(&graph_lock);
        report_rule(RULE_NOT_HELD, row, object, site, 0);
        ring3_mutex_unlock(&graph_lock);
        me->reporting = false;
    }
}

void lockdep_made(const void *object)
{
    (void)strike_off(thread_self(), object);
}

/* --- Conditions ------------------------------------------------------------------------------ */

/*
 * What is known of a class of conditions: the class of the mutexes it is waited for with, 0 if it
 * never was, and the classes of locks that were held at every signal so far. Those alone a waiter
 * must not hold; which they are is known when the program ends.
 */
#define SIGNALLED_WITH 4

static struct condition {
    uint16_t own_mutex;
    bool signalled;
    uint8_t count;
    struct signalled_with {
        uint16_t class;
        uint16_t kind;
        const void *held_at, *site;
    } with[SIGNALLED_WITH];
} conditions[WATCH_CLASSES];

void lockdep_cond_wait(void *cond, uint32_t *record, uint32_t mutex_row, const void *site)
{
    struct thread *const me = thread_self();
    const uint32_t class = lockdep_class(watch_row(cond, record, LOCKSTAT_COND, site));

    if (me->reporting)
        return;
    /* Relaxed: waits of one condition write the same. */
    if (mutex_row)
        ring3_store(&conditions[class].own_mutex, (uint16_t)lockdep_class(mutex_row),
                    RING3_RELAXED);
    if (me->depth == 0)
        return;
    const uint64_t key = lockdep_mix(lockdep_mix(me->held[me->depth - 1].key, class), 7);

    if (graph_knows_chain(key))
        return;
    graph_know_chain(key);
    me->reporting = true;
    ring3_mutex_lock(&graph_lock);
    for (uint32_t i = 0; i < me->depth; i++) {
        const struct held *const held = &me->held[i];

        if (lockdep_class(held->row) != conditions[class].own_mutex)
            depends(lockdep_class(held->row), class, kind_of(held, WATCH_WRITE), held->site, site);
    }
    ring3_mutex_unlock(&graph_lock);
    me->reporting = false;
}

static bool holds_class(const struct thread *me, uint32_t class)
{
    for (uint32_t i = 0; i < me->depth; i++)
        if (lockdep_class(me->held[i].row) == class)
            return true;
    return false;
}

/* Under the lock. */
static void note_signal(struct condition *condition, const struct thread *me, const void *site)
{
    uint8_t kept = 0;

    for (uint32_t i = 0; !condition->signalled && i < me->depth && kept < SIGNALLED_WITH; i++)
        condition->with[kept++] = (struct signalled_with){
            (uint16_t)lockdep_class(me->held[i].row),
            (uint16_t)(kind_of(&me->held[i], WATCH_WRITE) & 1u), me->held[i].site, site};
    for (uint8_t i = 0; condition->signalled && i < condition->count; i++)
        if (holds_class(me, condition->with[i].class))
            condition->with[kept++] = condition->with[i];
    condition->count = kept;
    condition->signalled = true;
}

void lockdep_cond_signal(void *cond, uint32_t *record, const void *site)
{
    struct thread *const me = thread_self();

    if (me->reporting)
        return;
    const uint32_t class = lockdep_class(watch_row(cond, record, LOCKSTAT_COND, site));
    const uint64_t chain = me->depth ? me->held[me->depth - 1].key : 0;
    const uint64_t key = lockdep_mix(lockdep_mix(chain, class), 11);

    if (graph_knows_chain(key))
        return;
    graph_know_chain(key);
    ring3_mutex_lock(&graph_lock);
    note_signal(&conditions[class], me, site);
    ring3_mutex_unlock(&graph_lock);
}

void lockdep_end(void)
{
    ring3_mutex_lock(&graph_lock);
    for (uint32_t class = 1; class < WATCH_CLASSES; class ++) {
        const struct condition *const condition = &conditions[class];

        for (uint8_t i = 0; i < condition->count; i++)
            depends(class, condition->with[i].class, condition->with[i].kind,
                    condition->with[i].held_at, condition->with[i].site);
    }
    ring3_mutex_unlock(&graph_lock);
}

/* --- Objects, threads and processes that end ------------------------------------------------- */

void lockdep_forget(const void *object)
{
    ring3_mutex_lock(&graph_lock);
    graph_forget(object);
    ring3_mutex_unlock(&graph_lock);
}

void lockdep_thread_ends(struct thread *thread)
{
    ring3_mutex_lock(&graph_lock);
    for (uint32_t i = 0; i < thread->depth; i++)
        report_rule(RULE_THREAD_END, thread->held[i].row, thread->held[i].object,
                    thread->held[i].site, 0);
    ring3_mutex_unlock(&graph_lock);
}

/* What threads of the parent held when it forked: nobody in this process will unlock it. */
#define ORPHANS 64
static struct held orphans[ORPHANS];
static uint32_t orphan_count;

void lockdep_after_fork(const struct thread *me)
{
    struct thread *thread;

    ring3_mutex_init(&graph_lock);
    orphan_count = 0;
    ring3_list_for_each_entry (thread, &threads_all, link) {
        for (uint32_t i = 0; thread != me && i < thread->depth && orphan_count < ORPHANS; i++)
            orphans[orphan_count++] = thread->held[i];
    }
}

void lockdep_wait(const struct watch *watch)
{
    for (uint32_t i = 0; ring3_unlikely(i < orphan_count); i++)
        if (orphans[i].object == watch->object) {
            ring3_mutex_lock(&graph_lock);
            report_rule(RULE_FORK, *watch->record, watch->object, watch->site,
                        (uint64_t)(uintptr_t)orphans[i].site);
            ring3_mutex_unlock(&graph_lock);
        }
}
