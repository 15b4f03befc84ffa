/* SPDX-License-Identifier: MIT */
/*
 * The ring between two threads: what is written before a record is published is seen by who reads it, what is read
 * before room is given back is not overwritten, and nobody sleeps while there is something to do.
 */
#include "model.h"

#include "ring3/loop.h"
#include "ring3/ring.h"

enum { BYTES = RING3_RING_ENDS + 64, SLOTS = 4 /* records of 16 bytes */, MANY = 1000 };

static uint64_t memory[BYTES / 8] __attribute__((aligned(128)));
static ring3_ring_writer_t writer;
static ring3_ring_reader_t reader;
static uint64_t told[SLOTS]; /* what a record is about, ordered by the ring only */

/* Without bells nobody raises one. */
int ring3_event_raise(int fd)
{
    (void)fd;
    model_check(false, "a bell is rung");
    return 0;
}

static void lay_out(void)
{
    ring3_ring_t ring;

    (void)ring3_ring_place(&ring, memory, sizeof memory, RING3_SHARED);
    model_check(ring3_ring_writer_init(&writer, &ring) == 0, "no writer");
    model_check(ring3_ring_reader_init(&reader, &ring) == 0, "no reader");
    /* Yielding only adds schedules that there are anyway. */
    writer.side.crowded = reader.side.crowded = MANY;
}

static void tell(uint64_t number)
{
    model_write(&told[number % SLOTS], number);
    model_check(ring3_ring_put(&writer, &number, sizeof number, 0) == 0, "no room");
    ring3_ring_publish(&writer);
}

static void hear(uint64_t number)
{
    ring3_record_t record;

    model_check(ring3_ring_reader_wait(&reader, NULL) == 0, "the wait failed");
    model_check(ring3_ring_peek(&reader, &record) == 0 && record.size == sizeof number,
                "the wait was for nothing");
    model_check(model_read(&told[number % SLOTS]) == number, "a record is seen too early");
    ring3_ring_release(&reader);
}

static void pass_two(int me)
{
    for (uint64_t i = 1; i <= 2; i++)
        me == 0 ? tell(i) : hear(i);
}
MODEL(ring_pass, .threads = 2, .start = lay_out, .thread = pass_two, .interruptions = 3, .stale = 2,
      .watched = "ring")

/* A ring that is full: the writer may have to wait for room. */
static void lay_out_full(void)
{
    lay_out();
    for (uint64_t i = 0; i < SLOTS; i++)
        tell(i);
}

static void one_more(int me)
{
    if (me == 0) {
        model_check(ring3_ring_writer_wait(&writer, sizeof(uint64_t), NULL) == 0, "no room comes");
        tell(SLOTS);
    } else {
        hear(0);
        hear(1);
    }
}
MODEL(ring_full, .threads = 2, .start = lay_out_full, .thread = one_more, .interruptions = 3,
      .stale = 2, .watched = "ring")

/* The end is news too. */
static void close_or_wait(int me)
{
    if (me == 0) {
        tell(1);
        ring3_ring_writer_close(&writer);
    } else {
        hear(1);
        model_check(ring3_ring_reader_wait(&reader, NULL) == -EPIPE, "the end was not told");
    }
}
MODEL(ring_close, .threads = 2, .start = lay_out, .thread = close_or_wait, .interruptions = 3,
      .stale = 2)
