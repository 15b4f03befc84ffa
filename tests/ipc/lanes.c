/* SPDX-License-Identifier: MIT */
#include "ring3/lanes.h"

#include "ring3/shm.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_shm_t shm;
static ring3_lanes_t lanes;

static void make_lanes(uint32_t count, uint32_t capacity)
{
    check_eq(ring3_shm_create(&shm, ring3_lanes_size(count, capacity)), 0);
    check_eq(ring3_lanes_format(shm.address, shm.size, count, RING3_SHARED), 0);
    check_eq(ring3_lanes_attach(&lanes, shm.address, shm.size), 0);
    check_eq(lanes.capacity, capacity);
}

TEST(lanes, attaches_only_to_what_fits)
{
    static _Alignas(128) char memory[8192];
    ring3_lanes_t got;

    check_eq(ring3_lanes_attach(&got, memory, sizeof memory), -EBADMSG);
    check_eq(ring3_lanes_format(memory, 1000, 2, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_lanes_format(memory, sizeof memory, 0, RING3_PRIVATE), -EINVAL);
    check_eq(ring3_lanes_format(memory, sizeof memory, RING3_LANES_MAX + 1, RING3_PRIVATE),
             -EINVAL);
    check_eq(ring3_lanes_format(memory, sizeof memory, 2, RING3_PRIVATE), 0);
    check_eq(ring3_lanes_attach(&got, memory, sizeof memory), 0);
    check_eq(got.count, 2u);
    check_eq(ring3_lanes_attach(&got, memory, 4096), -EBADMSG);
    got.head->capacity = 100;
    check_eq(ring3_lanes_attach(&got, memory, sizeof memory), -EBADMSG);
}

TEST(lanes, gives_each_writer_one_of_its_own)
{
    ring3_lane_t one, two, three;

    make_lanes(2, 4096);
    check_eq(ring3_lane_open(&one, &lanes), 0);
    check_eq(ring3_lane_open(&two, &lanes), 0);
    check(one.owner != two.owner);
    check_eq(ring3_lane_open(&three, &lanes), -EBUSY);
    ring3_lane_close(&one);
    check_eq(ring3_lane_open(&three, &lanes), 0);
}

TEST(lanes, gives_the_lane_of_a_dead_writer_to_the_next)
{
    ring3_lane_t lane;
    ring3_lanes_reader_t reader;
    ring3_lanes_record_t record;
    char text[16] = "";

    make_lanes(1, 4096);
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(ring3_lane_open(&lane, &lanes), 0);
        check_eq(ring3_lane_send(&lane, "published", 9, 5, NULL), 0);
        check_eq(ring3_ring_put(&lane.writer, "not", 3, 0), 0);
        kill(getpid(), SIGKILL);
    }
    check_killed(pid);
    check_eq(ring3_lane_open(&lane, &lanes), 0);
    check_eq(ring3_lane_send(&lane, "next", 4, 6, NULL), 0);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    check_eq(ring3_lanes_receive(&reader, text, sizeof text, &record, NULL), 9);
    check_eq(record.type, 5u);
    check_eq(ring3_lanes_receive(&reader, text, sizeof text, &record, NULL), 4);
    check_eq(record.type, 6u);
}

