/* SPDX-License-Identifier: MIT */
/* Magazines: how they come to a thread, fill, spill and leave it. See cache.h. */
#include "cache.h"

#include "guard.h"
#include "misuse.h"
#include "reclaim.h"
#include "slab.h"

#include "ring3/mutex.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* Caches made at a time. Their pages are touched as the magazines in them are. */
#define CACHES_AT_ONCE 8

/* A magazine starts with room for this much, which is no block of the larger classes, and doubles
 * each time it runs over or dry. */
#define START_BYTES 1024

/*
 * How far a magazine grows in any case, and how far those of one thread do beyond that, all
 * together: this thread's part of a share of what the heap has in use, because what lies in
 * magazines is not there for other threads, and keeps slabs from other classes. One thread alone may
 * keep all the spans that it had in use at once: they go back before the heap grows.
 */
#define FREE_BYTES     ((size_t)8 << 10)
#define ROOM_LEAST     ((size_t)256 << 10)
#define ROOM_SHARE     8
#define SLAB_ROOM_MOST ((size_t)2 << 20)
#define SPAN_ROOM_MOST ((size_t)32 << 20)

/* Spans are given back before growth if they are at least this share of the heap. */
#define RELIEF_SHARE 16

/* What all threads share before they have their own: a NULL to take, and no room. */
static void *nothing;
static struct ring3_thread_cache no_cache = {
    .magazines = {[0 ... CLASSES - 1] = {&nothing, &nothing, 0}}};

__thread struct ring3_thread ring3_thread = {.cache = &no_cache, .own = &no_cache};
struct ring3_cache_options ring3_cache_options;
uint64_t ring3_cache_mark;

/* One set of caches per process. */
static struct {
    ring3_mutex_t retiring; /* one at a time; taken before the lock */
    ring3_mutex_t lock;
    struct ring3_thread_cache *used, *spare;
    char *fresh; /* where the next caches lie that nobody had yet */
    unsigned fresh_count;
    uint32_t threads; /* that got a cache so far */
    unsigned in_use;  /* caches in `used` */
    pthread_key_t end;
    uint16_t base[CLASSES]; /* each magazine's NULL among the slots; constant after the start */
    uint16_t slots;
} caches;

static void **base_of(struct ring3_thread_cache *cache, unsigned class)
{
    return &cache->slots[caches.base[class]];
}

/* --- Threads come and go ---------------------------------------------------------------- */

static size_t cache_bytes(void)
{
    return (sizeof(struct ring3_thread_cache) + caches.slots * sizeof(void *) + RING3_CACHE_LINE -
            1) &
           ~(size_t)(RING3_CACHE_LINE - 1);
}

/* A cache that no thread has, or NULL. Under the lock. */
static struct ring3_thread_cache *cache_find(void)
{
    struct ring3_thread_cache *cache = caches.spare;

