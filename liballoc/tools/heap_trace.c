/* SPDX-License-Identifier: MIT */
/*
 * Reading a trace: the threads' events are merged by time, and addresses become numbers of objects.
 * What a file says is not trusted: counts are bounded by its size, and sizes by what malloc takes.
 *
 * Memory is mapped, not allocated, so that the replay's own heap holds nothing else.
 */
#include "heap_trace.h"

#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The chunks of one thread, in their order; where its next event is. */
struct stream {
    uint32_t thread;
    size_t *chunks, count, chunk;
    uint32_t event;
};

struct reader {
    const char *file;
    size_t size, chunks;
    struct stream *streams;
    size_t stream_count;
    /* Live objects by address: open addressing, and the power of two it has room for. */
    struct entry {
        uint64_t address; /* 0: empty; 1: was removed */
        uint32_t object;
    } * table;
    size_t room, filled;
    uint64_t *sizes; /* of every object, now */
};

static void *map_memory(size_t size)
{
    void *const memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* --- Live objects by address ------------------------------------------------------------------ */

static struct entry *find(struct reader *reader, uint64_t address)
{
    size_t at = (address * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (reader->room - 1);

    while (reader->table[at].address && reader->table[at].address != address)
        at = (at + 1) & (reader->room - 1);
    return &reader->table[at];
}

static void insert(struct reader *reader, uint64_t address, uint32_t object)
{
    struct entry *const entry = find(reader, address);

    reader->filled += entry->address == 0;
    *entry = (struct entry){address, object};
}

/* Removed entries fill the table; it is made anew when it is three quarters full. */
static bool make_room(struct reader *reader)
{
    struct entry *const old = reader->table;
    const size_t old_room = reader->room;
    size_t live = 0;

    if (reader->filled * 4 < old_room * 3)
        return true;
    for (size_t i = 0; i < old_room; i++)
        live += old[i].address > 1;
    while (live * 2 >= reader->room)
        reader->room *= 2;
    reader->table = map_memory(reader->room * sizeof *old);
    if (!reader->table)
        return false;
    reader->filled = 0;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].address > 1)
            insert(reader, old[i].address, old[i].object);
    munmap(old, old_room * sizeof *old);
    return true;
}

/* --- Streams ---------------------------------------------------------------------------------- */

static const struct trace_chunk *chunk_at(const struct reader *reader, size_t index)
{
    return (const struct trace_chunk *)(const void *)(reader->file + index * TRACE_CHUNK);
}

static uint32_t events_in(const struct reader *reader, size_t index)
{
    const uint32_t count = chunk_at(reader, index)->count;

    return count < TRACE_EVENTS ? count : (uint32_t)TRACE_EVENTS;
}

static struct stream *stream_of(struct reader *reader, uint32_t thread)
{
    for (size_t i = 0; i < reader->stream_count; i++)
        if (reader->streams[i].thread == thread)
            return &reader->streams[i];

    struct stream *const stream = &reader->streams[reader->stream_count++];

    stream->thread = thread;
    stream->chunks = map_memory(reader->chunks * sizeof *stream->chunks);
    return stream->chunks ? stream : NULL;
}

static bool make_streams(struct reader *reader)
{
    reader->streams = map_memory((reader->chunks + 1) * sizeof *reader->streams);
    if (!reader->streams)
        return false;
    for (size_t i = 1; i < reader->chunks; i++) {
        struct stream *const stream =
            events_in(reader, i) ? stream_of(reader, chunk_at(reader, i)->thread) : NULL;

        if (stream)
            stream->chunks[stream->count++] = i;
    }
    return true;
}

static const struct trace_event *peek(const struct reader *reader, const struct stream *stream)
{
    return stream->chunk < stream->count
               ? &chunk_at(reader, stream->chunks[stream->chunk])->events[stream->event]
               : NULL;
}

static void advance(const struct reader *reader, struct stream *stream)
{
    if (++stream->event == events_in(reader, stream->chunks[stream->chunk])) {
        stream->chunk++;
        stream->event = 0;
    }
}

/* The stream whose next event is the earliest; NULL at the end. */
static struct stream *earliest(struct reader *reader)
{
    struct stream *first = NULL;
    uint64_t when = UINT64_MAX;

