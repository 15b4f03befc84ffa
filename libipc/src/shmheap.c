/* SPDX-License-Identifier: MIT */
/* Heaps in shared memory: see ring3/shmheap.h. */
#include "ring3/shmheap.h"

#include "ring3/atomic.h"
#include "ring3/buddy.h"
#include "ring3/fit.h"
#include "ring3/sharedlock.h"

#include <errno.h>

#define MAGIC      0x70616568336e7267u
#define PAGE       4096
#define BUDDY_UNIT 64

/* The first page; then the control block, then the blocks, each on a page of its own. */
struct ring3_shmheap_head {
    uint64_t magic, size, kind, control, memory;
    uint64_t root;
    ring3_sharedlock_t lock;
};

static size_t up(size_t size)
{
    return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

int ring3_shmheap_format(ring3_shmheap_t *heap, void *memory, size_t size,
                         ring3_shmheap_kind_t kind)
{
    struct ring3_shmheap_head *const head = memory;
    const size_t control = kind == RING3_SHMHEAP_BUDDY
                               ? ring3_buddy_control_size(size, BUDDY_UNIT, 0)
                               : ring3_fit_control_size(size);
    const size_t first = PAGE + up(control);
    unsigned char *const base = memory;
    int err;

    if ((uintptr_t)memory % PAGE != 0 || size < first + PAGE)
        return -EINVAL;
    const size_t room = (size - first) & ~(size_t)(PAGE - 1);

    if (kind == RING3_SHMHEAP_BUDDY) {
        ring3_buddy_t *buddy;

        err = ring3_buddy_init(&buddy, base + PAGE, base + first, room, room, BUDDY_UNIT, 0);
        heap->control = buddy;
    } else {
        ring3_fit_t *fit;

        err = ring3_fit_init(&fit, base + PAGE, base + first, room, room, RING3_FIT_BEST);
        heap->control = fit;
    }
    if (err)
        return err;
    head->size = size;
    head->kind = kind;
    head->control = (uint64_t)((unsigned char *)heap->control - base);
    head->memory = first;
    heap->head = head;
    heap->size = size;
    heap->kind = kind;
    /* Pairs with the acquire in ring3_shmheap_attach. */
    ring3_store(&head->magic, MAGIC, RING3_RELEASE);
    return 0;
}

int ring3_shmheap_attach(ring3_shmheap_t *heap, void *memory, size_t size)
{
    struct ring3_shmheap_head *const head = memory;

    if ((uintptr_t)memory % PAGE != 0 || size < PAGE ||
        ring3_load(&head->magic, RING3_ACQUIRE) != MAGIC || head->size != size ||
        head->kind > RING3_SHMHEAP_BUDDY || head->control < PAGE || head->control >= size)
        return -EBADMSG;
    *heap = (ring3_shmheap_t){head, (unsigned char *)memory + head->control, size,
                              (ring3_shmheap_kind_t)head->kind};
    return 0;
}

static int check_blocks(const ring3_shmheap_t *heap)
{
    return heap->kind == RING3_SHMHEAP_BUDDY ? ring3_buddy_check(heap->control)
                                             : ring3_fit_check(heap->control);
}

/* An owner died inside: go on only if it was not half-way. */
static int repair(void *heap, pid_t dead)
{
    (void)dead;
    return check_blocks(heap);
}

static int lock(ring3_shmheap_t *heap)
{
    return ring3_sharedlock_lock(&heap->head->lock, repair, heap, NULL);
}

static void unlock(ring3_shmheap_t *heap)
{
    (void)ring3_sharedlock_unlock(&heap->head->lock);
}

void *ring3_shmheap_allocate(ring3_shmheap_t *heap, size_t size)
{
    void *block;

    if (lock(heap))
        return NULL;
    block = heap->kind == RING3_SHMHEAP_BUDDY ? ring3_buddy_allocate(heap->control, size, NULL)
                                              : ring3_fit_allocate(heap->control, size, 16, NULL);
    unlock(heap);
    return block;
}

int ring3_shmheap_release(ring3_shmheap_t *heap, void *block)
{
    int err = lock(heap);

    if (err)
        return err;
    err = heap->kind == RING3_SHMHEAP_BUDDY ? ring3_buddy_release(heap->control, block)
                                            : ring3_fit_release(heap->control, block);
    unlock(heap);
    return err;
}

int ring3_shmheap_check(ring3_shmheap_t *heap)
{
    int err = lock(heap);

    if (err)
        return err;
    err = check_blocks(heap);
    unlock(heap);
    return err;
}

size_t ring3_shmheap_free_bytes(ring3_shmheap_t *heap)
{
    size_t bytes;

    if (lock(heap))
        return 0;
    bytes = heap->kind == RING3_SHMHEAP_BUDDY ? ring3_buddy_free_bytes(heap->control)
                                              : ring3_fit_free_bytes(heap->control);
    unlock(heap);
    return bytes;
}

ring3_offset_t ring3_shmheap_offset(const ring3_shmheap_t *heap, const void *place)
{
    return place
               ? (ring3_offset_t)((const unsigned char *)place - (const unsigned char *)heap->head)
               : 0;
}

void *ring3_shmheap_at(const ring3_shmheap_t *heap, ring3_offset_t offset, size_t size)
{
    if (offset < PAGE || offset > heap->size || size > heap->size - offset)
        return NULL;
    return (unsigned char *)heap->head + offset;
}

void ring3_shmheap_set_root(ring3_shmheap_t *heap, ring3_offset_t root)
{
    /* Pairs with the acquire in ring3_shmheap_root. */
    ring3_store(&heap->head->root, root, RING3_RELEASE);
}

ring3_offset_t ring3_shmheap_root(const ring3_shmheap_t *heap)
{
    return ring3_load(&heap->head->root, RING3_ACQUIRE);
}
