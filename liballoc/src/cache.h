/* SPDX-License-Identifier: MIT */
/*
 * A thread's own blocks: one magazine per size class, the first thing malloc and free look at.
 *
 * A magazine is a stack of pointers. Below its lowest place lies a NULL, so that taking from an
 * empty one needs no comparison of its own; `limit` is its highest place for now, and grows with
 * use. No lock, no atomic instruction: only its thread touches a magazine.
 *
 * Blocks in a magazine are in use as far as their slab knows. So that a second free of one is
 * noticed, freed blocks bear a secret mark in their second word; a free that finds it looks closer.
 *
 * Threads start with an empty cache that all share and that takes nothing. A policy that has no use
 * for caches leaves them with it, so that only a policy that fills caches pays for going further.
 *
 * A thread that sleeps can be relieved of its cache (ring3_caches_retire). `busy` is set around
 * every use of a cache:
 *
 *     its thread:  busy = 1;        light fence;  cache = pointer; use it;  busy = 0
 *     another:     pointer = none;  heavy fence;  busy == 0: the cache is mine now
 *
 * At least one of them sees the other's store. Either the thread finds no cache any more, and gets
 * another; or the other finds it busy, and puts the pointer back.
 *
 *     word                  written by                        read by
 *     thread.busy           its thread: 1 relaxed, 0 release  retire: acquire, after the heavy fence
 *     thread.cache and own  its thread, retire: release,      its thread: acquire
 *                           under the lock of all caches
 *
 * Source: Bonwick and Adams 2001 (magazines); Dice, Huang and Yang 2001 (asymmetric fences).
 */
#ifndef RING3_CACHE_H
#define RING3_CACHE_H

#include "classes.h"
#include "spans.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct magazine {
    void **top;          /* the block to take next, or the NULL below all */
    void **limit;        /* top may not go beyond */
    uint32_t reciprocal; /* as in classes.h */
} __attribute__((aligned(1 << CLASS_PLACE_SHIFT)));

_Static_assert(sizeof(struct magazine) == 1 << CLASS_PLACE_SHIFT,
               "places are offsets of magazines");

struct ring3_thread;

struct ring3_thread_cache {
    /* What a free must know, at hand: constants of the process. While there are no chunks every
     * free goes the slow way. */
    uintptr_t first;  /* chunk of the first region, counted from address 0 … */
    uintptr_t chunks; /* … and how many it has */
    const uint16_t *places;
    uint64_t mark;
    struct magazine magazines[CLASSES];
    size_t slab_grown, span_grown; /* bytes by which the magazines have grown */
    struct ring3_thread *thread;   /* NULL if the end of the thread would go unnoticed */
    uint32_t visits,
        visits_seen; /* times the thread came the slow way: now, and at the last look */
    struct ring3_thread_cache *chained; /* while they are being retired */
    struct ring3_thread_cache *next;    /* among those in use, or the spare ones */
    struct ring3_thread_cache **previous;
    void *slots[]; /* of all magazines, each with a NULL below */
};

struct ring3_thread {
    struct ring3_thread_cache *cache; /* what the fast paths use */
    uint32_t busy;
    struct ring3_thread_cache *own; /* what the slow paths use: the same, or its own all the same */
    bool counted;                   /* it had a cache before */
    bool end_is_known;              /* thread_end will be called */
    bool ended;                     /* it was: no cache any more, whatever later destructors want */
};

extern __thread struct ring3_thread ring3_thread;

/* Set before the policy starts, constant from then on. */
struct ring3_cache_options {
    bool hidden;   /* the fast paths find nothing: a layer must see every call (layers.h) */
    bool shuffled; /* blocks leave the slabs in random order */
};
extern struct ring3_cache_options ring3_cache_options;

typedef uint64_t __attribute__((may_alias)) cache_word_t;

/* Drawn once per process. */
extern uint64_t ring3_cache_mark;

static inline bool cache_is_marked(const void *block)
{
    return ((const cache_word_t *)block)[1] == ring3_cache_mark;
}

static inline void cache_mark(void *block, uint64_t mark)
{
    ((cache_word_t *)block)[1] = mark;
}

