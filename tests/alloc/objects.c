/* SPDX-License-Identifier: MIT */
/* Object caches: construction, geometry, magazines, reaping, and where the memory comes from. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/buddy.h"
#include "ring3/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct task {
    uint64_t magic, owner;
    char rest[184];
};

static unsigned constructed, destructed;

static void construct(void *object)
{
    struct task *const task = object;

    task->magic = 0x7a5c;
    task->owner = 0;
    constructed++;
}

static void destruct(void *object)
{
    check_eq(((struct task *)object)->magic, 0x7a5c);
    destructed++;
}

static ring3_slab_statistics_t now(ring3_slab_t *cache)
{
    ring3_slab_statistics_t statistics;

    ring3_slab_statistics(cache, &statistics);
    return statistics;
}

TEST(objects, stay_constructed_while_they_are_free)
{
    ring3_slab_t *cache;
    struct task *tasks[100];

    check_eq(ring3_slab_create(&cache, "task", sizeof(struct task), 0, construct, destruct), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            tasks[i] = ring3_slab_allocate(cache);
            check(tasks[i]);
            check_eq(tasks[i]->magic, 0x7a5c);
            check_eq(tasks[i]->owner, 0, "nobody else has it");
            tasks[i]->owner = 1;
        }
        for (int i = 0; i < 100; i++) {
            tasks[i]->owner = 0;
            check_eq(ring3_slab_free(cache, tasks[i]), 0);
        }
    }
    check_eq(constructed, now(cache).objects, "once each");
    check_eq(destructed, 0);
    check_eq(ring3_slab_destroy(cache), 0);
    check_eq(destructed, constructed, "once each, when their memory goes");
}

TEST(objects, come_back_last_in_first_out)
{
    ring3_slab_t *cache;
    void *a, *b;

    check_eq(ring3_slab_create(&cache, "lifo", 64, 0, NULL, NULL), 0);
    a = ring3_slab_allocate(cache);
    b = ring3_slab_allocate(cache);
    check_eq(ring3_slab_free(cache, a), 0);
    check_eq(ring3_slab_free(cache, b), 0);
    if (cpus() == 1)
        check(ring3_slab_allocate(cache) == b, "the one freed last is warm");
    else
        check_ge(now(cache).cached, 2, "both are in a magazine");
    (void)ring3_slab_reap(cache);
}

TEST(objects, waste_little_and_are_aligned)
{
    for (size_t size = 1; size <= 1 << 20; size = size * 2 + 3) {
        for (size_t align = 8; align <= 4096; align *= 8) {
            ring3_slab_t *cache;
            void *objects[3];

            check_eq(ring3_slab_create(&cache, "geometry", size, align, NULL, NULL), 0);
            for (int i = 0; i < 3; i++) {
                objects[i] = ring3_slab_allocate(cache);
                check(objects[i]);
                check_eq((uintptr_t)objects[i] % align, 0, "%zu aligned to %zu", size, align);
                memset(objects[i], 0xa5, size);
            }
            const ring3_slab_statistics_t s = now(cache);

            check_ge(s.per_slab, 8, "size %zu", size);
            if (s.stride < 4096)
                check_le(s.slab_bytes - s.per_slab * s.stride, s.slab_bytes / 8, "size %zu", size);
            for (int i = 0; i < 3; i++)
                check_eq(ring3_slab_free(cache, objects[i]), 0);
            check_eq(ring3_slab_destroy(cache), 0);
        }
    }
}

TEST(objects, refuse_what_makes_no_sense)
{
    ring3_slab_t *cache;

    check_eq(ring3_slab_create(&cache, "none", 0, 0, NULL, NULL), -EINVAL);
    check_eq(ring3_slab_create(&cache, "huge", (1 << 20) + 1, 0, NULL, NULL), -EINVAL);
    check_eq(ring3_slab_create(&cache, "skew", 64, 24, NULL, NULL), -EINVAL);
    check_eq(ring3_slab_create(&cache, "x", 64, 0, NULL, NULL), 0);
    check_eq(ring3_slab_tune(cache, 0, 0), -EINVAL);
    check_eq(ring3_slab_tune(cache, 129, 1), -EINVAL);
    check_eq(ring3_slab_tune(cache, 8, 9), -EINVAL);
    check_eq(ring3_slab_destroy(cache), 0);
}

TEST(objects, start_at_different_colours)
{
    ring3_slab_t *cache;
    uintptr_t offsets[64];
    unsigned different = 0;

    check_eq(ring3_slab_create(&cache, "colour", 200, 0, NULL, NULL), 0);
    check_gt(now(cache).colours, 1);
    check_eq(ring3_slab_tune(cache, 1, 1), 0);

    const unsigned per_slab = now(cache).per_slab;
    const size_t slab_bytes = now(cache).slab_bytes;

    /* The first object of each slab: whole slabs are filled one after the other. */
    for (unsigned slab = 0; slab < now(cache).colours && slab < 64; slab++) {
        for (unsigned i = 0; i < per_slab; i++) {
            const uintptr_t at = (uintptr_t)ring3_slab_allocate(cache) % slab_bytes;

            if (i == 0 || at < offsets[slab])
                offsets[slab] = at;
        }
        for (unsigned other = 0; other < slab; other++)
            check_ne(offsets[other], offsets[slab]);
        different++;
    }
    check_eq(different, now(cache).colours);
}

