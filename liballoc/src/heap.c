/* SPDX-License-Identifier: MIT */
/*
 * First-class heaps: see ring3/heap.h.
 *
 *     control:   struct ring3_heap | control block of the fit heap      a mapping of its own
 *     stretch:   reservation, of which `ready` bytes are accessible;    or the data segment
 *     a mapped block:   page with struct mapped | block
 *
 * Everything is under the heap's lock.
 */
#include "ring3/heap.h"

#include "ring3/list.h"
#include "ring3/mutex.h"
#include "ring3/pages.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST      ((size_t)1 << 30)
#define MOST_MIN  ((size_t)1 << 20)
#define STEP      ((size_t)128 << 10)
#define THRESHOLD ((size_t)128 << 10)

struct ring3_heap {
    ring3_mutex_t lock;
    ring3_heap_options_t options;
    char *stretch;
    size_t ready;
    size_t control_bytes, mapped_bytes, mapped_blocks;
    ring3_list_t mapped;
    ring3_fit_t *fit;
};

struct mapped {
    ring3_list_t link;
    size_t bytes; /* of the mapping */
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

static void *map(size_t bytes, int protection)
{
    const int saved = errno;
    void *const memory =
        mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(void *memory, size_t bytes)
{
    const int saved = errno;

    (void)munmap(memory, bytes);
    errno = saved;
}

/* --- The stretch ----------------------------------------------------------------------------- */

static bool on_break(const ring3_heap_t *heap)
{
    return heap->options.flags & RING3_HEAP_SBRK;
}

/* Move the break from where we left it. False if it is not there any more, or cannot move. */
static bool move_break(const ring3_heap_t *heap, intptr_t by)
{
    const int saved = errno;
    const bool moved = sbrk(0) == heap->stretch + heap->ready && sbrk(by) != (void *)-1;

    errno = saved;
    return moved;
}

static bool make_ready(ring3_heap_t *heap, size_t ready)
{
    const int saved = errno;
    const size_t more = ready - heap->ready;
    bool done;

    if (ready > heap->options.most)
        return false;
    if (on_break(heap))
        done = move_break(heap, (intptr_t)more);
    else
        done = mprotect(heap->stretch + heap->ready, more, PROT_READ | PROT_WRITE) == 0;
    errno = saved;
    heap->ready = done ? ready : heap->ready;
    return done;
}

static bool grow(ring3_heap_t *heap, size_t size, size_t align)
{
    const size_t shortage = ring3_fit_shortage(heap->fit, size, align);
    const size_t least = round_up(heap->ready + shortage, ring3_pages_size());
    const size_t step = round_up(heap->ready + heap->options.step, ring3_pages_size());

    if (!make_ready(heap, step > least ? step : least) &&
        (step <= least || !make_ready(heap, least)))
        return false;
    return ring3_fit_extend(heap->fit, heap->ready) == 0;
}

/* Where the stretch begins: at the break, aligned; or in a reservation of half the wish, and half
 * of that, until there is room. */
static int find_stretch(ring3_heap_t *heap)
{
    const int saved = errno;
    const size_t page = ring3_pages_size();

    if (on_break(heap)) {
        char *const now = sbrk(0);
        const size_t gap = -(uintptr_t)now & (page - 1);

        if (now == (void *)-1 || (gap && sbrk((intptr_t)gap) == (void *)-1)) {
            errno = saved;
            return -ENOMEM;
        }
        heap->stretch = now + gap;
        return 0;
    }
    while (!(heap->stretch = map(heap->options.most, PROT_NONE)) &&
           heap->options.most / 2 >= MOST_MIN)
        heap->options.most = round_up(heap->options.most / 2, page);
    return heap->stretch ? 0 : -ENOMEM;
}

static void lose_stretch(ring3_heap_t *heap)
{
    if (!on_break(heap))
        unmap(heap->stretch, heap->options.most);
    else if (!move_break(heap, -(intptr_t)heap->ready))
        /* Somebody's memory lies above: the address space stays, its pages go. */
        (void)ring3_pages_purge(heap->stretch, heap->ready);
}

/* --- The heap -------------------------------------------------------------------------------- */

static size_t or_else(size_t wish, size_t usual)
{
    return round_up(wish ? wish : usual, ring3_pages_size());
}

int ring3_heap_create(ring3_heap_t **out, const ring3_heap_options_t *options)
{
    ring3_heap_options_t wish = options ? *options : (ring3_heap_options_t){0};
    ring3_heap_t *heap;
    size_t head = round_up(sizeof *heap, 16), control_bytes;
    int err;

    wish.most = or_else(wish.most, MOST);
    wish.step = or_else(wish.step, STEP);
    wish.threshold = wish.threshold ? wish.threshold : THRESHOLD;
    if (wish.most > RING3_FIT_CAPACITY_MAX || (wish.flags & ~RING3_HEAP_SBRK))
        return -EINVAL;
    control_bytes = round_up(head + ring3_fit_control_size(wish.most), ring3_pages_size());
    heap = map(control_bytes, PROT_READ | PROT_WRITE);
    if (!heap)
        return -ENOMEM;
    heap->options = wish;
    heap->control_bytes = control_bytes;
    ring3_list_init(&heap->mapped);
    err = find_stretch(heap);
    if (err)
        goto unmap_control;
    err = -ENOMEM;
    if (!make_ready(heap, wish.step < heap->options.most ? wish.step : heap->options.most))
        goto unmap_stretch;
    err = ring3_fit_init(&heap->fit, (char *)heap + head, heap->stretch, heap->options.most,
                         heap->ready, wish.order);
    if (err)
        goto unmap_stretch;
    *out = heap;
    return 0;

unmap_stretch:
    lose_stretch(heap);
unmap_control:
    unmap(heap, control_bytes);
    return err;
}

static void *allocate_mapped(ring3_heap_t *heap, size_t size)
{
    const size_t page = ring3_pages_size(), bytes = page + round_up(size, page);
    struct mapped *const mapped =
        size < PTRDIFF_MAX / 2 ? map(bytes, PROT_READ | PROT_WRITE) : NULL;

    if (!mapped)
        return NULL;
    mapped->bytes = bytes;
    ring3_list_add(&heap->mapped, &mapped->link);
    heap->mapped_blocks++;
    heap->mapped_bytes += bytes;
    return (char *)mapped + page;
}

void *ring3_heap_allocate(ring3_heap_t *heap, size_t size, size_t align)
{
    void *block = NULL;

    align = align ? align : 16;
    if ((align & (align - 1)) || align > ring3_pages_size())
        return NULL;
    ring3_mutex_lock(&heap->lock);
    if (size < heap->options.threshold) {
        block = ring3_fit_allocate(heap->fit, size, align, NULL);
        if (!block && grow(heap, size, align))
            block = ring3_fit_allocate(heap->fit, size, align, NULL);
    }
    if (!block)
        block = allocate_mapped(heap, size);
    ring3_mutex_unlock(&heap->lock);
    return block;
}

/* The mapping that starts with this block, or NULL. Few blocks have one. */
static struct mapped *mapped_of(ring3_heap_t *heap, const void *block)
{
    const char *const start = (const char *)block - ring3_pages_size();
    struct mapped *mapped;

    ring3_list_for_each_entry (mapped, &heap->mapped, link)
        if ((const char *)mapped == start)
            return mapped;
    return NULL;
}

static void free_mapped(ring3_heap_t *heap, struct mapped *mapped)
{
    ring3_list_remove(&mapped->link);
    heap->mapped_blocks--;
    heap->mapped_bytes -= mapped->bytes;
    unmap(mapped, mapped->bytes);
}

int ring3_heap_free(ring3_heap_t *heap, void *block)
{
    struct mapped *mapped;
    int err;

    ring3_mutex_lock(&heap->lock);
    err = ring3_fit_release(heap->fit, block);
    if (err == -EFAULT) {
        mapped = mapped_of(heap, block);
        err = mapped ? 0 : -EINVAL;
        if (mapped)
            free_mapped(heap, mapped);
    }
    ring3_mutex_unlock(&heap->lock);
    return err;
}

size_t ring3_heap_usable(ring3_heap_t *heap, const void *block)
{
    struct mapped *mapped;
    size_t usable;

    ring3_mutex_lock(&heap->lock);
    usable = ring3_fit_usable(heap->fit, block);
    mapped = usable ? NULL : mapped_of(heap, block);
    if (mapped)
        usable = mapped->bytes - ring3_pages_size();
    ring3_mutex_unlock(&heap->lock);
    return usable;
}

static void purge(void *start, size_t length, void *given)
{
    *(size_t *)given += ring3_pages_purge(start, length);
}

/* What is above `ready` has lost its content, and its access or its place. */
static size_t give_up(ring3_heap_t *heap, size_t ready)
{
    const size_t given = heap->ready - ready;

    if (on_break(heap)) {
        if (!move_break(heap, -(intptr_t)given))
            return 0;
    } else {
        (void)ring3_pages_purge(heap->stretch + ready, given);
        if (mprotect(heap->stretch + ready, given, PROT_NONE) != 0)
            return 0;
    }
    heap->ready = ready;
    return given;
}

size_t ring3_heap_trim(ring3_heap_t *heap)
{
    const int saved = errno;
    const size_t page = ring3_pages_size();
    size_t given = 0, kept;

    ring3_mutex_lock(&heap->lock);
    kept = round_up(ring3_fit_retract(heap->fit, 0), page);
    if (kept < heap->ready)
        given = give_up(heap, kept);
    /* Whole pages are given up; the rest of the last one goes on being used. */
    (void)ring3_fit_extend(heap->fit, heap->ready);
    ring3_fit_for_each_idle(heap->fit, page, purge, &given);
    ring3_mutex_unlock(&heap->lock);
    errno = saved;
    return given;
}

void ring3_heap_destroy(ring3_heap_t *heap)
{
    while (!ring3_list_empty(&heap->mapped))
        free_mapped(heap, ring3_list_first_entry(&heap->mapped, struct mapped, link));
    lose_stretch(heap);
    unmap(heap, heap->control_bytes);
}

void ring3_heap_statistics(ring3_heap_t *heap, ring3_heap_statistics_t *statistics)
{
    ring3_mutex_lock(&heap->lock);
    ring3_fit_statistics(heap->fit, &statistics->fit);
    statistics->ready = heap->ready;
    statistics->mapped_blocks = heap->mapped_blocks;
    statistics->mapped_bytes = heap->mapped_bytes;
    ring3_mutex_unlock(&heap->lock);
}
