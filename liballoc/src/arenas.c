/* SPDX-License-Identifier: MIT */
/*
 * One lock, several arenas.
 *
 * Usually there is one arena of 16 GiB of address space, of which `ready` bytes are committed.
 * Where reservations fail there are more and smaller ones, tried in the order they were made.
 *
 * Return of memory: `clean` counts the free bytes of an arena that are not resident anyway (never
 * used, or purged) or too scattered to purge. When the free bytes exceed it by more than `retain`,
 * every hole of PURGE_LEAST and more gives its pages back, and what is free then counts as clean.
 * So a purge pays for itself with at least `retain` bytes freed since the last one.
 *
 * Orders: everything is under `lock`.
 */
#include "arenas.h"

#include "guard.h"

#include <errno.h>
#include <sys/single_threaded.h>

/* Growth: an eighth of what there is, so that the number of system calls is logarithmic, within
 * bounds that keep small programs small and large ones from committing what they may never use. */
#define STEP_MIN ((size_t)1 << 20)
#define STEP_MAX ((size_t)64 << 20)

/* Free memory kept resident for reuse: this or a quarter of what is in use. Below it, programs that
 * allocate and free the same few megabytes again and again would pay a page fault for each page
 * each time. */
#define RETAIN_MIN   ((size_t)32 << 20)
#define RETAIN_SHARE 4

/* Smaller holes are not worth a system call each, except for malloc_trim. */
#define PURGE_LEAST ((size_t)64 << 10)

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* --- The lock -------------------------------------------------------------------------------- */

/* Returns whether enter locked. A process with one thread has nobody to lock out, and cannot get a
 * second one while it is in here; libc knows (as its own malloc does). */
static bool enter(struct ring3_arenas *heap)
{
    return !__libc_single_threaded && guard_enter(&heap->lock);
}

static void leave(struct ring3_arenas *heap, bool locked)
{
    guard_leave(&heap->lock, locked);
}

void ring3_arenas_lock(void *heap)
{
    ring3_mutex_lock(&((struct ring3_arenas *)heap)->lock);
}

void ring3_arenas_unlock(void *heap)
{
    ring3_mutex_unlock(&((struct ring3_arenas *)heap)->lock);
}

void ring3_arenas_after_fork(void *heap)
{
    ring3_mutex_init(&((struct ring3_arenas *)heap)->lock);
}

/* --- Growth ---------------------------------------------------------------------------------- */

static size_t step_of(const struct ring3_arenas *heap, size_t ready)
{
    const size_t least = heap->step ? heap->step : STEP_MIN;
    const size_t step = ready / 8;

    if (step < least)
        return least;
    return step > STEP_MAX ? STEP_MAX : round_up(step, RING3_CHUNK);
}

/* Commit and manage `ready` bytes of the arena, or a step more if that is to be had too. */
static int extend(struct arena *arena, size_t ready)
{
    const struct ring3_placement *const placement = arena->heap->placement;
    size_t generous = arena->ready + step_of(arena->heap, arena->ready);
    char *const from = arena->region->base + arena->ready;
    int err;

    ready = round_up(ready, RING3_CHUNK);
    if (ready > arena->capacity)
        return -ENOMEM;
    /* Ends at a round number, so that a buddy goes on upwards instead of filling up a remainder
     * first: what it has not come to yet is known to be zero. */
    generous = round_up(generous < ready ? ready : generous, STEP_MIN);
    generous = generous > arena->capacity ? arena->capacity : generous;
    err = ring3_pages_commit(arena->region, from, generous - arena->ready, arena);
    if (err && generous > ready) {
        generous = ready;
        err = ring3_pages_commit(arena->region, from, generous - arena->ready, arena);
    }
    if (err)
        return err;
    err = placement->extend(arena->floor, generous);
    if (err)
        return err;
    arena->clean += generous - arena->ready;
    ring3_store(&arena->ready, generous, RING3_RELAXED);
    return 0;
}

static int commit_control(struct arena *arena)
{
    return ring3_pages_commit(arena->region, arena->region->base + arena->capacity,
                              arena->heap->placement->control_size(arena->capacity), NULL);
}

/* Several heaps share the table of regions. Under their locks, so fork finds nobody in here. */
static int reserve(size_t wish, size_t least, ring3_region_t **region)
{
    static ring3_mutex_t reserving;
    int err;

    ring3_mutex_lock(&reserving);
    err = ring3_pages_reserve(&ring3_heap_pages, wish, least, region);
    ring3_mutex_unlock(&reserving);
    return err;
}

/* Reserve an arena that has room for a block of `size`. */
static struct arena *add_arena(struct ring3_arenas *heap, size_t size, size_t alignment)
{
    const struct ring3_placement *const placement = heap->placement;
    struct arena *const arena = &heap->arenas[heap->count];
    const size_t page = ring3_pages_size();
    size_t need;

