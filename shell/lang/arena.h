/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back all at once. A command's words and the tree of a command each live in
 * one: nothing in them is freed by itself, and a mark undoes what came after it.
 *
 *     struct arena_mark mark = arena_mark(arena);
 *     char *name = arena_copy(arena, text, length);
 *     arena_release(arena, mark);
 *
 * An allocation never fails: without memory the shell cannot go on, says so and ends with status 2.
 */
#ifndef R3SH_ARENA_H
#define R3SH_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* the newest; older ones hang behind it */
    char *next, *end;
};

struct arena_mark {
    struct arena_chunk *chunk;
    char *next;
};

void *arena_more(struct arena *arena, size_t size);

static inline void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t rounded = (size + 7) & ~(size_t)7;

    if ((size_t)(arena->end - arena->next) < rounded)
        return arena_more(arena, rounded);
    arena->next += rounded;
    return arena->next - rounded;
}

/* The same, all zero. */
void *arena_zero(struct arena *arena, size_t size);

/* A copy of `length` bytes, with a NUL behind them. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

static inline struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->chunk, arena->next};
}

void arena_unwind(struct arena *arena, struct arena_mark mark);

/* Give back everything allocated since the mark. */
static inline void arena_release(struct arena *arena, struct arena_mark mark)
{
    if (arena->chunk == mark.chunk)
        arena->next = mark.next;
    else
        arena_unwind(arena, mark);
}

/* Give back everything. The arena may be used again. */
void arena_free(struct arena *arena);

/* malloc and realloc under the same promise. */
void *must_alloc(size_t size);
void *must_realloc(void *block, size_t size);
char *must_copy(const char *text, size_t length);

#endif