TEST(objects, notice_what_is_none_of_theirs)
{
    ring3_slab_t *cache, *other;
    char *object;

    check_eq(ring3_slab_create(&cache, "mine", 100, 0, NULL, NULL), 0);
    check_eq(ring3_slab_create(&other, "other", 100, 0, NULL, NULL), 0);
    object = ring3_slab_allocate(cache);
    check_eq(ring3_slab_free(other, object), -EINVAL, "of another cache");
    check_eq(ring3_slab_free(cache, object + 16), -EINVAL, "inside an object");
    check_eq(ring3_slab_free(cache, object), 0);
    (void)ring3_slab_reap(other);
    check_eq(ring3_slab_tune(cache, 4, 2), 0, "which empties the magazines");
    object = ring3_slab_allocate(cache);
    check_eq(ring3_slab_free(cache, object), 0);
    check_eq(ring3_slab_tune(cache, 4, 2), 0);
    check_eq(ring3_slab_free(cache, object), -EINVAL, "free already");
}

TEST(objects, are_reaped_when_none_of_a_slab_is_in_use)
{
    ring3_slab_t *cache;
    void *objects[1000];

    check_eq(ring3_slab_create(&cache, "reap", 128, 0, NULL, NULL), 0);
    for (int i = 0; i < 1000; i++)
        objects[i] = ring3_slab_allocate(cache);
    check_eq(now(cache).used, 1000);
    check_eq(ring3_slab_destroy(cache), -EBUSY);
    for (int i = 1; i < 1000; i++)
        check_eq(ring3_slab_free(cache, objects[i]), 0);

    const size_t slabs = now(cache).slabs;

    check_eq(ring3_slab_reap(cache), (slabs - 1) * now(cache).slab_bytes, "all but one");
    check_eq(now(cache).slabs, 1);
    check_eq(now(cache).used, 1);
    check_eq(now(cache).cached, 0);
    check_eq(now(cache).reaped, slabs - 1);
    check_eq(ring3_slab_free(cache, objects[0]), 0);
    check_eq(ring3_slab_destroy(cache), 0);
}

