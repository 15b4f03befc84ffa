/* SPDX-License-Identifier: MIT */
#include "ring3/ring.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "ring3/loop.h"
#include "ring3/memfd.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define CAPACITY 65536u

static _Alignas(128) unsigned char memory[RING3_RING_ENDS + 256];

static ring3_ring_t small_ring(ring3_ring_writer_t *writer, ring3_ring_reader_t *reader)
{
    ring3_ring_t ring;

    memset(memory, 0, sizeof memory);
    check_eq(ring3_ring_place(&ring, memory, sizeof memory, RING3_PRIVATE), 0);
    check_eq(ring3_ring_writer_init(writer, &ring), 0);
    check_eq(ring3_ring_reader_init(reader, &ring), 0);
    return ring;
}

TEST(ring, takes_the_largest_capacity_that_fits)
{
    ring3_ring_t ring;

    check_eq(ring3_ring_place(&ring, memory, sizeof memory, RING3_PRIVATE), 0);
    check_eq(ring.capacity, 256u);
    check_eq(ring3_ring_place(&ring, memory, sizeof memory - 1, RING3_PRIVATE), 0);
    check_eq(ring.capacity, 128u);
    check_eq(ring3_ring_place(&ring, memory, RING3_RING_ENDS + 63, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_ring_place(&ring, memory + 1, 1000, RING3_PRIVATE), -EINVAL);
}

TEST(ring, shows_a_record_when_it_is_published)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    ring3_record_t record;

    (void)small_ring(&writer, &reader);
    check_eq(ring3_ring_peek(&reader, &record), -EAGAIN);
    check_eq(ring3_ring_put(&writer, "hello", 5, 7), 0);
    check_eq(ring3_ring_put(&writer, "", 0, 8), 0);
    check_eq(ring3_ring_peek(&reader, &record), -EAGAIN, "it was committed only");
    ring3_ring_publish(&writer);
    check_eq(ring3_ring_peek(&reader, &record), 0);
    check_eq(record.size, 5u);
    check_eq(record.type, 7u);
    check(memcmp(record.data, "hello", 5) == 0);
    ring3_ring_release(&reader);
    check_eq(ring3_ring_peek(&reader, &record), 0);
    check_eq(record.size, 0u);
    check_eq(record.type, 8u);
    ring3_ring_release(&reader);
    check_eq(ring3_ring_peek(&reader, &record), -EAGAIN);
}

TEST(ring, gives_up_what_was_claimed_and_not_committed)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    char text[8] = "";

    (void)small_ring(&writer, &reader);
    check(ring3_ring_claim(&writer, 100) != NULL);
    check_eq(ring3_ring_put(&writer, "kept", 4, 0), 0);
    ring3_ring_publish(&writer);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), 4);
    check_str_eq(text, "kept");
}

TEST(ring, refuses_when_full_and_takes_more_after_reading)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const struct timespec past = deadline_in(-1);
    char buffer[32];
    int n = 0;

    (void)small_ring(&writer, &reader);
    while (ring3_ring_put(&writer, "0123456789abcdef01234567", 24, 0) == 0)
        n++;
    check_eq(n, 8);
    check_eq(ring3_ring_writer_wait(&writer, 24, &past), -ETIMEDOUT);
    check_eq(ring3_ring_read(&reader, buffer, 8, NULL), -EMSGSIZE, "it is left there");
    for (int i = 0; i < n; i++)
        check_eq(ring3_ring_read(&reader, buffer, sizeof buffer, NULL), 24);
    check_eq(ring3_ring_writer_wait(&writer, 24, &past), 0);
    check_eq(ring3_ring_put(&writer, "x", 1, 0), 0);
    check_eq(ring3_ring_writer_wait(&writer, 121, NULL), -EMSGSIZE);
    check(ring3_ring_claim(&writer, 121) == NULL);
}

/* Records of every size, so that every place is cut at every distance. */
static void goes_round(const ring3_ring_t *ring)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    unsigned char in[512], out[512];

    check_eq(ring3_ring_writer_init(&writer, ring), 0);
    check_eq(ring3_ring_reader_init(&reader, ring), 0);
    for (unsigned i = 0; i < 5000; i++) {
        const size_t size =
            i * 7 %
            (ring3_ring_largest(&writer.side) < 500 ? ring3_ring_largest(&writer.side) + 1 : 500);
        uint32_t type = 0;

        fill_pattern(in, size, i);
        check_eq(ring3_ring_put(&writer, in, size, i), 0, "record %u", i);
        ring3_ring_publish(&writer);
        check_eq(ring3_ring_read(&reader, out, sizeof out, &type), (ptrdiff_t)size);
        check_eq(type, i);
        check(has_pattern(out, size, i), "record %u", i);
    }
}

