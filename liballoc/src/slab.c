/* SPDX-License-Identifier: MIT */
/*
 * Slabs and depots: see slab.h. One lock per class guards its slabs' descriptors, its list and its
 * depot.
 *
 * A depot is a stack of free blocks that pass from thread to thread without a visit to their slabs:
 * what one thread frees, another allocates, in copies of half a magazine.
 */
#include "slab.h"

#include "figures.h"
#include "guard.h"
#include "spans.h"

#include "ring3/bitmap.h"
#include "ring3/counters.h"
#include "ring3/mutex.h"

#include <limits.h>
#include <string.h>
#include <sys/single_threaded.h>

/* A depot holds twice what one thread brings at a time, so that giver and taker rarely find it full
 * or empty; of larger blocks, which pin slabs, so many bytes. */
#define DEPOT_BLOCKS 128
#define DEPOT_BYTES  ((size_t)16 << 10)
/* The places of all depots: enough, by DEPOT_BYTES and the sizes of the classes. */
#define DEPOT_PLACES 4096

/* Slabs that the reclaimer purges while it holds the lock of a class: some tenths of a millisecond.
 */
#define PURGE_AT_ONCE 32

struct depot {
    ring3_mutex_t lock;
    ring3_list_t partial; /* slabs with free blocks */
    size_t slabs, made;   /* of this class: now, and ever */
    size_t taken, given;  /* blocks that ever left the slabs, and came back */
    size_t taken_seen;    /* `taken` when the reclaimer last looked */
    unsigned dirty;       /* slabs that are */
    unsigned visits;      /* to the store, since the reclaimer last looked */
    unsigned stored;
    uint16_t room; /* for so many; constant after the start, as is the next */
    void **store;
} RING3_CACHE_ALIGNED;

/* One depot per class and process. The stores lie apart, so that a small program touches few pages
 * here. */
static struct depot depots[CLASS_SLABS + 1];
static void *stores[DEPOT_PLACES];

void ring3_slabs_start(void)
{
    void **store = stores;

    for (unsigned class = 1; class <= CLASS_SLABS; class ++) {
        struct depot *const depot = &depots[class];
        const size_t left = (size_t)(stores + DEPOT_PLACES - store);
        size_t room = DEPOT_BYTES / ring3_classes[class].size;

        room = room < DEPOT_BLOCKS ? room : DEPOT_BLOCKS;
        depot->room = (uint16_t)(room < left ? room : left);
        depot->store = store;
        store += depot->room;
        ring3_list_init(&depot->partial);
    }
}

_Static_assert(offsetof(struct depot, given) - offsetof(struct depot, slabs) ==
                   offsetof(struct figures_slabs, given),
               "tools find the figures");

bool ring3_slabs_store(const void *p)
{
    return (uintptr_t)p - (uintptr_t)stores < sizeof stores;
}

void ring3_slabs_publish(const char *name)
{
    ring3_counter_table(name, &depots[1].slabs, CLASS_SLABS, sizeof depots[0]);
}

/* --- Slabs
 * ----------------------------------------------------------------------------------------------------------------
 */

static inline struct slab *slab_of(const void *block)
{
    /* Nearly all are in the first region. */
    const struct span_region *region = &ring3_span_regions[0];

    if (ring3_unlikely((uintptr_t)block - region->base >= span_region_size(region)))
        region = ring3_span_region(block);
    return &region->slabs[((uintptr_t)block - region->base) >> RING3_CHUNK_SHIFT];
}

static struct slab *slab_new(struct depot *depot, unsigned class)
{
    const unsigned blocks = ring3_classes[class].blocks;
    struct slab *slab;
    size_t dirty;
    char *const memory = ring3_span_take(RING3_CHUNK, class, &dirty);

    if (!memory)
        return NULL;
    slab = slab_of(memory);
    slab->memory = memory;
    slab->used = 0;
    slab->dirty = dirty > 0;
    depot->dirty += slab->dirty;
    slab->class = (uint8_t) class;
    slab->words = blocks / 64 >= 64 ? UINT64_MAX : (UINT64_C(1) << ((blocks + 63) / 64)) - 1;
    for (unsigned word = 0; word < (blocks + 63) / 64; word++)
        slab->free[word] = UINT64_MAX;
    if (blocks % 64)
        slab->free[blocks / 64] = (UINT64_C(1) << blocks % 64) - 1;
    ring3_list_add(&depot->partial, &slab->link);
    depot->slabs++;
    depot->made++;
    return slab;
}

static unsigned slab_take(struct slab *slab, void **blocks, unsigned count)
{
    const size_t size = ring3_classes[slab->class].size;
    unsigned taken = 0;

    while (taken < count && slab->words) {
        const unsigned word = (unsigned)__builtin_ctzll(slab->words);
        uint64_t free = slab->free[word];

        for (; free && taken < count; free &= free - 1)
            blocks[taken++] = slab->memory + (word * 64 + (unsigned)__builtin_ctzll(free)) * size;
        slab->free[word] = free;
        if (!free)
            slab->words &= ~(UINT64_C(1) << word);
    }
    slab->used = (uint16_t)(slab->used + taken);
    return taken;
}

