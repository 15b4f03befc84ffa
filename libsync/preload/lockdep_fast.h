/* SPDX-License-Identifier: MIT */
/*
 * What lockdep does at every lock and unlock: extend the chain of the thread, look whether it is
 * known, and shorten it again. Some 15 ns together, so all of it is inline in watch.c.
 */
#ifndef RING3_PRELOAD_LOCKDEP_FAST_H
#define RING3_PRELOAD_LOCKDEP_FAST_H

#include "lockdep.h"

/* Chains of handlers must not be taken for those of others. */
#define LOCKDEP_SEED_HANDLER UINT64_C(0x5e1f)

static inline uint64_t lockdep_mix(uint64_t seed, uint64_t value)
{
    const uint64_t mixed = (seed ^ value) * UINT64_C(0x9E3779B97F4A7C15);

    return mixed ^ mixed >> 32;
}

static inline uint32_t lockdep_class(uint32_t row)
{
    return watch_class_of_row[row];
}

/*
 * The chain of `upto` locks with one more at its end. That adds its class; locks of a class that is
 * in the chain already add themselves.
 */
static inline uint64_t lockdep_key(const struct thread *me, uint32_t upto, const void *object,
                                   uint32_t row, unsigned mode)
{
    const uint32_t class_number = lockdep_class(row);
    const uint64_t before = upto ? me->held[upto - 1].key
                            : ring3_unlikely(me->handling)
                                ? LOCKDEP_SEED_HANDLER + (uint64_t)me->handling
                                : 0;
    uint64_t key = lockdep_mix(before, (uint64_t)class_number << 3 | mode);

    for (uint32_t i = 0; i < upto; i++)
        if (ring3_unlikely(lockdep_class(me->held[i].row) == class_number))
            key = lockdep_mix(lockdep_mix(key, (uint64_t)(uintptr_t)object),
                              (uint64_t)(uintptr_t)me->held[i].object);
    return key;
}

static inline void lockdep_before(struct watch *watch, uint32_t row)
{
    struct thread *const me = watch->me;

    /* A thread that stands above its handler's frame on the stack has left it, by longjmp. */
    if (ring3_unlikely(me->handling) &&
        (const char *)__builtin_frame_address(0) > (const char *)me->handler)
        me->handling = 0;
    watch->key = lockdep_key(me, me->depth, watch->object, row,
                             (unsigned)watch->mode | (watch->may_give_up ? 4u : 0u));
    if (ring3_unlikely(!graph_knows_chain(watch->key)))
        lockdep_new_chain(watch, row);
}

static inline void lockdep_held(const struct watch *watch, uint32_t row)
{
    struct thread *const me = watch->me;
    const uint32_t depth = me->depth;

    if (ring3_unlikely(depth == THREAD_HELD)) {
        me->unseen++;
        return;
    }
    me->held[depth] = (struct held){.object = watch->object,
                                    .site = watch->site,
                                    .key = watch->key,
                                    .row = row,
                                    .mode = watch->mode};
    /* Pairs with the acquires of those who look at other threads. */
    ring3_store(&me->depth, depth + 1, RING3_RELEASE);
}

static inline void lockdep_released(void *object, uint32_t row, const void *site)
{
    struct thread *const me = thread_self();
    const uint32_t depth = me->depth;

    if (ring3_likely(depth && me->held[depth - 1].object == object))
        ring3_store(&me->depth, depth - 1, RING3_RELEASE);
    else
        lockdep_released_slow(me, object, row, site);
}

#endif