TEST(ring, keeps_records_whole_around_its_end)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const ring3_ring_t ring = small_ring(&writer, &reader);

    goes_round(&ring);
}

TEST(ring, mirrored_takes_records_up_to_its_capacity)
{
    ring3_ring_t ring;
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    static unsigned char in[CAPACITY], out[CAPACITY];

    check_eq(ring3_ring_create(&ring, CAPACITY), 0);
    goes_round(&ring);
    ring3_ring_unmap(&ring);
    check_eq(ring3_ring_create(&ring, CAPACITY), 0);
    check_eq(ring3_ring_writer_init(&writer, &ring), 0);
    check_eq(ring3_ring_reader_init(&reader, &ring), 0);
    check_eq(ring3_ring_largest(&writer.side), CAPACITY - 8u);
    fill_pattern(in, CAPACITY - 8, 3);
    check_eq(ring3_ring_put(&writer, in, CAPACITY - 8, 0), 0);
    check(ring3_ring_claim(&writer, 0) == NULL);
    ring3_ring_publish(&writer);
    check_eq(ring3_ring_read(&reader, out, CAPACITY, NULL), (ptrdiff_t)CAPACITY - 8);
    check(has_pattern(out, CAPACITY - 8, 3));
    ring3_ring_unmap(&ring);
    check_eq(ring3_ring_create(&ring, 5000), -EINVAL);
}

TEST(ring, maps_only_what_fits)
{
    ring3_ring_t ring;
    const int fd = ring3_memfd_create("ring", ring3_ring_file_size(CAPACITY));

    check_ge(fd, 0);
    check_eq(ring3_ring_map(&ring, fd, 0, CAPACITY), 0);
    ring3_ring_unmap(&ring);
    check_eq(ring3_ring_map(&ring, fd, 1, CAPACITY), -EINVAL);
    check_eq(ring3_ring_map(&ring, fd, 0, CAPACITY + 4096), -EINVAL);
    check_eq(ring3_ring_map(&ring, fd, 0, 64), -EINVAL);
    check_eq(ring3_ring_map(&ring, -1, 0, CAPACITY), -EBADF);
}

TEST(ring, a_new_side_goes_on_where_the_last_one_ended)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const ring3_ring_t ring = small_ring(&writer, &reader);
    char text[8] = "";

    check_eq(ring3_ring_put(&writer, "one", 3, 0), 0);
    check_eq(ring3_ring_put(&writer, "two", 3, 0), 0);
    ring3_ring_publish(&writer);
    check_eq(ring3_ring_put(&writer, "lost", 4, 0), 0);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), 3);
    ring3_ring_give_back(&reader);
    check_eq(ring3_ring_writer_init(&writer, &ring), 0);
    check_eq(ring3_ring_reader_init(&reader, &ring), 0);
    check_eq(ring3_ring_put(&writer, "three", 5, 0), 0);
    ring3_ring_publish(&writer);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), 3);
    check(memcmp(text, "two", 3) == 0);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), 5);
    check(memcmp(text, "three", 5) == 0);
}

TEST(ring, tells_that_the_other_side_has_closed)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    char text[8];

    (void)small_ring(&writer, &reader);
    check_eq(ring3_ring_put(&writer, "last", 4, 0), 0);
    ring3_ring_writer_close(&writer);
    check_eq(ring3_ring_reader_wait(&reader, NULL), 0);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), 4);
    check_eq(ring3_ring_read(&reader, text, sizeof text, NULL), -EPIPE);
    check_eq(ring3_ring_reader_wait(&reader, NULL), -EPIPE);
    (void)small_ring(&writer, &reader);
    ring3_ring_reader_close(&reader);
    check_eq(ring3_ring_writer_wait(&writer, 1, NULL), -EPIPE);
}

TEST(ring, times_out)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const struct timespec soon = deadline_in(30), malformed = {0, -1};
    const double start = seconds_now();

    (void)small_ring(&writer, &reader);
    check_eq(ring3_ring_reader_wait(&reader, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - start, 0.03);
    check_eq(reader.side.sleeps, 1u, "it looks again and again instead of sleeping");
    check_eq(ring3_ring_reader_wait(&reader, &malformed), -EINVAL);
    check_eq(ring3_ring_writer_wait(&writer, 1, &malformed), -EINVAL);
}

/* --- Two sides at once ------------------------------------------------------------------------- */

static struct {
    ring3_ring_t ring;
    long count;
    unsigned batch;
    bool storm;
} traffic;

