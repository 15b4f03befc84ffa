/* SPDX-License-Identifier: MIT */
/* Where a ring is, and the slow halves of reading and writing it: see ring3/ring.h. */
#include "ring3/ring.h"

#include "mirror.h"
#include "ring3/fd.h"
#include "ring3/memfd.h"

#include <assert.h>
#include <sys/mman.h>

static_assert(sizeof(ring3_ring_end_t) == 256, "the layout is shared between processes");

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

int ring3_ring_place(ring3_ring_t *ring, void *memory, size_t bytes, int shared)
{
    uint32_t capacity = 64;

    if ((uintptr_t)memory % 8 != 0 || bytes < RING3_RING_ENDS + capacity)
        return -EINVAL;
    while (capacity < RING3_RING_MAX && (size_t)2 * capacity <= bytes - RING3_RING_ENDS)
        capacity *= 2;
    *ring = (ring3_ring_t){.writer = memory,
                           .reader = (ring3_ring_end_t *)memory + 1,
                           .data = (ring3_ring_end_t *)memory + 2,
                           .capacity = capacity,
                           .shared = (uint32_t)shared};
    return 0;
}

size_t ring3_ring_file_size(uint32_t capacity)
{
    return ring3_page_size() + capacity;
}

int ring3_ring_map(ring3_ring_t *ring, int fd, uint64_t offset, uint32_t capacity)
{
    const size_t page = ring3_page_size();
    void *base = NULL;
    int err;

    if (!power_of_two(capacity) || capacity < page || capacity > RING3_RING_MAX ||
        offset % page != 0)
        return -EINVAL;
    err = ring3_mirror_map(&base, fd, offset, page, capacity, PROT_READ | PROT_WRITE);
    if (err)
        return err;
    *ring = (ring3_ring_t){.writer = base,
                           .reader = (ring3_ring_end_t *)base + 1,
                           .data = (unsigned char *)base + page,
                           .capacity = capacity,
                           .mirrored = 1,
                           .shared = RING3_SHARED,
                           .mapped = page};
    return 0;
}

int ring3_ring_create(ring3_ring_t *ring, uint32_t capacity)
{
    const int fd = ring3_memfd_create("ring3-ring", ring3_ring_file_size(capacity));
    int err;

    if (fd < 0)
        return fd;
    err = ring3_ring_map(ring, fd, 0, capacity);
    ring3_fd_close(fd);
    return err;
}

void ring3_ring_unmap(ring3_ring_t *ring)
{
    if (ring->mapped)
        ring3_mirror_unmap(ring->writer, ring->mapped, ring->capacity);
    *ring = (ring3_ring_t){0};
}

/* A position without the bit that says closed. */
static uint64_t open_part(uint64_t position)
{
    return position & ~(uint64_t)RING3_RING_CLOSED;
}

static int break_side(ring3_ring_side_t *side)
{
    side->broken = 1;
    return -EPROTO;
}

/* `mine` is believed only so far: it was written by whoever had this side before. */
static int side_init(ring3_ring_side_t *side, const ring3_ring_t *ring, bool writes)
{
    *side = (ring3_ring_side_t){.mine = writes ? ring->writer : ring->reader,
                                .peer = writes ? ring->reader : ring->writer,
                                .data = ring->data,
                                .capacity = ring->capacity,
                                .mirrored = ring->mirrored,
                                .shared = ring->shared,
                                .light = ring3_fence_global_join(),
                                .bell = -1};
    if (!power_of_two(ring->capacity) || ring->capacity < 64 || ring->capacity > RING3_RING_MAX)
        return -EINVAL;
    ring3_store(&side->mine->fences, side->light, RING3_RELAXED);
    ring3_store(&side->mine->waiting, 0, RING3_RELAXED);
    ring3_store(&side->mine->position,
                ring3_load(&side->mine->position, RING3_RELAXED) & ~(uint64_t)RING3_RING_CLOSED,
                RING3_RELAXED);
    /* A peer that armed before it could see `fences` relied on a full fence here: see arm. */
    ring3_fence_full();
    return 0;
}

