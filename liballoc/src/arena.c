/* SPDX-License-Identifier: MIT */
/* Arenas: pieces, marks and what is left. See ring3/arena.h. */
#include "ring3/arena.h"

#include "ring3/malloc.h"

#include <errno.h>
#include <string.h>

#define ALIGN_MAX 4096

struct ring3_arena_piece {
    struct ring3_arena_piece *older;
    char *end;
};

static char *start_of(struct ring3_arena_piece *piece)
{
    return (char *)(piece + 1);
}

void ring3_arena_init(ring3_arena_t *arena, void *memory, size_t size)
{
    *arena = (ring3_arena_t){.at = memory, .end = (char *)memory + size, .fixed = memory};
}

/* A piece with room for at least `size` bytes behind its head. */
static struct ring3_arena_piece *add_piece(ring3_arena_t *arena, size_t size)
{
    const int saved = errno;
    size_t bytes = arena->next_piece ? arena->next_piece : RING3_ARENA_PIECE_MIN;
    struct ring3_arena_piece *piece;

    if (bytes < RING3_ARENA_PIECE_MAX)
        arena->next_piece = bytes * 2;
    if (bytes < size + sizeof *piece)
        bytes = size + sizeof *piece;
    piece = ring3_malloc(bytes);
    errno = saved;
    if (!piece)
        return NULL;
    piece->older = arena->pieces;
    piece->end = (char *)piece + bytes;
    arena->pieces = piece;
    return piece;
}

void *ring3_arena_allocate_slow(ring3_arena_t *arena, size_t size, size_t align)
{
    struct ring3_arena_piece *piece;

    align = align ? align : 16;
    if ((align & (align - 1)) || align > ALIGN_MAX || size > PTRDIFF_MAX || arena->fixed)
        return NULL;
    piece = add_piece(arena, size + align - 1);
    if (!piece)
        return NULL;
    arena->at = start_of(piece);
    arena->end = piece->end;
    return ring3_arena_allocate(arena, size, align);
}

void *ring3_arena_copy(ring3_arena_t *arena, const void *bytes, size_t size)
{
    void *const copy = ring3_arena_allocate(arena, size, 0);

    return copy && size ? memcpy(copy, bytes, size) : copy;
}

char *ring3_arena_strdup(ring3_arena_t *arena, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *const copy = ring3_arena_allocate(arena, size, 1);

    return copy ? memcpy(copy, text, size) : NULL;
}

ring3_arena_mark_t ring3_arena_mark(const ring3_arena_t *arena)
{
    return (ring3_arena_mark_t){arena->at, arena->end, arena->pieces};
}

/* Free the pieces that are newer than `last`. */
static void free_newer(ring3_arena_t *arena, const struct ring3_arena_piece *last)
{
    while (arena->pieces != last) {
        struct ring3_arena_piece *const piece = arena->pieces;

        arena->pieces = piece->older;
        ring3_free(piece);
    }
}

void ring3_arena_rewind(ring3_arena_t *arena, ring3_arena_mark_t mark)
{
    free_newer(arena, mark.pieces);
    arena->at = mark.at;
    arena->end = mark.end;
}

void ring3_arena_clear(ring3_arena_t *arena)
{
    struct ring3_arena_piece *const newest = arena->pieces;

    if (!newest) {
        ring3_arena_destroy(arena);
        return;
    }
    arena->pieces = newest->older;
    free_newer(arena, NULL);
    newest->older = NULL;
    arena->pieces = newest;
    arena->at = start_of(newest);
    arena->end = newest->end;
}

void ring3_arena_destroy(ring3_arena_t *arena)
{
    free_newer(arena, NULL);
    if (arena->fixed)
        ring3_arena_init(arena, arena->fixed, (size_t)(arena->end - arena->fixed));
    else
        *arena = (ring3_arena_t){0};
}

void ring3_arena_statistics(const ring3_arena_t *arena, ring3_arena_statistics_t *statistics)
{
    *statistics = (ring3_arena_statistics_t){.left = (size_t)(arena->end - arena->at)};
    if (arena->fixed)
        statistics->held = (size_t)(arena->end - arena->fixed);
    for (struct ring3_arena_piece *piece = arena->pieces; piece; piece = piece->older) {
        statistics->pieces++;
        statistics->held += (size_t)(piece->end - (char *)piece);
    }
}