static void write_all(void)
{
    ring3_ring_writer_t writer;
    uint64_t message[16];

    check_eq(ring3_ring_writer_init(&writer, &traffic.ring), 0);
    for (uint64_t i = 0; i < (uint64_t)traffic.count; i++) {
        const size_t words = 1 + i % 16;

        for (size_t w = 0; w < words; w++)
            message[w] = i + w;
        while (ring3_ring_put(&writer, message, words * 8, (uint32_t)i))
            check_eq(ring3_ring_writer_wait(&writer, words * 8, NULL), 0);
        if (i % traffic.batch == 0)
            ring3_ring_publish(&writer);
    }
    ring3_ring_writer_close(&writer);
}

static void *write_thread(void *unused)
{
    write_all();
    return unused;
}

static void read_all(void)
{
    ring3_ring_reader_t reader;
    uint64_t message[16];
    uint64_t n = 0;
    ptrdiff_t got;

    check_eq(ring3_ring_reader_init(&reader, &traffic.ring), 0);
    for (;;) {
        const int err = ring3_ring_reader_wait(&reader, NULL);

        if (err == -EPIPE)
            break;
        check_eq(err, 0);
        while ((got = ring3_ring_read(&reader, message, sizeof message, NULL)) >= 0) {
            check_eq(got, (ptrdiff_t)(8 * (1 + n % 16)));
            for (size_t w = 0; w < (size_t)got / 8; w++)
                check_eq(message[w], n + w);
            n++;
        }
    }
    check_eq(n, (uint64_t)traffic.count);
}

static void between_threads(uint32_t capacity, unsigned batch)
{
    pthread_t thread;

    traffic.count = scaled(200000, 20000000);
    traffic.batch = batch;
    check_eq(ring3_ring_create(&traffic.ring, capacity), 0);
    check_eq(pthread_create(&thread, NULL, write_thread, NULL), 0);
    read_all();
    check_eq(pthread_join(thread, NULL), 0);
    ring3_ring_unmap(&traffic.ring);
}

TEST(ring, carries_everything_in_order_between_threads, 60)
{
    between_threads(4096, 1);
}
TEST(ring, carries_everything_in_batches, 60)
{
    between_threads(CAPACITY, 16);
}

static void between_processes(void)
{
    pid_t pid;

    traffic.count = scaled(100000, 20000000);
    traffic.batch = 1;
    check_eq(ring3_ring_create(&traffic.ring, 4096), 0);
    pid = fork();
    check_ge(pid, 0);
    if (pid == 0) {
        if (traffic.storm)
            start_signal_storm();
        write_all();
        _exit(0);
    }
    if (traffic.storm)
        start_signal_storm();
    read_all();
    if (traffic.storm)
        stop_signal_storm();
    check_child(pid);
}

TEST(ring, carries_everything_between_processes, 60)
{
    between_processes();
}
TEST(ring, carries_everything_without_membarrier_and_rseq, 60)
{
    check_eq(ring3_env_disable("membarrier,rseq"), 0);
    between_processes();
}
TEST(ring, carries_everything_through_a_storm_of_signals, 60)
{
    traffic.storm = true;
    between_processes();
}

/* Ping-pong sleeps and wakes at every step: a lost wake-up hangs here. */
TEST(ring, loses_no_wake_up, 60)
{
    ring3_ring_t there, back;
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const long rounds = scaled(20000, 2000000);
    long got = -1;

    check_eq(ring3_ring_create(&there, 4096), 0);
    check_eq(ring3_ring_create(&back, 4096), 0);
    const pid_t pid = fork();
    const bool child = pid == 0;

    check_ge(pid, 0);
    check_eq(ring3_ring_writer_init(&writer, child ? &back : &there), 0);
    check_eq(ring3_ring_reader_init(&reader, child ? &there : &back), 0);
    for (long i = 0; i < rounds; i++) {
        if (!child) {
            check_eq(ring3_ring_put(&writer, &i, sizeof i, 0), 0);
            ring3_ring_publish(&writer);
        }
        check_eq(ring3_ring_reader_wait(&reader, NULL), 0);
        check_eq(ring3_ring_read(&reader, &got, sizeof got, NULL), (ptrdiff_t)sizeof got);
        check_eq(got, i);
        if (child) {
            check_eq(ring3_ring_put(&writer, &got, sizeof got, 0), 0);
            ring3_ring_publish(&writer);
        }
    }
    if (child)
        _exit(0);
    check_child(pid);
}

/* A writer that looks late: the sleeper has announced itself, is not asleep yet, and has all records. */
TEST(ring, a_sleep_is_dealt_with_once_the_sleeper_was_woken)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;

    (void)small_ring(&writer, &reader);
    ring3_ring_arm(&reader.side, RING3_RING_BY_FUTEX);
    ring3_ring_publish(&writer);
    check_eq(writer.side.wakes, 0u);
    check_ne(writer.side.woken, reader.side.mine->waiting, "the next record would not wake it");
    ring3_ring_disarm(&reader.side);
    ring3_ring_publish(&writer);
    check_eq(writer.side.woken, reader.side.mine->waiting);
}