    if (cache) {
        caches.spare = cache->next;
        return cache;
    }
    if (caches.fresh_count == 0) {
        char *const memory = mmap(NULL, cache_bytes() * CACHES_AT_ONCE, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (memory == MAP_FAILED)
            return NULL;
        caches.fresh = memory;
        caches.fresh_count = CACHES_AT_ONCE;
    }
    cache = (struct ring3_thread_cache *)(void *)caches.fresh;
    caches.fresh += cache_bytes();
    caches.fresh_count--;
    return cache;
}

static void cache_reset(struct ring3_thread_cache *cache)
{
    cache->slab_grown = cache->span_grown = 0;
    cache->magazines[0] = (struct magazine){&nothing, &nothing, 0};
    for (unsigned class = 1; class < CLASSES; class ++) {
        const struct class_info *const info = &ring3_classes[class];
        const size_t room = class > CLASS_SLABS ? 1 : START_BYTES / info->size;

        cache->magazines[class] = (struct magazine){
            base_of(cache, class), base_of(cache, class) + room, ring3_class_reciprocals[class]};
    }
}

static void link_used(struct ring3_thread_cache *cache)
{
    cache->next = caches.used;
    cache->previous = &caches.used;
    if (caches.used)
        caches.used->previous = &cache->next;
    caches.used = cache;
    ring3_store(&caches.in_use, caches.in_use + 1, RING3_RELAXED);
}

static void unlink_used(struct ring3_thread_cache *cache)
{
    *cache->previous = cache->next;
    if (cache->next)
        cache->next->previous = cache->previous;
    ring3_store(&caches.in_use, caches.in_use - 1, RING3_RELAXED);
}

/* Under the lock. Both pair with the acquires in cache_enter and enter_own. */
static void put(struct ring3_thread *thread, struct ring3_thread_cache *cache)
{
    ring3_store(&thread->own, cache, RING3_RELEASE);
    ring3_store(&thread->cache, ring3_cache_options.hidden ? &no_cache : cache, RING3_RELEASE);
}

static void spare(struct ring3_thread_cache *cache)
{
    cache->next = caches.spare;
    caches.spare = cache;
}

/* Give this thread a cache if it has none. */
static bool cache_provide(void)
{
    struct ring3_thread *const self = &ring3_thread;
    const bool guarded = guard_enter(&caches.lock);
    struct ring3_thread_cache *cache = self->own;

    if (cache == &no_cache) {
        cache = cache_find();
        if (cache) {
            cache_reset(cache);
            cache->thread = self->end_is_known ? self : NULL;
            link_used(cache);
            put(self, cache);
            ring3_store(&caches.threads, caches.threads + !self->counted, RING3_RELAXED);
        }
    }
    guard_leave(&caches.lock, guarded);
    if (cache && !self->counted) {
        self->counted = true;
        /* May allocate, and finds the cache then. Whoever sees the thread in its cache finds it
         * alive, until thread_end. */
        self->end_is_known = pthread_setspecific(caches.end, self) == 0;
        if (self->end_is_known)
            ring3_store(&cache->thread, self, RING3_RELAXED);
    }
    return cache != NULL;
}

/* As cache_enter, for the slow paths: gives the thread a cache if it has none. NULL, and the thread
 * has not entered, if it cannot have one. */
static struct ring3_thread_cache *enter_own(void)
{
    struct ring3_thread_cache *cache;

    for (;;) {
        (void)cache_enter();
        cache = ring3_load(&ring3_thread.own, RING3_ACQUIRE);
        if (cache != &no_cache)
            break;
        cache_leave();
        if (ring3_thread.ended || !cache_provide())
            return NULL;
    }
    ring3_store(&cache->visits, cache->visits + 1, RING3_RELAXED);
    return cache;
}

static void give(unsigned class, void *const *blocks, unsigned count)
{
    void *bad = NULL;

    if (class <= CLASS_SLABS)
        bad = ring3_slab_give(class, blocks, count);
    else
        for (unsigned i = 0; i < count; i++)
            ring3_span_give(blocks[i]);
    if (bad)
        ring3_misuse("free", bad, &ring3_policy_slab, ring3_pages_owner(&ring3_heap_pages, bad),
                     -EINVAL);
}

static unsigned take(unsigned class, void **blocks, unsigned count, size_t *dirty)
{
    *dirty = ring3_classes[class].size;
    if (class <= CLASS_SLABS)
        return ring3_slab_take(class, blocks, count);
    *blocks = ring3_span_take(ring3_classes[class].size, class, dirty);
    return *blocks ? 1 : 0;
}

static void flush(struct ring3_thread_cache *cache, unsigned from_class)
{
    for (unsigned class = from_class; class < CLASSES; class ++) {
        struct magazine *const magazine = &cache->magazines[class];
        void **const base = base_of(cache, class);
        const unsigned count = (unsigned)(magazine->top - base);

        magazine->top = base;
        if (count)
            give(class, base + 1, count);
    }
}

bool ring3_cache_relieve(void)
{
    /* As in enter_own. While another thread tries to retire the cache it looks like none. */
    struct ring3_thread_cache *const cache = ring3_load(&ring3_thread.own, RING3_ACQUIRE);
    size_t bytes = 0;

    for (unsigned class = CLASS_SLABS + 1; class < CLASSES && cache != &no_cache; class ++)
        bytes += (size_t)(cache->magazines[class].top - base_of(cache, class)) *
                 ring3_classes[class].size;
    if (bytes == 0 || bytes < ring3_arenas_ready(&ring3_spans) / RELIEF_SHARE)
        return false;
    flush(cache, CLASS_SLABS + 1);
    return true;
}

void ring3_cache_make_room(void)
{
    if (enter_own()) {
        (void)ring3_cache_relieve();
        cache_leave();
    }
}

/* Destructors of other keys may still allocate: those that run later find the thread ended. */
static void thread_end(void *thread)
{
    struct ring3_thread *const self = thread;
    struct ring3_thread_cache *cache;

    ring3_mutex_lock(&caches.lock);
    cache = self->own;
    put(self, &no_cache);
    self->ended = true;
    if (cache != &no_cache)
        ring3_store(&cache->thread, NULL, RING3_RELAXED);
    ring3_mutex_unlock(&caches.lock);
    if (cache == &no_cache)
        return;
    flush(cache, 1);
    ring3_mutex_lock(&caches.lock);
    unlink_used(cache);
    spare(cache);
    ring3_mutex_unlock(&caches.lock);
}

/* --- Retirement ------------------------------------------------------------------------- */

static struct ring3_thread *thread_of(const struct ring3_thread_cache *cache)
{
    return ring3_load(&cache->thread, RING3_RELAXED);
}

/* True if the thread did not come the slow way since the last look. */
static bool stayed_away(struct ring3_thread_cache *cache)
{
    const uint32_t visits = ring3_load(&cache->visits, RING3_RELAXED);
    const bool away = visits == cache->visits_seen;

    cache->visits_seen = visits;
    return away;
}

/* Part threads from their caches. The caches stay in the list of those in use, but have no thread
 * any more. Returns them, chained. */
static struct ring3_thread_cache *part(bool idle, bool *some_stay)
{
    struct ring3_thread_cache *candidates = NULL, *parted = NULL;
    bool others = false, fenced;