TEST(lanes, times_out)
{
    ring3_lanes_reader_t reader;
    const struct timespec soon = deadline_in(20), malformed = {0, -1};
    const double start = seconds_now();
    char byte;

    make_lanes(2, 4096);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    check_eq(ring3_lanes_receive(&reader, &byte, 1, NULL, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - start, 0.02);
    check_eq(ring3_lanes_receive(&reader, &byte, 1, NULL, &malformed), -EINVAL);
}

/* --- Many at once ------------------------------------------------------------------------------------ */

#define WRITERS 4

static long per_writer;

struct message {
    uint64_t writer, number, check;
};

static void write_lane(uint64_t writer)
{
    ring3_lane_t lane;

    check_eq(ring3_lane_open(&lane, &lanes), 0);
    for (uint64_t i = 0; i < (uint64_t)per_writer; i++) {
        const struct message message = {writer, i, writer ^ i ^ 0x5555};

        check_eq(ring3_lane_send(&lane, &message, sizeof message, 0, NULL), 0);
    }
    ring3_lane_close(&lane);
}

static pid_t start_writer(uint64_t writer)
{
    const pid_t pid = fork();

    check_ge(pid, 0);
    if (pid == 0) {
        write_lane(writer);
        _exit(0);
    }
    return pid;
}

static void everything_once(bool storm)
{
    ring3_lanes_reader_t reader;
    uint64_t next[WRITERS] = {0};
    pid_t pids[WRITERS];
    struct message message;

    per_writer = scaled(20000, 2000000);
    make_lanes(WRITERS, 4096);
    for (uint64_t w = 0; w < WRITERS; w++)
        pids[w] = start_writer(w);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    if (storm)
        start_signal_storm();
    for (long i = 0; i < WRITERS * per_writer; i++) {
        check_eq(ring3_lanes_receive(&reader, &message, sizeof message, NULL, NULL),
                 (ptrdiff_t)sizeof message);
        check_lt(message.writer, (uint64_t)WRITERS);
        check_eq(message.number, next[message.writer]++);
        check_eq(message.check, message.writer ^ message.number ^ 0x5555);
    }
    if (storm) {
        char byte;
        const struct timespec soon = deadline_in(20);

        check_eq(ring3_lanes_receive(&reader, &byte, 1, NULL, &soon), -ETIMEDOUT);
        stop_signal_storm();
    }
    for (int w = 0; w < WRITERS; w++)
        check_child(pids[w]);
}

TEST(lanes, one_reader_receives_everything_once_and_in_order, 60)
{
    everything_once(false);
}
TEST(lanes, one_reader_receives_everything_through_a_storm_of_signals, 60)
{
    everything_once(true);
}

#define READERS 3

static struct {
    uint64_t received, sum;
    uint32_t stop;
} * totals;

static void *read_lanes(void *unused)
{
    ring3_lanes_reader_t *const reader = malloc(sizeof *reader);
    struct message message;

    check(reader != NULL);
    check_eq(ring3_lanes_reader_open(reader, &lanes, 16), 0);
    while (!ring3_load(&totals->stop, RING3_ACQUIRE)) {
        const struct timespec soon = deadline_in(50);
        const ptrdiff_t got = ring3_lanes_receive(reader, &message, sizeof message, NULL, &soon);

        if (got == -ETIMEDOUT)
            continue;
        check_eq(got, (ptrdiff_t)sizeof message);
        check_eq(message.check, message.writer ^ message.number ^ 0x5555);
        ring3_fetch_add(&totals->received, 1, RING3_RELAXED);
        ring3_fetch_add(&totals->sum, message.number, RING3_RELAXED);
    }
    ring3_lanes_reader_close(reader);
    free(reader);
    return unused;
}

TEST(lanes, many_readers_share_the_work, 60)
{
    pthread_t threads[READERS];
    ring3_shm_t counts;
    pid_t pids[WRITERS];

    per_writer = scaled(10000, 1000000);
    make_lanes(WRITERS, 4096);
    check_eq(ring3_shm_create(&counts, sizeof *totals), 0);
    totals = counts.address;
    for (uint64_t w = 0; w < WRITERS; w++)
        pids[w] = start_writer(w);
    for (int r = 0; r < READERS; r++)
        check_eq(pthread_create(&threads[r], NULL, read_lanes, NULL), 0);
    for (int w = 0; w < WRITERS; w++)
        check_child(pids[w]);
    while (ring3_load(&totals->received, RING3_RELAXED) < (uint64_t)(WRITERS * per_writer))
        sleep_ms(1);
    ring3_store(&totals->stop, 1, RING3_RELEASE);
    for (int r = 0; r < READERS; r++)
        check_eq(pthread_join(threads[r], NULL), 0);
    check_eq(totals->received, (uint64_t)(WRITERS * per_writer));
    check_eq(totals->sum, (uint64_t)(WRITERS * per_writer * (per_writer - 1) / 2));
}

TEST(lanes, a_reader_that_dies_is_succeeded_and_nothing_is_lost)
{
    ring3_lanes_reader_t reader;
    ring3_lanes_record_t record;
    ring3_lane_t lane;
    uint64_t n;

    make_lanes(1, 4096);
    check_eq(ring3_lane_open(&lane, &lanes), 0);
    for (uint64_t i = 0; i < 40; i++)
        check_eq(ring3_lane_send(&lane, &i, sizeof i, 0, NULL), 0);
    const pid_t pid = fork();

    if (pid == 0) { /* gives back 16, dies with 4 more */
        check_eq(ring3_lanes_reader_open(&reader, &lanes, 16), 0);
        for (int i = 0; i < 20; i++)
            check_eq(ring3_lanes_receive(&reader, &n, sizeof n, NULL, NULL), (ptrdiff_t)sizeof n);
        kill(getpid(), SIGKILL);
    }
    check_killed(pid);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 16), 0);
    for (uint64_t i = 16; i < 40; i++) {
        check_eq(ring3_lanes_receive(&reader, &n, sizeof n, &record, NULL), (ptrdiff_t)sizeof n);
        check_eq(n, i);
        check_eq(record.again, i < 32, "number %ld", (long)i);
    }
    check_eq(reader.taken_over, 1u);
}

