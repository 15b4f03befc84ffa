/* SPDX-License-Identifier: MIT */
/*
 * Object caches: see ring3/slab.h.
 *
 *     a slab:  | colour | object | object | … | struct piece, bits of objects in use |
 *
 * A slab is aligned to its size, so an object leads to its slab by its address. Free objects hold
 * no links, because they stay constructed.
 *
 * Locks: that of a magazine before that of the cache; that of the register before both.
 */
#include "ring3/slab.h"

#include "ring3/arch.h"
#include "ring3/bitmap.h"
#include "ring3/list.h"
#include "ring3/malloc.h"
#include "ring3/mutex.h"
#include "ring3/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SIZE_MAX_OBJECT ((size_t)1 << 20)
#define ALIGN_MAX       4096
#define ALIGN_LEAST     16

/* A slab holds at least this many objects, and no more than an eighth of it is lost. */
#define OBJECTS_MIN 8
#define WASTE_SHARE 8

/* A magazine holds 32 KiB worth of objects, within these bounds. Its room is for the upper. */
#define MAGAZINE_BYTES ((size_t)32 << 10)
#define MAGAZINE_MIN   2
#define MAGAZINE_USUAL 64
#define MAGAZINE_ROOM  128

#define MAGAZINES_MAX  64 /* with more CPUs than that, some share one */

struct magazine {
    ring3_mutex_t lock;
    unsigned avail;
    uint64_t allocations, hits;
    void *objects[MAGAZINE_ROOM];
} RING3_CACHE_ALIGNED;

/* The end of a slab. */
struct piece {
    ring3_slab_t *cache;
    ring3_list_t link; /* in the cache's `partial`, `full` or `empty` */
    char *first;       /* object */
    unsigned used;
    uint64_t in_use[]; /* bit set: with the program or in a magazine */
};

struct ring3_slab {
    ring3_list_t registered;
    char name[RING3_SLAB_NAME];
    ring3_slab_source_t source;
    void (*ctor)(void *object);
    void (*dtor)(void *object);
    size_t size, stride, slab_bytes, colour_step, control_bytes;
    unsigned per_slab, colours;
    uint32_t limit, batch;

    ring3_mutex_t lock; /* guards the rest */
    ring3_list_t partial, full, empty;
    unsigned colour; /* of the next slab */
    size_t slabs, used;
    uint64_t grown, reaped;

    unsigned magazines; /* a power of two; constant */
    struct magazine magazine[];
};

/* All caches of the process. */
static struct {
    ring3_mutex_t lock;
    ring3_list_t caches;
} registered = {.caches = RING3_LIST_INIT(registered.caches)};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static size_t power_of_two(size_t n)
{
    return n <= 1 ? 1 : (size_t)1 << (64 - __builtin_clzl(n - 1));
}

/* --- Geometry -------------------------------------------------------------------------------- */

static size_t tail_bytes(size_t objects)
{
    return sizeof(struct piece) + RING3_BITMAP_WORDS(objects) * sizeof(uint64_t);
}

static unsigned objects_in(size_t slab_bytes, size_t stride)
{
    size_t objects = slab_bytes / stride;

    while (objects > 0 && objects * stride + tail_bytes(objects) > slab_bytes)
        objects--;
    return (unsigned)objects;
}

/* The smallest slab that holds enough objects and wastes little. Large objects waste what they
 * must: eight of them, rounded up to a power of two. */
static size_t slab_bytes_for(size_t stride)
{
    const size_t most = power_of_two(stride * OBJECTS_MIN + tail_bytes(OBJECTS_MIN));
    size_t bytes = power_of_two(ring3_pages_size());

    while (bytes < most) {
        const unsigned objects = objects_in(bytes, stride);

        if (objects >= OBJECTS_MIN && bytes - objects * stride <= bytes / WASTE_SHARE)
            break;
        bytes *= 2;
    }
    return bytes;
}