/* The number of the block, or -1 if none that is in use starts there. */
static inline int32_t index_in_use(const struct slab *slab, const void *block)
{
    const struct class_info *const info = &ring3_classes[slab->class];
    const uint32_t offset = (uint32_t)((const char *)block - slab->memory);
    const uint32_t index = class_block_at(slab->class, offset);

    if (!class_starts_at(slab->class, offset) || index >= info->blocks ||
        slab->free[index / 64] >> (index % 64) & 1)
        return -1;
    return (int32_t)index;
}

/* The last slab of a class stays, or a program that swings around its edge would pay for it each time; of
 * the larger classes it goes, because there it is the rule that a slab is empty, and for many classes
 * together that adds up. */
static void give_up_empty(struct depot *depot, unsigned class, struct slab *slab)
{
    if (class <= CLASS_LINEAR && depot->partial.next == depot->partial.prev)
        return;
    ring3_list_remove(&slab->link);
    slab->class = 0;
    depot->slabs--;
    depot->dirty--;
    ring3_span_give(slab->memory);
}

/* The block is that one of the slab. False if it is not in use. */
static inline bool slab_give(struct depot *depot, unsigned class, struct slab *slab, uint32_t index)
{
    const uint64_t bit = UINT64_C(1) << (index % 64), free = slab->free[index / 64];

    if (ring3_unlikely(free & bit))
        return false;
    slab->free[index / 64] = free | bit;
    if (free == 0) {
        if (!slab->words)
            ring3_list_add(&depot->partial, &slab->link);
        slab->words |= UINT64_C(1) << (index / 64);
    }
    if (!slab->dirty) {
        slab->dirty = true;
        depot->dirty++;
    }
    if (ring3_unlikely(--slab->used == 0))
        give_up_empty(depot, class, slab);
    return true;
}

/* --- Depots
 * ---------------------------------------------------------------------------------------------------------------
 */

unsigned ring3_slab_take(unsigned class, void **blocks, unsigned count)
{
    struct depot *const depot = &depots[class];
    unsigned taken = 0;

    const bool guarded = guard_enter(&depot->lock);
    if (depot->stored) {
        taken = depot->stored < count ? depot->stored : count;
        depot->visits++;
        depot->stored -= taken;
        memcpy(blocks, depot->store + depot->stored, taken * sizeof *blocks);
    } else {
        while (taken < count) {
            struct slab *slab = ring3_list_first_entry(&depot->partial, struct slab, link);

            if (ring3_list_empty(&depot->partial)) {
                /* A new slab only for the first block: what was found is enough to go on with. */
                slab = taken ? NULL : slab_new(depot, class);
                if (!slab)
                    break;
            }
            taken += slab_take(slab, blocks + taken, count - taken);
            if (!slab->words)
                ring3_list_remove(&slab->link);
        }
        depot->taken += taken;
    }
    guard_leave(&depot->lock, guarded);
    return taken;
}

/* The first of the blocks that is none in use, or NULL. Many go through here: what they have in common is
 * looked up once. */
static void *give(struct depot *depot, unsigned class, void *const *blocks, unsigned count)
{
    const uint32_t reciprocal = ring3_class_reciprocals[class];
    const uint32_t in_slab = ring3_classes[class].blocks;

    for (unsigned i = 0; i < count; i++) {
        const uint32_t offset = (uint32_t)((uintptr_t)blocks[i] % RING3_CHUNK);
        const uint32_t index = (uint32_t)((uint64_t)offset * reciprocal >> 32);
        struct slab *const slab = slab_of(blocks[i]);

        if (slab->class != class || !starts_at(reciprocal, offset) || index >= in_slab ||
            !slab_give(depot, class, slab, index))
            return blocks[i];
    }
    depot->given += count;
    return NULL;
}

void *ring3_slab_give(unsigned class, void *const *blocks, unsigned count)
{
    struct depot *const depot = &depots[class];
    void *bad = NULL;

    const bool guarded = guard_enter(&depot->lock);
    if (!__libc_single_threaded && depot->stored + count <= depot->room) {
        memcpy(depot->store + depot->stored, blocks, count * sizeof *blocks);
        depot->stored += count;
        depot->visits++;
    } else {
        bad = give(depot, class, blocks, count);
    }
    guard_leave(&depot->lock, guarded);
    return bad;
}

bool ring3_slab_in_use(const void *block)
{
    const struct slab *const slab = slab_of(block);
    struct depot *const depot = &depots[slab->class];
    bool in_use;

    const bool guarded = guard_enter(&depot->lock);
    in_use = slab->class && index_in_use(slab, block) >= 0;
    guard_leave(&depot->lock, guarded);
    return in_use;
}

/* --- All classes
 * ----------------------------------------------------------------------------------------------------------
 */