TEST(objects, are_served_from_magazines)
{
    ring3_slab_t *cache;
    void *object;

    check_eq(ring3_slab_create(&cache, "hits", 64, 0, NULL, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        object = ring3_slab_allocate(cache);
        check_eq(ring3_slab_free(cache, object), 0);
    }
    check_eq(now(cache).allocations, 1000);
    check_ge(now(cache).hits, 900, "but for a refill now and then on another CPU");
    check_eq(ring3_slab_destroy(cache), 0);
}

static void find_named(const ring3_slab_statistics_t *statistics, void *context)
{
    if (strcmp(statistics->name, "a name that is much longer than") == 0)
        *(size_t *)context = statistics->size;
}

TEST(objects, are_listed_by_name)
{
    ring3_slab_t *cache;
    size_t found = 0;

    check_eq(ring3_slab_create(&cache, "a name that is much longer than there is room", 123, 0,
                               NULL, NULL),
             0);
    ring3_slab_for_each(find_named, &found);
    check_eq(found, 123);
    check_eq(ring3_slab_destroy(cache), 0);
    found = 0;
    ring3_slab_for_each(find_named, &found);
    check_eq(found, 0);
}

/* --- Slabs on a buddy, as in the notes ------------------------------------------------------- */

static void *buddy_take(void *buddy, size_t size, size_t alignment)
{
    check_le(alignment, size, "a buddy's blocks are aligned to their size");
    return ring3_buddy_allocate(buddy, size, NULL);
}

static void buddy_give(void *buddy, void *memory, size_t size)
{
    check_eq(ring3_buddy_usable(buddy, memory), size);
    check_eq(ring3_buddy_release(buddy, memory), 0);
}

TEST(objects, live_in_slabs_of_a_buddy)
{
    enum { SIZE = 1 << 20 };
    char *const memory = aligned_alloc(SIZE, SIZE);
    void *const control = calloc(1, ring3_buddy_control_size(SIZE, 4096, 0));
    ring3_slab_source_t source = {buddy_take, buddy_give, NULL};
    ring3_buddy_statistics_t buddy_now;
    ring3_buddy_t *buddy;
    ring3_slab_t *cache;
    size_t count = 0;
    char *object;

    memset(memory, 0, SIZE);
    check_eq(ring3_buddy_init(&buddy, control, memory, SIZE, SIZE, 4096, 0), 0);
    source.context = buddy;
    check_eq(ring3_slab_create_over(&cache, "inode", 500, 0, NULL, NULL, &source), 0);
    check_eq(ring3_slab_tune(cache, 1, 1), 0, "so that none stays in a magazine");
    while ((object = ring3_slab_allocate(cache))) {
        check(object >= memory && object + 500 <= memory + SIZE);
        count++;
    }
    ring3_buddy_statistics(buddy, &buddy_now);
    check_lt(buddy_now.largest, now(cache).slab_bytes, "no room for one more slab");
    check_eq(count, now(cache).objects, "and every object was handed out");
    check_ge(count * 512, (SIZE - 2 * 65536) / 8 * 7);
    free(memory);
    free(control);
}

/* --- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, SHARED = 256 };

static ring3_slab_t *shared_cache;
static struct task *shared[SHARED];

/* Objects change hands: whoever takes one from the table frees it. */
static void *exchange(void *number)
{
    const uint64_t mine = (uintptr_t)number;
    unsigned seed = (unsigned)mine;

    for (long i = scaled(20000, 1000000); i > 0; i--) {
        struct task *task = ring3_slab_allocate(shared_cache);

        check(task);
        check_eq(task->owner, 0, "an object of two owners");
        task->owner = mine;
        task = ring3_exchange(&shared[rand_r(&seed) % SHARED], task, RING3_ACQ_REL);
        if (task) {
            check_ne(task->owner, 0);
            task->owner = 0;
            check_eq(ring3_slab_free(shared_cache, task), 0);
        }
    }
    return NULL;
}

static void construct_shared(void *object)
{
    ((struct task *)object)->owner = 0;
}

TEST(objects, pass_between_threads, 60)
{
    pthread_t threads[THREADS];

    check_eq(
        ring3_slab_create(&shared_cache, "shared", sizeof(struct task), 64, construct_shared, NULL),
        0);
    for (uintptr_t i = 0; i < THREADS; i++)
        check_eq(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)), 0);
    for (int i = 0; i < 100; i++)
        (void)ring3_slab_reap(shared_cache);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < SHARED; i++)
        if (shared[i])
            check_eq(ring3_slab_free(shared_cache, shared[i]), 0);
    check_eq(now(shared_cache).used, 0);
    check_eq(ring3_slab_destroy(shared_cache), 0);
}