TEST(ring, raises_the_bell_once_per_sleep)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    char text[8];

    (void)small_ring(&writer, &reader);
    writer.side.bell = ring3_event_open();
    check_ge(writer.side.bell, 0);
    check_eq(ring3_ring_put(&writer, "a", 1, 0), 0);
    ring3_ring_publish(&writer);
    check_eq(ring3_event_take(writer.side.bell), -EAGAIN, "nobody sleeps");
    check_eq(ring3_ring_read(&reader, text, 8, NULL), 1);
    ring3_ring_arm(&reader.side, RING3_RING_BY_BELL);
    for (int i = 0; i < 3; i++) {
        check_eq(ring3_ring_put(&writer, "b", 1, 0), 0);
        ring3_ring_publish(&writer);
    }
    check_eq(ring3_event_take(writer.side.bell), 1, "one edge, one bell");
    ring3_ring_disarm(&reader.side);
    check_eq(ring3_ring_put(&writer, "c", 1, 0), 0);
    ring3_ring_publish(&writer);
    check_eq(ring3_event_take(writer.side.bell), -EAGAIN);
    ring3_ring_arm(&reader.side, RING3_RING_BY_BELL);
    ring3_ring_publish(&writer);
    check_eq(ring3_event_take(writer.side.bell), 1);
}

/* --- A hostile peer ----------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Half of the words look almost right. */
static uint64_t nasty_word(uint64_t position)
{
    switch (next_random() % 4) {
    case 0:
        return position + next_random() % 512 - 256;
    case 1:
        return (uint64_t)RING3_RING_FILLER << 32 | next_random() % 300;
    case 2:
        return next_random() % 300;
    default:
        return next_random();
    }
}

TEST(ring, reads_nothing_outside_whatever_the_writer_writes, 60)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const ring3_ring_t ring = small_ring(&writer, &reader);
    const unsigned char *const first = ring.data, *const last = first + ring.capacity;
    const long rounds = scaled(100000, 1000000);
    long seen = 0, refused = 0;

    for (long i = 0; i < rounds; i++) {
        uint64_t *const words = i % 2 ? ring.data : &ring.writer->position;
        const size_t n = i % 2 ? ring.capacity / 8 : 1;
        ring3_record_t record;
        int err;

        ring3_store(&words[next_random() % n], nasty_word(reader.head), RING3_RELAXED);
        for (int look = 0; (err = ring3_ring_peek(&reader, &record)) == 0; look++) {
            const unsigned char *const data = record.data;

            check(data >= first && data + record.size <= last && record.size <= ring.capacity,
                  "%u bytes at %td", record.size, data - first);
            check_lt(look, 64, "a ring of 256 bytes holds no more records");
            seen++;
            ring3_ring_release(&reader);
        }
        if (err == -EPROTO) {
            refused++;
            ring3_store(&ring.writer->position, reader.head & ~UINT64_C(7), RING3_RELAXED);
            ring3_store(&ring.reader->position, reader.head & ~UINT64_C(7), RING3_RELAXED);
            check_eq(ring3_ring_reader_init(&reader, &ring), 0);
        }
    }
    check_gt(seen, 0);
    check_gt(refused, 0);
}

TEST(ring, writes_nothing_outside_whatever_the_reader_writes, 60)
{
    ring3_ring_writer_t writer;
    ring3_ring_reader_t reader;
    const ring3_ring_t ring = small_ring(&writer, &reader);
    unsigned char *const first = ring.data;
    const long rounds = scaled(100000, 1000000);
    long refused = 0;

    for (long i = 0; i < rounds; i++) {
        const size_t size = next_random() % 130;

        ring3_store(&ring.reader->position, nasty_word(writer.tail), RING3_RELAXED);
        ring3_store(&ring.reader->waiting, (uint32_t)next_random(), RING3_RELAXED);
        unsigned char *const slot = ring3_ring_claim(&writer, size);

        if (slot) {
            check(slot >= first && slot + size <= first + ring.capacity);
            memset(slot, 0x5a, size);
            ring3_ring_commit(&writer, size, 0);
            ring3_ring_publish(&writer);
        }
        if (writer.side.broken) {
            const struct timespec past = deadline_in(-1);

            ring3_store(&ring.reader->position, writer.tail, RING3_RELAXED);
            check_eq(ring3_ring_writer_wait(&writer, 1, &past), -EPROTO, "it stays refused");
            ring3_store(&ring.writer->position, writer.tail, RING3_RELAXED);
            check_eq(ring3_ring_writer_init(&writer, &ring), 0);
            refused++;
        }
    }
    check_gt(refused, 0);
}