/* Writers are killed at any instruction and replaced; what arrives is whole and in order. */
TEST(lanes, writers_killed_at_any_moment_tear_nothing, 60)
{
    ring3_lanes_reader_t reader;
    ring3_lanes_record_t record;
    struct message message, last[WRITERS] = {{0}};
    pid_t pids[WRITERS];
    const long kills = scaled(200, 25000);

    per_writer = 1L << 40;
    make_lanes(WRITERS, 4096);
    for (uint64_t w = 0; w < WRITERS; w++)
        pids[w] = start_writer(w);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    for (long k = 0; k < kills; k++) {
        const int victim = (int)(k % WRITERS);

        for (int i = 0; i < 200; i++) {
            check_eq(ring3_lanes_receive(&reader, &message, sizeof message, &record, NULL),
                     (ptrdiff_t)sizeof message);
            check_lt(message.writer, (uint64_t)WRITERS);
            check_eq(message.check, message.writer ^ message.number ^ 0x5555);
            /* The next of the same writer, or the first of one that took the lane over. */
            check_eq(message.number, message.number == 0 ? 0 : last[record.lane].number + 1,
                     "lane %u", record.lane);
            check(message.number == 0 || message.writer == last[record.lane].writer);
            last[record.lane] = message;
        }
        kill(pids[victim], SIGKILL);
        check_killed(pids[victim]);
        pids[victim] = start_writer((uint64_t)victim);
    }
    for (int w = 0; w < WRITERS; w++) {
        kill(pids[w], SIGKILL);
        check_killed(pids[w]);
    }
}

/* A hostile writer scribbles over its own lane; the lane beside it loses nothing. */
TEST(lanes, senseless_words_in_one_lane_leave_the_other_alone, 60)
{
    ring3_lane_t honest, hostile;
    ring3_lanes_reader_t reader;
    ring3_lanes_record_t record;
    uint64_t random = 88172645463325252u, expected = 0, sent = 0;
    const long rounds = scaled(50000, 1000000);
    static uint64_t buffer[4096 / 8];

    make_lanes(2, 4096);
    check_eq(ring3_lane_open(&honest, &lanes), 0);
    check_eq(ring3_lane_open(&hostile, &lanes), 0);
    check_eq(ring3_lanes_reader_open(&reader, &lanes, 0), 0);
    for (long i = 0; i < rounds; i++) {
        uint64_t *const end = &hostile.writer.side.mine->position, *const data =
                                                                       (void *)
                                                                           hostile.writer.side.data;

        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        ring3_store(&data[random % 512], random >> (random % 50), RING3_RELAXED);
        ring3_store(end, random % 3 ? *end + random % 300 : random, RING3_RELAXED);
        check_eq(ring3_lane_send(&honest, &sent, sizeof sent, 0, NULL), 0);
        sent++;
        do {
            check(ring3_lanes_receive(&reader, buffer, sizeof buffer, &record, NULL) >= 0);
        } while (record.lane != 0);
        check_eq(buffer[0], expected);
        expected++;
    }
    check_gt(reader.refused, 0u);
    ring3_lane_close(&hostile);
    check_eq(ring3_lane_open(&hostile, &lanes), 0, "it can be used again");
}