    for (size_t i = 0; i < reader->stream_count; i++) {
        const struct trace_event *const event = peek(reader, &reader->streams[i]);

        if (event && event->when >> 4 < when) {
            when = event->when >> 4;
            first = &reader->streams[i];
        }
    }
    return first;
}

/* --- Steps ------------------------------------------------------------------------------------ */

static void note_size(struct reader *reader, struct steps *steps, uint32_t object, uint64_t size)
{
    steps->live += size - reader->sizes[object];
    reader->sizes[object] = size;
    if (steps->live > steps->peak)
        steps->peak = steps->live;
}

static void add_step(struct reader *reader, struct steps *steps, uint64_t address, struct step step)
{
    struct entry *const entry = find(reader, address);
    const bool known = entry->address == address;

    if (step.what == STEP_ALLOCATE) {
        step.object = steps->objects++;
        insert(reader, address, step.object);
    } else if (!known) {
        steps->strangers++;
        return;
    } else {
        step.object = entry->object;
        if (step.what == STEP_RELEASE)
            entry->address = 1;
    }
    note_size(reader, steps, step.object, step.size);
    steps->step[steps->count++] = step;
}

static void next_step(struct reader *reader, struct steps *steps, struct stream *stream)
{
    const struct trace_event event = *peek(reader, stream);
    const struct trace_event *more;
    const uint64_t address = event.what >> TRACE_SIZE_BITS << 4;
    struct step step = {.alignment = 4, .size = event.what & TRACE_SIZE_APART};

    advance(reader, stream);
    more = peek(reader, stream);
    if (step.size == TRACE_SIZE_APART && more && (more->when & 15) == TRACE_MORE) {
        step.alignment = (uint8_t)(more->when >> 4 & 63);
        step.size = more->what & (UINT64_MAX >> 16);
        advance(reader, stream);
    }
    switch (event.when & 15) {
    case TRACE_ALLOCATE:
        step.what = STEP_ALLOCATE;
        break;
    case TRACE_RELEASE:
        step.what = STEP_RELEASE;
        step.size = 0;
        break;
    case TRACE_RESIZE:
        step.what = STEP_RESIZE;
        break;
    default:
        return;
    }
    add_step(reader, steps, address, step);
}

static int read_steps(struct reader *reader, struct steps *steps)
{
    const size_t most = reader->chunks * TRACE_EVENTS;
    struct stream *stream;

    reader->room = 1 << 16;
    reader->table = map_memory(reader->room * sizeof *reader->table);
    reader->sizes = map_memory(most * sizeof *reader->sizes);
    steps->bytes = most * sizeof *steps->step;
    steps->step = map_memory(steps->bytes);
    if (!make_streams(reader) || !reader->table || !reader->sizes || !steps->step)
        return -ENOMEM;
    while ((stream = earliest(reader))) {
        if (!make_room(reader))
            return -ENOMEM;
        next_step(reader, steps, stream);
    }
    for (size_t i = 0; i < reader->stream_count; i++)
        munmap(reader->streams[i].chunks, reader->chunks * sizeof(size_t));
    munmap(reader->streams, (reader->chunks + 1) * sizeof *reader->streams);
    munmap(reader->table, reader->room * sizeof *reader->table);
    munmap(reader->sizes, most * sizeof *reader->sizes);
    return 0;
}

static bool is_trace(const struct reader *reader)
{
    const struct trace_header *const header = (const void *)reader->file;

    return reader->chunks >= 1 && memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) == 0 &&
           header->version == TRACE_VERSION && header->chunk == TRACE_CHUNK;
}

int trace_read(const char *path, struct steps *steps)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct reader reader = {0};
    struct stat status;
    void *mapped;
    int err;

    *steps = (struct steps){0};
    if (fd < 0 || fstat(fd, &status) != 0)
        return fprintf(stderr, "ring3 heap replay: %s: %s\n", path, strerror(errno)), 1;
    reader.size = (size_t)status.st_size;
    reader.chunks = reader.size / TRACE_CHUNK;
    mapped = mmap(NULL, reader.size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    reader.file = mapped;
    if (mapped == MAP_FAILED || !is_trace(&reader))
        return fprintf(stderr, "ring3 heap replay: %s is no trace of ring3's malloc\n", path), 1;
    err = read_steps(&reader, steps);
    munmap(mapped, reader.size + 1);
    return err ? fprintf(stderr, "ring3 heap replay: %s\n", strerror(-err)), 1 : 0;
}