static void lay_out(ring3_slab_t *cache, size_t size, size_t align)
{
    size_t usual = 0;

    cache->size = size;
    cache->stride = round_up(size, align);
    cache->slab_bytes = slab_bytes_for(cache->stride);
    cache->per_slab = objects_in(cache->slab_bytes, cache->stride);
    cache->colour_step = align > RING3_CACHE_LINE ? align : RING3_CACHE_LINE;
    cache->colours = (unsigned)((cache->slab_bytes - cache->per_slab * cache->stride -
                                 tail_bytes(cache->per_slab)) /
                                cache->colour_step) +
                     1;
    usual = MAGAZINE_BYTES / cache->stride;
    usual = usual < MAGAZINE_MIN ? MAGAZINE_MIN : usual > MAGAZINE_USUAL ? MAGAZINE_USUAL : usual;
    cache->limit = (uint32_t)usual;
    cache->batch = (uint32_t)usual / 2;
}

/* --- Slabs: under the lock of the cache ------------------------------------------------------ */

static struct piece *piece_at(const ring3_slab_t *cache, void *slab)
{
    return (struct piece *)(void *)((char *)slab + cache->slab_bytes - tail_bytes(cache->per_slab));
}

static char *slab_of(const ring3_slab_t *cache, const void *p)
{
    return (char *)((uintptr_t)p & ~(uintptr_t)(cache->slab_bytes - 1));
}

static bool grow(ring3_slab_t *cache)
{
    char *const slab =
        cache->source.take(cache->source.context, cache->slab_bytes, cache->slab_bytes);
    struct piece *piece;

    if (!slab)
        return false;
    memset(slab, 0, cache->slab_bytes);
    piece = piece_at(cache, slab);
    piece->cache = cache;
    piece->first = slab + cache->colour * cache->colour_step;
    cache->colour = (cache->colour + 1) % cache->colours;
    for (unsigned i = 0; cache->ctor && i < cache->per_slab; i++)
        cache->ctor(piece->first + i * cache->stride);
    ring3_list_add(&cache->empty, &piece->link);
    cache->slabs++;
    cache->grown++;
    return true;
}

static void shed(ring3_slab_t *cache, struct piece *piece)
{
    for (unsigned i = 0; cache->dtor && i < cache->per_slab; i++)
        cache->dtor(piece->first + i * cache->stride);
    ring3_list_remove(&piece->link);
    piece->cache = NULL;
    cache->slabs--;
    cache->reaped++;
    cache->source.give(cache->source.context, slab_of(cache, piece), cache->slab_bytes);
}

static void file(ring3_slab_t *cache, struct piece *piece)
{
    ring3_list_remove(&piece->link);
    ring3_list_add(piece->used == 0                 ? &cache->empty
                   : piece->used == cache->per_slab ? &cache->full
                                                    : &cache->partial,
                   &piece->link);
}

/* Up to `count` objects. Partly used slabs first, so that others stay whole. */
static unsigned take(ring3_slab_t *cache, void **objects, unsigned count)
{
    unsigned taken = 0;

    while (taken < count) {
        ring3_list_t *const from =
            ring3_list_empty(&cache->partial) ? &cache->empty : &cache->partial;
        struct piece *piece;
        size_t object = 0;

        if (ring3_list_empty(from) && (taken || !grow(cache)))
            break;
        piece = ring3_list_first_entry(from, struct piece, link);
        while (taken < count && piece->used < cache->per_slab) {
            object = ring3_bitmap_find_clear(piece->in_use, cache->per_slab, object);
            ring3_store(&piece->in_use[object / 64],
                        piece->in_use[object / 64] | UINT64_C(1) << object % 64, RING3_RELAXED);
            objects[taken++] = piece->first + object * cache->stride;
            piece->used++;
        }
        file(cache, piece);
    }
    cache->used += taken;
    return taken;
}

/* The number of the object in its slab, or -1: none of this cache that is in use. */
static long index_in_use(const ring3_slab_t *cache, const void *object)
{
    const struct piece *const piece = piece_at(cache, slab_of(cache, object));
    size_t offset;

    /* Relaxed: whoever owns an object knows of its slab. A stranger reads something. */
    if (ring3_load(&piece->cache, RING3_RELAXED) != cache)
        return -1;
    offset = (size_t)((const char *)object - piece->first);
    if (offset % cache->stride || offset / cache->stride >= cache->per_slab ||
        !ring3_bitmap_test(piece->in_use, offset / cache->stride))
        return -1;
    return (long)(offset / cache->stride);
}