    if (heap->count == RING3_PAGES_REGIONS)
        return NULL;
    /* An empty floor tells how much a block needs: what would be wanted with nothing ready. */
    need = placement->wanted(NULL, 0, size, alignment) + RING3_CHUNK;
    need += round_up(placement->control_size(need), page) * 2;
    if (reserve(placement->region, need, &arena->region) != 0)
        return NULL;
    arena->heap = heap;
    arena->ready = RING3_CHUNK;
    arena->capacity =
        (arena->region->size - round_up(placement->control_size(arena->region->size), page)) &
        ~(RING3_CHUNK - 1);
    /* The control block of a large arena may be more than strict overcommit grants. */
    while (commit_control(arena) != 0) {
        arena->capacity = arena->capacity / 2 & ~(RING3_CHUNK - 1);
        if (arena->capacity < need)
            return NULL;
    }
    if (ring3_pages_commit(arena->region, arena->region->base, arena->ready, arena) != 0 ||
        placement->start(&arena->floor, arena->region->base + arena->capacity, arena->region->base,
                         arena->capacity, arena->ready) != 0)
        return NULL;
    arena->clean = arena->ready;
    heap->count++;
    return arena;
}

/* Growing by what is wanted may, in a buddy, complete a block that does not end at the end of the
 * memory; the second round then gets it. */
static void *allocate_growing(struct arena *arena, size_t size, size_t alignment, size_t *dirty)
{
    const struct ring3_placement *const placement = arena->heap->placement;
    void *block = placement->allocate(arena->floor, size, alignment, dirty);

    while (!block &&
           extend(arena, placement->wanted(arena->floor, arena->ready, size, alignment)) == 0)
        block = placement->allocate(arena->floor, size, alignment, dirty);
    return block;
}

static void *allocate_slowly(struct ring3_arenas *heap, size_t size, size_t alignment,
                             size_t *dirty)
{
    struct arena *arena;
    void *block = NULL;

    for (uint32_t i = 0; i < heap->count && !block; i++)
        block = allocate_growing(&heap->arenas[i], size, alignment, dirty);
    if (!block && (arena = add_arena(heap, size, alignment)))
        block = allocate_growing(arena, size, alignment, dirty);
    return block;
}

/* --- Return of pages ------------------------------------------------------------------------- */

static void purge_idle(void *start, size_t length, void *given)
{
    *(size_t *)given += ring3_pages_purge(start, length);
}

static size_t purge(struct arena *arena, size_t least)
{
    const struct ring3_placement *const placement = arena->heap->placement;
    size_t given = 0;

    placement->for_each_idle(arena->floor, least, purge_idle, &given);
    arena->clean = placement->free_bytes(arena->floor);
    return given;
}

static void purge_if_much_is_free(struct arena *arena)
{
    const size_t free_bytes = arena->heap->placement->free_bytes(arena->floor);
    const size_t idle = free_bytes - arena->clean;
    size_t retain = arena->heap->retain;

    if (!retain) {
        const size_t share = (arena->ready - free_bytes) / RETAIN_SHARE;

        retain = share > RETAIN_MIN ? share : RETAIN_MIN;
    }
    if (idle > retain)
        purge(arena, PURGE_LEAST);
}

/* For who looks without the lock: tools, and ring3_spans_collapse. Relaxed: a figure. */
static void note_free(struct arena *arena)
{
    ring3_store(&arena->free, arena->heap->placement->free_bytes(arena->floor), RING3_RELAXED);
}

/* --- What a policy's table points to --------------------------------------------------------- */

static void *allocate(struct ring3_arenas *heap, size_t size, size_t alignment, size_t *dirty,
                      bool grow)
{
    void *block = NULL;

    if (size > heap->placement->largest || alignment > heap->placement->largest)
        return NULL;

    const bool locked = enter(heap);

    if (heap->count > 0)
        block = heap->placement->allocate(heap->arenas[0].floor, size, alignment, dirty);
    if (!block && grow)
        block = allocate_slowly(heap, size, alignment, dirty);
    if (block) {
        heap->allocations++;
        note_free(ring3_pages_owner(&ring3_heap_pages, block));
    }
    leave(heap, locked);
    return block;
}

void *ring3_arenas_allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    return allocate(heap, size, alignment, dirty, true);
}

void *ring3_arenas_allocate_ready(struct ring3_arenas *heap, size_t size, size_t alignment,
                                  size_t *dirty)
{
    return allocate(heap, size, alignment, dirty, false);
}

int ring3_arenas_release(void *context, void *block)
{
    struct arena *const arena = context;
    struct ring3_arenas *const heap = arena->heap;
    const bool locked = enter(heap);
    const size_t free_before = heap->placement->free_bytes(arena->floor);
    const int err = heap->placement->release(arena->floor, block);

    if (!err) {
        heap->releases++;
        note_free(arena);
        /* What was used since then is not clean any more. */
        if (free_before < arena->clean)
            arena->clean = free_before;
        purge_if_much_is_free(arena);
    }
    leave(heap, locked);
    return err;
}

