/* SPDX-License-Identifier: MIT */
/*
 * Arenas: memory that is freed all at once.
 *
 *     ring3_arena_t arena = {0};
 *     struct node *node = ring3_arena_allocate(&arena, sizeof *node, 0);
 *     const ring3_arena_mark_t here = ring3_arena_mark(&arena);
 *     char *scratch = ring3_arena_allocate(&arena, 4096, 1);
 *     ring3_arena_rewind(&arena, here);            scratch is gone, node is not
 *     ring3_arena_destroy(&arena);                 all is
 *
 * Allocation advances a pointer. What lives equally long lies together and has no header each; there
 * is nothing to leak one by one, and no way to free too early one by one. An arena takes pieces from
 * ring3_malloc, each twice as large as the one before up to RING3_ARENA_PIECE_MAX; or it stays
 * within memory that the caller provides (ring3_arena_init).
 *
 * Not thread-safe: an arena belongs to one thread at a time. In a child of fork it is the child's
 * own copy. An arena over the caller's memory calls nothing, so it works in signal handlers.
 *
 * Source: Hanson, "Fast allocation and deallocation of memory based on object lifetimes", 1990.
 */
#ifndef RING3_ARENA_H
#define RING3_ARENA_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

#define RING3_ARENA_PIECE_MIN ((size_t)4 << 10)
#define RING3_ARENA_PIECE_MAX ((size_t)1 << 20)

struct ring3_arena_piece;

/** All-zero is an empty arena that grows. Fields are private. */
typedef struct ring3_arena {
    char *at, *end;                   /* what is left of the piece at hand */
    struct ring3_arena_piece *pieces; /* newest first */
    size_t next_piece;                /* bytes of the next; 0: RING3_ARENA_PIECE_MIN */
    char *fixed;                      /* the caller's memory, or NULL */
} ring3_arena_t;

/** A moment in an arena's life. */
typedef struct ring3_arena_mark {
    char *at, *end;
    struct ring3_arena_piece *pieces;
} ring3_arena_mark_t;

typedef struct ring3_arena_statistics {
    size_t pieces; /* taken from ring3_malloc */
    size_t held;   /* bytes in them, or of the caller's memory */
    size_t left;   /* bytes left of the piece at hand */
} ring3_arena_statistics_t;

/** Start an arena that stays within `memory`. */
void ring3_arena_init(ring3_arena_t *arena, void *memory, size_t size);

void *ring3_arena_allocate_slow(ring3_arena_t *arena, size_t size, size_t align);

/**
 * `size` bytes (0 is a valid address of none) aligned to `align`, a power of two up to 4096; 0 for
 * 16. Not cleared. NULL when there is no memory.
 */
static inline void *ring3_arena_allocate(ring3_arena_t *arena, size_t size, size_t align)
{
    const size_t mask = (align ? align : 16) - 1;
    const size_t gap = -(uintptr_t)arena->at & mask;
    const size_t left = (size_t)(arena->end - arena->at);
    char *block;

    if (!arena->at || gap > left || size > left - gap)
        return ring3_arena_allocate_slow(arena, size, align);
    block = arena->at + gap;
    arena->at = block + size;
    return block;
}

/** A copy of `size` bytes, or NULL. */
void *ring3_arena_copy(ring3_arena_t *arena, const void *bytes, size_t size);

/** A copy of the string, or NULL. */
char *ring3_arena_strdup(ring3_arena_t *arena, const char *text);

/** Now. */
ring3_arena_mark_t ring3_arena_mark(const ring3_arena_t *arena);

/** Free all that was allocated since the mark, and only that. Marks taken since then are void. */
void ring3_arena_rewind(ring3_arena_t *arena, ring3_arena_mark_t mark);

/** Free everything, but keep the newest piece for what comes next. */
void ring3_arena_clear(ring3_arena_t *arena);

/** Free everything. The arena is as new: all-zero, or with all of the caller's memory left. */
void ring3_arena_destroy(ring3_arena_t *arena);

void ring3_arena_statistics(const ring3_arena_t *arena, ring3_arena_statistics_t *statistics);

RING3_API_END

#endif