/* 0, or -EUCLEAN if one of the objects was there already; the others are given back. */
static int give(ring3_slab_t *cache, void *const *objects, unsigned count)
{
    int err = 0;

    for (unsigned i = 0; i < count; i++) {
        struct piece *const piece = piece_at(cache, slab_of(cache, objects[i]));
        const long object = index_in_use(cache, objects[i]);

        if (object < 0) {
            err = -EUCLEAN;
            continue;
        }
        ring3_store(&piece->in_use[object / 64],
                    piece->in_use[object / 64] & ~(UINT64_C(1) << object % 64), RING3_RELAXED);
        piece->used--;
        cache->used--;
        file(cache, piece);
    }
    return err;
}

/* --- Magazines ------------------------------------------------------------------------------- */

/* The CPU is a hint: its magazine has a lock, which is rarely contended. */
static struct magazine *magazine_here(ring3_slab_t *cache)
{
    return &cache->magazine[(unsigned)ring3_cpu() & (cache->magazines - 1)];
}

void *ring3_slab_allocate(ring3_slab_t *cache)
{
    struct magazine *const magazine = magazine_here(cache);
    void *object = NULL;

    ring3_mutex_lock(&magazine->lock);
    magazine->allocations++;
    if (magazine->avail > 0) {
        magazine->hits++;
    } else {
        ring3_mutex_lock(&cache->lock);
        magazine->avail = take(cache, magazine->objects, cache->batch);
        ring3_mutex_unlock(&cache->lock);
    }
    if (magazine->avail > 0)
        object = magazine->objects[--magazine->avail];
    else
        magazine->allocations--;
    ring3_mutex_unlock(&magazine->lock);
    return object;
}

/* Under the magazine's lock: make room by giving back what was freed first. */
static int flush(ring3_slab_t *cache, struct magazine *magazine, unsigned count)
{
    int err;

    ring3_mutex_lock(&cache->lock);
    err = give(cache, magazine->objects, count);
    ring3_mutex_unlock(&cache->lock);
    magazine->avail -= count;
    memmove(magazine->objects, magazine->objects + count, magazine->avail * sizeof(void *));
    return err;
}

int ring3_slab_free(ring3_slab_t *cache, void *object)
{
    struct magazine *const magazine = magazine_here(cache);
    int err = 0;

    if (index_in_use(cache, object) < 0)
        return -EINVAL;
    ring3_mutex_lock(&magazine->lock);
    if (magazine->avail >= ring3_load(&cache->limit, RING3_RELAXED)) {
        const unsigned batch = ring3_load(&cache->batch, RING3_RELAXED);

        err = flush(cache, magazine, batch < magazine->avail ? batch : magazine->avail);
    }
    magazine->objects[magazine->avail++] = object;
    ring3_mutex_unlock(&magazine->lock);
    return err;
}

/* --- Caches ---------------------------------------------------------------------------------- */

static void *malloc_take(void *context, size_t size, size_t alignment)
{
    const int saved = errno;
    void *const memory = ring3_aligned_alloc(alignment, size);

    (void)context;
    errno = saved;
    return memory;
}

static void malloc_give(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    ring3_free(memory);
}

int ring3_slab_create(ring3_slab_t **cache, const char *name, size_t size, size_t align,
                      void (*ctor)(void *object), void (*dtor)(void *object))
{
    static const ring3_slab_source_t source = {malloc_take, malloc_give, NULL};

    return ring3_slab_create_over(cache, name, size, align, ctor, dtor, &source);
}

static unsigned magazines_for(long cpus)
{
    const size_t wanted = power_of_two(cpus > 0 ? (size_t)cpus : 1);

    return wanted < MAGAZINES_MAX ? (unsigned)wanted : MAGAZINES_MAX;
}

int ring3_slab_create_over(ring3_slab_t **out, const char *name, size_t size, size_t align,
                           void (*ctor)(void *object), void (*dtor)(void *object),
                           const ring3_slab_source_t *source)
{
    const unsigned magazines = magazines_for(sysconf(_SC_NPROCESSORS_ONLN));
    const size_t bytes = power_of_two(sizeof(ring3_slab_t) + magazines * sizeof(struct magazine));
    ring3_slab_t *cache;

    align = align ? align : ALIGN_LEAST;
    if (size == 0 || size > SIZE_MAX_OBJECT || (align & (align - 1)) || align > ALIGN_MAX)
        return -EINVAL;
    cache = source->take(source->context, bytes, RING3_CACHE_LINE);
    if (!cache)
        return -ENOMEM;
    memset(cache, 0, bytes);
    strncpy(cache->name, name, RING3_SLAB_NAME - 1);
    cache->source = *source;
    cache->ctor = ctor;
    cache->dtor = dtor;
    cache->control_bytes = bytes;
    cache->magazines = magazines;
    lay_out(cache, size, align);
    ring3_list_init(&cache->partial);
    ring3_list_init(&cache->full);
    ring3_list_init(&cache->empty);
    ring3_mutex_lock(&registered.lock);
    ring3_list_add_tail(&registered.caches, &cache->registered);
    ring3_mutex_unlock(&registered.lock);
    *out = cache;
    return 0;
}