int ring3_arenas_resize(void *context, void *block, size_t size)
{
    struct arena *const arena = context;
    struct ring3_arenas *const heap = arena->heap;

    if (size > heap->placement->largest)
        return -ENOMEM;

    const bool locked = enter(heap);
    const int err = heap->placement->resize(arena->floor, block, size);

    if (!err)
        note_free(arena);
    leave(heap, locked);
    return err;
}

size_t ring3_arenas_usable(void *context, const void *block)
{
    struct arena *const arena = context;
    const bool locked = enter(arena->heap);
    const size_t usable = arena->heap->placement->usable(arena->floor, block);

    leave(arena->heap, locked);
    return usable;
}

void *ring3_arenas_covering(void *context, const void *p)
{
    struct arena *const arena = context;
    const bool locked = enter(arena->heap);
    void *const block = arena->heap->placement->covering(arena->floor, p);

    leave(arena->heap, locked);
    return block;
}

size_t ring3_arenas_trim(void *context)
{
    struct ring3_arenas *const heap = context;
    const bool locked = enter(heap);
    size_t given = 0;

    for (uint32_t i = 0; i < heap->count; i++)
        given += purge(&heap->arenas[i], 2 * ring3_pages_size());
    leave(heap, locked);
    return given;
}

/* A hole that is taken again soon is worth its pages: nothing goes while more was allocated since
 * the last look than an eighth of what could go. */
bool ring3_arenas_reclaim(void *context)
{
    struct ring3_arenas *const heap = context;
    const bool locked = enter(heap);
    const size_t recent = (size_t)(heap->allocations - heap->allocations_seen) * RING3_CHUNK;
    bool left = false;

    heap->allocations_seen = heap->allocations;
    for (uint32_t i = 0; i < heap->count; i++) {
        struct arena *const arena = &heap->arenas[i];
        const size_t free_bytes = heap->placement->free_bytes(arena->floor);
        const size_t idle = free_bytes > arena->clean ? free_bytes - arena->clean : 0;

        if (idle < PURGE_LEAST)
            continue;
        if (recent > idle / 8)
            left = true;
        else
            (void)purge(arena, PURGE_LEAST);
    }
    leave(heap, locked);
    return left;
}

size_t ring3_arenas_ready(const struct ring3_arenas *heap)
{
    size_t ready = 0;

    for (uint32_t i = 0; i < RING3_PAGES_REGIONS && heap->arenas[i].heap; i++)
        ready += ring3_load(&heap->arenas[i].ready, RING3_RELAXED);
    return ready;
}

size_t ring3_arenas_in_use(const struct ring3_arenas *heap)
{
    size_t in_use = 0;

    /* The two figures of an arena are not of one moment. */
    for (uint32_t i = 0; i < RING3_PAGES_REGIONS && heap->arenas[i].heap; i++) {
        const size_t ready = ring3_load(&heap->arenas[i].ready, RING3_RELAXED);
        const size_t free_bytes = ring3_load(&heap->arenas[i].free, RING3_RELAXED);

        in_use += ready > free_bytes ? ready - free_bytes : 0;
    }
    return in_use;
}

void ring3_arenas_statistics(void *context, ring3_malloc_statistics_t *statistics)
{
    struct ring3_arenas *const heap = context;
    const bool locked = enter(heap);

    statistics->allocations = heap->allocations;
    statistics->releases = heap->releases;
    statistics->arenas = heap->count;
    for (uint32_t i = 0; i < heap->count; i++) {
        statistics->reserved += heap->arenas[i].region->size;
        statistics->committed += heap->arenas[i].ready;
        heap->placement->statistics(heap->arenas[i].floor, statistics);
    }
    leave(heap, locked);
}

void ring3_arenas_walk_unlocked(struct ring3_arenas *heap, ring3_malloc_visit_t *visit,
                                void *context)
{
    for (uint32_t i = 0; i < heap->count; i++)
        heap->placement->for_each(heap->arenas[i].floor, visit, context);
}

void ring3_arenas_walk(void *context, ring3_malloc_visit_t *visit, void *visit_context)
{
    struct ring3_arenas *const heap = context;
    const bool locked = enter(heap);

    ring3_arenas_walk_unlocked(heap, visit, visit_context);
    leave(heap, locked);
}

void ring3_arenas_tune(void *context, size_t retain, size_t step)
{
    struct ring3_arenas *const heap = context;
    const bool locked = enter(heap);

    if (retain)
        heap->retain = retain;
    if (step)
        heap->step = round_up(step, RING3_CHUNK);
    leave(heap, locked);
}