    for (struct ring3_thread_cache *cache = caches.used; cache; cache = cache->next) {
        struct ring3_thread *const thread = thread_of(cache);

        if (!thread)
            continue;
        if (!stayed_away(cache) && idle) {
            *some_stay = true;
            continue;
        }
        others |= thread != &ring3_thread;
        put(thread, &no_cache);
        cache->chained = candidates;
        candidates = cache;
    }
    /* Without others there is nobody to order against. */
    fenced = !others || (ring3_fence_is_asymmetric() && ring3_fence_heavy());
    while (candidates) {
        struct ring3_thread_cache *const cache = candidates;
        struct ring3_thread *const thread = thread_of(cache);

        candidates = cache->chained;
        /* Acquire pairs with the release in cache_leave: we see what the thread did. */
        if ((fenced || thread == &ring3_thread) && ring3_load(&thread->busy, RING3_ACQUIRE) == 0) {
            ring3_store(&cache->thread, NULL, RING3_RELAXED);
            cache->chained = parted;
            parted = cache;
        } else {
            put(thread, cache);
            *some_stay = true;
        }
    }
    return parted;
}

bool ring3_caches_retire(bool idle)
{
    struct ring3_thread_cache *parted;
    bool some_stay = false;

    const bool alone = guard_enter(&caches.retiring);
    bool guarded = guard_enter(&caches.lock);
    parted = part(idle, &some_stay);
    guard_leave(&caches.lock, guarded);
    for (struct ring3_thread_cache *cache = parted; cache; cache = cache->chained)
        flush(cache, 1);
    guarded = guard_enter(&caches.lock);
    for (; parted; parted = parted->chained) {
        unlink_used(parted);
        spare(parted);
    }
    guard_leave(&caches.lock, guarded);
    guard_leave(&caches.retiring, alone);
    return some_stay;
}

unsigned ring3_caches_threads(void)
{
    return ring3_load(&caches.threads, RING3_RELAXED);
}

/* --- Running dry, running over ---------------------------------------------------------- */

/* Nobody shall guess which block comes next. Source: Fisher and Yates. */
static void shuffle(void **blocks, unsigned count)
{
    static __thread uint64_t state;

    if (!state)
        state = ring3_cache_mark ^ (uintptr_t)&state;
    for (; count > 1; count--) {
        void *const last = blocks[count - 1];
        unsigned other;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        other = (unsigned)((state >> 32) * count >> 32);
        blocks[count - 1] = blocks[other];
        blocks[other] = last;
    }
}

/* Figures that steer. A thread that grows has a cache, so there is at least one. */
static size_t room_for(unsigned class)
{
    const unsigned threads = ring3_load(&caches.in_use, RING3_RELAXED);
    const size_t share = ring3_arenas_in_use(&ring3_spans) / ROOM_SHARE;
    const size_t most = class <= CLASS_SLABS ? SLAB_ROOM_MOST : SPAN_ROOM_MOST;
    const size_t room = (share > ROOM_LEAST ? share : ROOM_LEAST) / threads;

    return room > most || (class > CLASS_SLABS && threads == 1) ? most : room;
}

static void grow(struct ring3_thread_cache *cache, unsigned class)
{
    void **const base = base_of(cache, class), **const end = base + ring3_classes[class].slots;
    struct magazine *const magazine = &cache->magazines[class];
    void **const doubled = magazine->limit + (magazine->limit > base ? magazine->limit - base : 1);
    void **const limit = doubled < end ? doubled : end;
    size_t *const grown = class <= CLASS_SLABS ? &cache->slab_grown : &cache->span_grown;
    const size_t size = ring3_classes[class].size;
    const size_t wanted = *grown + (size_t)(limit - magazine->limit) * size;

    if (class > CLASS_LINEAR || (size_t)(limit - base) * size > FREE_BYTES) {
        if (wanted > room_for(class))
            return;
        *grown = wanted;
    }
    magazine->limit = limit;
}

/* What every free must know. The first region comes with the first block. */
static void learn_region(struct ring3_thread_cache *cache)
{
    const struct span_region *const region = &ring3_span_regions[0];

    cache->places = region->places;
    cache->first = ring3_load(&region->base, RING3_RELAXED) >> RING3_CHUNK_SHIFT;
    cache->mark = ring3_cache_mark;
    cache->chunks = span_region_size(region) >> RING3_CHUNK_SHIFT;
}

/* One block straight from the slabs, for a thread that has no cache. */
static void *take_one(unsigned class, size_t *dirty)
{
    void *block;

    if (!take(class, &block, 1, dirty))
        return NULL;
    cache_mark(block, 0);
    return block;
}

/* Refill an empty magazine. */
static bool refill(struct ring3_thread_cache *cache, unsigned class, size_t *dirty)
{
    struct magazine *const magazine = &cache->magazines[class];
    void **const base = base_of(cache, class);
    const unsigned room = (unsigned)(magazine->limit - base);
    const unsigned got = take(class, base + 1, room ? (room + 1) / 2 : 1, dirty);

    if (!got)
        return false;
    if (ring3_cache_options.shuffled)
        shuffle(base + 1, got);
    magazine->top = base + got;
    grow(cache, class);
    if (!cache->chunks)
        learn_region(cache);
    return true;
}

void *ring3_cache_refill(unsigned class, size_t *dirty)
{
    struct ring3_thread_cache *const cache = enter_own();
    struct magazine *magazine;
    void *block = NULL;

    if (!cache)
        return take_one(class, dirty);
    *dirty = ring3_classes[class].size;
    magazine = &cache->magazines[class];
    if (magazine->top != base_of(cache, class) || refill(cache, class, dirty)) {
        block = *magazine->top--;
        cache_mark(block, 0);
    }
    cache_leave();
    ring3_reclaim_consider();
    return block;
}

void ring3_cache_spill(unsigned class, void *block)
{
    struct ring3_thread_cache *const cache = enter_own();
    struct magazine *magazine;
    void **base;

    if (!cache) {
        give(class, &block, 1);
        return;
    }
    magazine = &cache->magazines[class];
    base = base_of(cache, class);
    if (!cache->chunks)
        learn_region(cache);
    if (magazine->top == magazine->limit && magazine->limit < base + ring3_classes[class].slots)
        grow(cache, class);
    if (magazine->top == magazine->limit) {
        /* The older half goes; what was freed last is warm. */
        const unsigned half = (unsigned)(magazine->limit - base + 1) / 2;
        const unsigned rest = (unsigned)(magazine->top - base) - half;

        give(class, base + 1, half);
        memmove(base + 1, base + 1 + half, rest * sizeof *base);
        magazine->top = base + rest;
    }
    if (magazine->limit == base) {
        give(class, &block, 1);
    } else {
        cache_mark(block, ring3_cache_mark);
        *++magazine->top = block;
    }
    cache_leave();
    ring3_reclaim_notice();
}

/* --- All of them ------------------------------------------------------------------------ */

/* Other threads' magazines move while we look: relaxed, and right to a few blocks. */
static void **top_of(struct ring3_thread_cache *cache, unsigned class)
{
    return ring3_load(&cache->magazines[class].top, RING3_RELAXED);
}

void ring3_caches_statistics(size_t *blocks, size_t *bytes)
{
    const bool guarded = guard_enter(&caches.lock);

    for (struct ring3_thread_cache *cache = caches.used; cache; cache = cache->next)
        for (unsigned class = 1; class < CLASSES; class ++) {
            const size_t count = (size_t)(top_of(cache, class) - base_of(cache, class));

            *blocks += count;
            *bytes += count * ring3_classes[class].size;
        }
    guard_leave(&caches.lock, guarded);
}

static bool slot_of(const struct ring3_thread_cache *cache, const void *p)
{
    for (; cache; cache = cache->next)
        if ((uintptr_t)p - (uintptr_t)cache->slots < caches.slots * sizeof(void *))
            return true;
    return false;
}

bool ring3_caches_slot(const void *p)
{
    const bool guarded = guard_enter(&caches.lock);
    const bool found = slot_of(caches.used, p) || slot_of(caches.spare, p);

    guard_leave(&caches.lock, guarded);
    return found;
}

bool ring3_caches_hold(unsigned class, const void *block)
{
    const bool guarded = guard_enter(&caches.lock);
    bool found = false;

    for (struct ring3_thread_cache *cache = caches.used; cache && !found; cache = cache->next)
        for (void **slot = top_of(cache, class); slot > base_of(cache, class) && !found; slot--)
            found = ring3_load(slot, RING3_RELAXED) == block;
    guard_leave(&caches.lock, guarded);
    return found;
}

/* The kernel gives every process 16 random bytes. Never 0, which fresh memory holds. */
static uint64_t draw_mark(void)
{
    const void *const random = (const void *)getauxval(AT_RANDOM);
    uint64_t mark = 0;

    if (random)
        memcpy(&mark, (const char *)random + 8, sizeof mark);
    return mark | 1;
}

int ring3_caches_start(void)
{
    unsigned slots = 0;

    for (unsigned class = 1; class < CLASSES; class ++) {
        caches.base[class] = (uint16_t)slots;
        slots += 1u + ring3_classes[class].slots;
    }
    caches.slots = (uint16_t)slots;
    ring3_cache_mark = draw_mark();
    return -pthread_key_create(&caches.end, thread_end);
}

void ring3_caches_lock(void)
{
    ring3_mutex_lock(&caches.retiring);
    ring3_mutex_lock(&caches.lock);
}

void ring3_caches_unlock(void)
{
    ring3_mutex_unlock(&caches.lock);
    ring3_mutex_unlock(&caches.retiring);
}

/* The caches of threads that exist only in the parent keep their blocks: their owners may have been
 * in the middle of a change. They are few and small, and have no thread any more. */
void ring3_caches_after_fork(void)
{
    ring3_mutex_init(&caches.lock);
    ring3_mutex_init(&caches.retiring);
    for (struct ring3_thread_cache *cache = caches.used; cache; cache = cache->next)
        if (cache != ring3_thread.own)
            ring3_store(&cache->thread, NULL, RING3_RELAXED);
    caches.in_use = ring3_thread.own != &no_cache;
    ring3_store(&caches.threads, caches.in_use, RING3_RELAXED);
}
