/* SPDX-License-Identifier: MIT */
/*
 * Heap inside memory that processes share, at whatever address each of them has it: liballoc's buddy
 * or fit heap, a lock, and offsets in place of pointers.
 *
 *     ring3_shmheap_format(&heap, shm.address, shm.size, RING3_SHMHEAP_FIT);     // one process
 *     ring3_shmheap_attach(&heap, shm.address, shm.size);                        // the others
 *     list = ring3_shmheap_allocate(&heap, sizeof *list);
 *     ring3_shmheap_set_root(&heap, ring3_shmheap_offset(&heap, list));
 *     list = ring3_shmheap_at(&heap, ring3_shmheap_root(&heap), sizeof *list);
 *
 * A process that dies inside an allocation or release leaves the heap to be checked by the next one: if it
 * was caught half-way, every call says so from then on (NULL, -ENOTRECOVERABLE); blocks in use stay
 * readable. A process that dies elsewhere leaves behind what it had allocated.
 *
 * For processes that trust each other: the heap's own words lie in the shared memory. Thread-safe; not
 * async-signal-safe; works across fork.
 */
#ifndef RING3_SHMHEAP_H
#define RING3_SHMHEAP_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef enum ring3_shmheap_kind {
    RING3_SHMHEAP_FIT,   /* exact sizes; O(log holes) */
    RING3_SHMHEAP_BUDDY, /* powers of two; O(orders) */
} ring3_shmheap_kind_t;

struct ring3_shmheap_head;

/** What one process knows of the heap. */
typedef struct ring3_shmheap {
    struct ring3_shmheap_head *head; /* where the memory begins here */
    void *control;
    size_t size;
    ring3_shmheap_kind_t kind;
} ring3_shmheap_t;

/** Bytes from the start of the memory; 0 is no place in a heap. */
typedef uint64_t ring3_offset_t;

/** Lay a heap over zeroed, page-aligned memory. @return 0; -EINVAL (too small) */
int ring3_shmheap_format(ring3_shmheap_t *heap, void *memory, size_t size,
                         ring3_shmheap_kind_t kind);

/** @return 0; -EBADMSG (no heap, or one for another size) */
int ring3_shmheap_attach(ring3_shmheap_t *heap, void *memory, size_t size);

/** @return a block aligned to 16 (buddy: to its size), or NULL */
void *ring3_shmheap_allocate(ring3_shmheap_t *heap, size_t size);

/** @return 0; -EFAULT, -EINVAL (no block in use), -EUCLEAN (overwritten), -ENOTRECOVERABLE */
int ring3_shmheap_release(ring3_shmheap_t *heap, void *block);

/** Verify the heap. @return 0, -EUCLEAN, -ENOTRECOVERABLE */
int ring3_shmheap_check(ring3_shmheap_t *heap);

size_t ring3_shmheap_free_bytes(ring3_shmheap_t *heap);

/** The other way round of `at`. NULL gives 0. */
ring3_offset_t ring3_shmheap_offset(const ring3_shmheap_t *heap, const void *place);

/** `size` bytes at an offset, or NULL if they are not all inside the memory, or for 0. */
void *ring3_shmheap_at(const ring3_shmheap_t *heap, ring3_offset_t offset, size_t size);

/** One offset for all to start from; 0 at first. Order: set is a release, get an acquire. */
void ring3_shmheap_set_root(ring3_shmheap_t *heap, ring3_offset_t root);
ring3_offset_t ring3_shmheap_root(const ring3_shmheap_t *heap);

RING3_API_END

#endif