/* From here to cache_leave nobody else touches the cache. */
static inline struct ring3_thread_cache *cache_enter(void)
{
    ring3_store(&ring3_thread.busy, 1, RING3_RELAXED);
    /* The light fence of the pair above; without membarrier nobody retires caches. */
    ring3_compiler_barrier();
    /* Acquire pairs with the release in cache.c's put: what was retired is a new cache. */
    return ring3_load(&ring3_thread.cache, RING3_ACQUIRE);
}

static inline void cache_leave(void)
{
    /* Pairs with the acquire in cache.c's retire. */
    ring3_store(&ring3_thread.busy, 0, RING3_RELEASE);
}

static inline void *cache_pop(struct magazine *magazine)
{
    void **const top = magazine->top;
    void *const block = *top;

    if (__builtin_expect(!block, 0)) {
        cache_leave();
        return NULL;
    }
    magazine->top = top - 1;
    cache_leave();
    cache_mark(block, 0);
    return block;
}

/* A cached block of at least `size` bytes, or NULL: none, or size is 0 or beyond CLASS_MAX. */
static inline void *ring3_cache_take(size_t size)
{
    if (__builtin_expect(size <= CLASS_LINEAR * CLASS_STEP, 1))
        return cache_pop(&cache_enter()->magazines[(size + CLASS_STEP - 1) / CLASS_STEP]);
    return size <= CLASS_MAX ? cache_pop(&cache_enter()->magazines[class_of(size)]) : NULL;
}

/* Keep the block for this thread. False if something needs a closer look: the block is none of the
 * first region's, or bears the mark, or the magazine is full. */
static inline bool ring3_cache_give(void *block)
{
    struct ring3_thread_cache *const cache = cache_enter();
    const uintptr_t chunk = ((uintptr_t)block >> RING3_CHUNK_SHIFT) - cache->first;
    const uint64_t mark = cache->mark;
    struct magazine *magazine;
    void **top;

    if (__builtin_expect(chunk >= cache->chunks, 0))
        goto closer;
    /* Relaxed: written before the block was handed out. Class 0 has an empty magazine that takes
     * nothing. */
    magazine = (struct magazine *)(void *)((char *)cache->magazines +
                                           ring3_load(&cache->places[chunk], RING3_RELAXED));
    top = magazine->top;
    if (__builtin_expect(top == magazine->limit, 0) ||
        __builtin_expect(
            !starts_at(magazine->reciprocal, (uint32_t)((uintptr_t)block % RING3_CHUNK)), 0) ||
        __builtin_expect(((const cache_word_t *)block)[1] == mark, 0))
        goto closer;
    cache_mark(block, mark);
    *++top = block;
    magazine->top = top;
    cache_leave();
    return true;
closer:
    cache_leave();
    return false;
}

/* --- The slow side, for the slab policy ------------------------------------------------------- */

/*
 * A block of the class, by way of this thread's magazine. NULL when there is no memory. `dirty`
 * gets the number of bytes at its start that may be other than zero.
 */
void *ring3_cache_refill(unsigned class, size_t *dirty);

/* True if the block is in the magazine of some thread. Takes a lock; for blocks that bear the mark. */
bool ring3_caches_hold(unsigned class, const void *block);

/* Give back a block of the class that the magazine had no room for. */
void ring3_cache_spill(unsigned class, void *block);

/*
 * Before the heap grows: give this thread's spans back if they are so many that it need not. True if
 * any went. `relieve` is for a thread that is inside of its cache, or has none.
 */
bool ring3_cache_relieve(void);
void ring3_cache_make_room(void);

/*
 * Take away the caches of all threads that are not using theirs at this moment (and, if `idle`, did
 * not come the slow way since the last call), and give their blocks back. Nothing if membarrier is
 * missing; this thread's own cache always, unless `idle`. Returns false if all threads' caches are
 * gone.
 */
bool ring3_caches_retire(bool idle);

/* Threads that got a cache, since the process began or was forked. */
unsigned ring3_caches_threads(void);

/* Adds what the magazines of all threads hold: a sum over moving figures. */
void ring3_caches_statistics(size_t *blocks, size_t *bytes);

/* True for an address among the slots of any magazine. */
bool ring3_caches_slot(const void *p);

int ring3_caches_start(void);
void ring3_caches_lock(void);
void ring3_caches_unlock(void);
void ring3_caches_after_fork(void);

#endif