int ring3_ring_writer_init(ring3_ring_writer_t *writer, const ring3_ring_t *ring)
{
    const int err = side_init(&writer->side, ring, true);

    if (err)
        return err;
    writer->records = 0;
    writer->tail = ring3_load(&ring->writer->position, RING3_RELAXED);
    writer->seen = open_part(ring3_load(&ring->reader->position, RING3_ACQUIRE));
    return writer->tail - writer->seen <= ring->capacity && writer->tail % 8 == 0
               ? 0
               : break_side(&writer->side);
}

int ring3_ring_reader_init(ring3_ring_reader_t *reader, const ring3_ring_t *ring)
{
    const int err = side_init(&reader->side, ring, false);

    if (err)
        return err;
    reader->span = reader->records = 0;
    reader->head = reader->seen = reader->given =
        ring3_load(&ring->reader->position, RING3_RELAXED);
    return reader->head % 8 == 0 ? 0 : break_side(&reader->side);
}

/* Looks where the reader is. True if `need` bytes are free now. */
bool ring3_ring_writer_refresh(ring3_ring_writer_t *writer, uint64_t need)
{
    /* Pairs with the release in ring3_ring_give_back. */
    const uint64_t position = open_part(ring3_load(&writer->side.peer->position, RING3_ACQUIRE));

    /* It can only have moved forward, and not beyond what we have published. */
    if (position - writer->seen > writer->tail - writer->seen)
        (void)break_side(&writer->side);
    if (writer->side.broken)
        return false;
    writer->seen = position;
    return writer->tail + need - position <= writer->side.capacity;
}

/* Looks where the writer is. 0 if there is something to read, -EAGAIN, -EPIPE or -EPROTO. */
int ring3_ring_reader_refresh(ring3_ring_reader_t *reader)
{
    /* Pairs with the releases in ring3_ring_publish and ring3_ring_writer_close. */
    const uint64_t word = ring3_load(&reader->side.peer->position, RING3_ACQUIRE);
    const uint64_t position = open_part(word);

    if (reader->side.broken)
        return -EPROTO;
    if (position - reader->head > reader->side.capacity || position % 8 != 0 ||
        position - reader->head < reader->seen - reader->head)
        return break_side(&reader->side);
    reader->seen = position;
    if (position != reader->head)
        return 0;
    if (reader->given != reader->head)
        ring3_ring_give_back(reader);
    return word & RING3_RING_CLOSED ? -EPIPE : -EAGAIN;
}

int ring3_ring_peek_slow(ring3_ring_reader_t *reader, ring3_record_t *record)
{
    const uint32_t capacity = reader->side.capacity;

    for (;;) {
        const int err = reader->head == reader->seen || reader->side.broken
                            ? ring3_ring_reader_refresh(reader)
                            : 0;
        const uint64_t at = reader->head & (capacity - 1);

        if (err)
            return err;
        const uint64_t header =
            ring3_load((const uint64_t *)(const void *)(reader->side.data + at), RING3_RELAXED);
        const uint64_t span = ring3_ring_span((uint32_t)header);

        if (span > reader->seen - reader->head || (!reader->side.mirrored && span > capacity - at))
            return break_side(&reader->side);
        if ((uint32_t)(header >> 32) != RING3_RING_FILLER) {
            *record = (ring3_record_t){reader->side.data + at + RING3_RING_HEADER, (uint32_t)header,
                                       (uint32_t)(header >> 32)};
            reader->span = span;
            return 0;
        }
        /* A hostile writer may send fillers only, but each one is progress through at most a ring's
         * worth; then we look again, and end when nothing new was published. */
        reader->head += span;
    }
}

void ring3_ring_writer_close(ring3_ring_writer_t *writer)
{
    /* Pairs with the acquire in ring3_ring_reader_refresh. */
    ring3_store(&writer->side.mine->position, writer->tail | RING3_RING_CLOSED, RING3_RELEASE);
    ring3_ring_notify(&writer->side);
}

void ring3_ring_reader_close(ring3_ring_reader_t *reader)
{
    /* Pairs with the acquire in ring3_ring_writer_wait. */
    ring3_store(&reader->side.mine->position, reader->head | RING3_RING_CLOSED, RING3_RELEASE);
    ring3_ring_notify(&reader->side);
}