/* Free blocks hold nothing that is needed, so every page that only they cover can go. */
static size_t purge_slab(struct depot *depot, struct slab *slab)
{
    const size_t page = ring3_pages_size(), size = ring3_classes[slab->class].size;
    const size_t blocks = ring3_classes[slab->class].blocks;
    size_t given = 0, block = 0;

    while ((block = ring3_bitmap_find_set(slab->free, blocks, block)) < blocks) {
        const size_t end = ring3_bitmap_find_clear(slab->free, blocks, block);

        if ((end - block) * size >= page)
            given += ring3_pages_purge(slab->memory + block * size, (end - block) * size);
        block = end;
    }
    depot->dirty -= slab->dirty;
    slab->dirty = false;
    return given;
}

/* Purge up to `most` dirty slabs. */
static size_t purge_some(struct depot *depot, unsigned most)
{
    ring3_list_t *link;
    size_t given = 0;

    if (depot->slabs && depot->dirty)
        ring3_list_for_each (link, &depot->partial) {
            struct slab *const slab = ring3_container_of(link, struct slab, link);

            if (!slab->dirty)
                continue;
            given += purge_slab(depot, slab);
            if (--most == 0)
                break;
        }
    return given;
}

void *ring3_slabs_trim(size_t *given)
{
    void *bad = NULL;

    for (unsigned class = 1; class <= CLASS_SLABS && !bad; class ++) {
        struct depot *const depot = &depots[class];
        const bool guarded = guard_enter(&depot->lock);

        bad = give(depot, class, depot->store, depot->stored);
        depot->stored = 0;
        if (given)
            *given += purge_some(depot, UINT_MAX);
        guard_leave(&depot->lock, guarded);
    }
    return bad;
}

/* Blocks that are taken again soon are worth their pages. Compared with the free ones of the class,
 * few were taken since the last look: an eighth of the class would have to be faulted in again. */
static bool in_demand(const struct depot *depot, unsigned class)
{
    const size_t size = ring3_classes[class].size;
    const size_t recent = (depot->taken - depot->taken_seen) * size;
    const size_t used = (depot->taken - depot->given) * size;

    return recent > (depot->slabs * RING3_CHUNK - used) / 8;
}

/* Returns as ring3_slabs_reclaim does. */
static void *reclaim_class(struct depot *depot, unsigned class, bool *left)
{
    const bool quiet = depot->visits == 0;
    void *bad = NULL;

    if (quiet && depot->stored) {
        bad = give(depot, class, depot->store, depot->stored);
        depot->stored = 0;
    }
    if (!in_demand(depot, class))
        (void)purge_some(depot, PURGE_AT_ONCE);
    *left |= !quiet || depot->dirty;
    return bad;
}

void *ring3_slabs_reclaim(bool *left)
{
    void *bad = NULL;

    for (unsigned class = 1; class <= CLASS_SLABS && !bad; class ++) {
        struct depot *const depot = &depots[class];
        bool more;

        /* The lock is let go now and then, for those who are in a hurry. */
        do {
            const bool guarded = guard_enter(&depot->lock);
            const unsigned before = depot->dirty;

            bad = reclaim_class(depot, class, left);
            more = depot->dirty && depot->dirty < before;
            if (!more) {
                depot->visits = 0;
                depot->taken_seen = depot->taken;
            }
            guard_leave(&depot->lock, guarded);
        } while (more && !bad);
    }
    return bad;
}

void ring3_slabs_statistics(ring3_malloc_statistics_t *statistics)
{
    for (unsigned class = 1; class <= CLASS_SLABS; class ++) {
        struct depot *const depot = &depots[class];

        const bool guarded = guard_enter(&depot->lock);
        const size_t used = depot->taken - depot->given - depot->stored;
        const size_t unused = depot->slabs * RING3_CHUNK - used * ring3_classes[class].size;

        statistics->allocations += depot->taken - depot->made;
        statistics->blocks += used - depot->slabs;
        statistics->used -= unused;
        statistics->free += unused;
        guard_leave(&depot->lock, guarded);
    }
}

void ring3_slab_walk(void *memory, ring3_malloc_visit_t *visit, void *context)
{
    const struct slab *const slab = slab_of(memory);
    const size_t size = ring3_classes[slab->class].size, blocks = ring3_classes[slab->class].blocks;

    for (size_t block = 0, end; block < blocks; block = end) {
        const bool in_use = !(slab->free[block / 64] >> (block % 64) & 1);

        end = in_use ? block + 1 : ring3_bitmap_find_clear(slab->free, blocks, block);
        visit(slab->memory + block * size, (end - block) * size, in_use, context);
    }
}

void ring3_slabs_lock(void)
{
    for (unsigned class = 1; class <= CLASS_SLABS; class ++)
        ring3_mutex_lock(&depots[class].lock);
}

void ring3_slabs_unlock(void)
{
    for (unsigned class = 1; class <= CLASS_SLABS; class ++)
        ring3_mutex_unlock(&depots[class].lock);
}

void ring3_slabs_after_fork(void)
{
    for (unsigned class = 1; class <= CLASS_SLABS; class ++)
        ring3_mutex_init(&depots[class].lock);
}