static void empty_magazines(ring3_slab_t *cache)
{
    for (unsigned i = 0; i < cache->magazines; i++) {
        struct magazine *const magazine = &cache->magazine[i];

        ring3_mutex_lock(&magazine->lock);
        (void)flush(cache, magazine, magazine->avail);
        ring3_mutex_unlock(&magazine->lock);
    }
}

size_t ring3_slab_reap(ring3_slab_t *cache)
{
    size_t reaped = 0;

    empty_magazines(cache);
    ring3_mutex_lock(&cache->lock);
    while (!ring3_list_empty(&cache->empty)) {
        shed(cache, ring3_list_first_entry(&cache->empty, struct piece, link));
        reaped += cache->slab_bytes;
    }
    ring3_mutex_unlock(&cache->lock);
    return reaped;
}

int ring3_slab_destroy(ring3_slab_t *cache)
{
    const ring3_slab_source_t source = cache->source;
    bool busy;

    empty_magazines(cache);
    ring3_mutex_lock(&cache->lock);
    busy = cache->used > 0;
    ring3_mutex_unlock(&cache->lock);
    if (busy)
        return -EBUSY;
    (void)ring3_slab_reap(cache);
    ring3_mutex_lock(&registered.lock);
    ring3_list_remove(&cache->registered);
    ring3_mutex_unlock(&registered.lock);
    source.give(source.context, cache, cache->control_bytes);
    return 0;
}

int ring3_slab_tune(ring3_slab_t *cache, unsigned limit, unsigned batch)
{
    if (limit == 0 || limit > MAGAZINE_ROOM || batch == 0 || batch > limit)
        return -EINVAL;
    empty_magazines(cache);
    ring3_mutex_lock(&cache->lock);
    ring3_store(&cache->limit, limit, RING3_RELAXED);
    ring3_store(&cache->batch, batch, RING3_RELAXED);
    ring3_mutex_unlock(&cache->lock);
    return 0;
}

void ring3_slab_statistics(ring3_slab_t *cache, ring3_slab_statistics_t *statistics)
{
    *statistics = (ring3_slab_statistics_t){
        .size = cache->size,
        .stride = cache->stride,
        .slab_bytes = cache->slab_bytes,
        .per_slab = cache->per_slab,
        .colours = cache->colours,
    };
    memcpy(statistics->name, cache->name, sizeof statistics->name);
    for (unsigned i = 0; i < cache->magazines; i++) {
        struct magazine *const magazine = &cache->magazine[i];

        ring3_mutex_lock(&magazine->lock);
        statistics->cached += magazine->avail;
        statistics->allocations += magazine->allocations;
        statistics->hits += magazine->hits;
        ring3_mutex_unlock(&magazine->lock);
    }
    ring3_mutex_lock(&cache->lock);
    statistics->limit = cache->limit;
    statistics->batch = cache->batch;
    statistics->slabs = cache->slabs;
    statistics->objects = cache->slabs * cache->per_slab;
    /* Objects travel between the two looks. */
    statistics->used = cache->used > statistics->cached ? cache->used - statistics->cached : 0;
    statistics->grown = cache->grown;
    statistics->reaped = cache->reaped;
    ring3_mutex_unlock(&cache->lock);
}

void ring3_slab_for_each(void (*visit)(const ring3_slab_statistics_t *statistics, void *context),
                         void *context)
{
    ring3_list_t *link;

    ring3_mutex_lock(&registered.lock);
    ring3_list_for_each (link, &registered.caches) {
        ring3_slab_statistics_t statistics;

        ring3_slab_statistics(ring3_container_of(link, ring3_slab_t, registered), &statistics);
        visit(&statistics, context);
    }
    ring3_mutex_unlock(&registered.lock);
}
