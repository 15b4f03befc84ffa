/* SPDX-License-Identifier: MIT */
#include "lang/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Most commands fit the first chunk; 8 KiB keep the resident size of `sh -c :` small. */
#define CHUNK 8192

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    alignas(16) char bytes[];
};

static _Noreturn void out_of_memory(void)
{
    static const char message[] = "r3sh: out of memory\n";

    if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
        _exit(2);
    _exit(2);
}

void *must_alloc(size_t size)
{
    void *block = malloc(size ? size : 1);

    if (!block)
        out_of_memory();
    return block;
}

void *must_realloc(void *block, size_t size)
{
    block = realloc(block, size ? size : 1);
    if (!block)
        out_of_memory();
    return block;
}

char *must_copy(const char *text, size_t length)
{
    char *copy = must_alloc(length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void *arena_more(struct arena *arena, size_t size)
{
    const size_t room = size > CHUNK / 4 ? size + CHUNK : CHUNK;
    struct arena_chunk *chunk = must_alloc(sizeof(*chunk) + room);

    chunk->older = arena->chunk;
    chunk->size = room;
    arena->chunk = chunk;
    arena->next = chunk->bytes + size;
    arena->end = chunk->bytes + room;
    return chunk->bytes;
}

void *arena_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void arena_unwind(struct arena *arena, struct arena_mark mark)
{
    /* A mark taken before the first chunk keeps that one: loops would free and allocate it. */
    while (arena->chunk != mark.chunk && (mark.chunk || arena->chunk->older)) {
        struct arena_chunk *chunk = arena->chunk;

        arena->chunk = chunk->older;
        free(chunk);
    }
    arena->next = mark.chunk ? mark.next : arena->chunk->bytes;
    arena->end = arena->chunk->bytes + arena->chunk->size;
}

void arena_free(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *chunk = arena->chunk;

        arena->chunk = chunk->older;
        free(chunk);
    }
    arena->next = arena->end = NULL;
}
