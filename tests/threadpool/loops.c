/* SPDX-License-Identifier: MIT */
/* Boxes, stealing schedules, scans and sorting. */
#include "support.h"

#include "ring3/atomic.h"
#include "ring3/container.h"
#include "ring3/forkjoin.h"

#include <stdlib.h>
#include <string.h>

/* Runs `body` on a team of that many. */
struct job {
    ring3_fork_t fork;
    void (*body)(ring3_member_t *me);
};

static void run_job(ring3_fork_t *fork, ring3_member_t *me)
{
    ring3_container_of(fork, struct job, fork)->body(me);
}

static void on_team(unsigned size, void (*body)(ring3_member_t *me))
{
    struct job job = {.fork = {.run = run_job}, .body = body};
    ring3_team_t *team;

    check_eq(ring3_team_create(&team, size), 0);
    check_eq(ring3_team_run(team, &job.fork), 0);
    check_eq(ring3_team_destroy(team), 0);
}

static void on_teams(void (*body)(ring3_member_t *me))
{
    for (unsigned size = 1; size <= 5; size += 2)
        for (long round = scaled(3, 100); round > 0; round--)
            on_team(size, body);
}

/* --- Stealing --------------------------------------------------------------------------------- */

#define INDICES 5000

static uint32_t hits[INDICES];

static void hit(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    const int64_t grain = *(const int64_t *)argument;

    (void)me;
    check_le(to - from, grain);
    check(to - from == grain || to == INDICES, "a piece is cut short");
    check_eq(from % grain, 0);
    for (int64_t i = from; i < to; i++) {
        (void)ring3_fetch_add(&hits[i], 1, RING3_RELAXED);
        /* The first share is slow, so that it is stolen from. */
        for (volatile int spin = i < INDICES / 4 ? 200 : 0; spin > 0; spin--)
            ;
    }
}

static void steal_over_indices(ring3_member_t *me)
{
    for (int64_t grain = 1; grain <= 6000; grain = grain * 7 + 1) {
        memset(hits, 0, sizeof hits);
        check_eq(ring3_parallel_for(me, 0, INDICES, grain, RING3_SCHEDULE_STEAL, hit, &grain), 0);
        for (int i = 0; i < INDICES; i++)
            check_eq(hits[i], 1, "index %d, grain %ld", i, (long)grain);
    }
}

TEST(parallel_for, stealing_covers_every_index_once)
{
    on_teams(steal_over_indices);
}

static uint64_t covered;

static void add_length(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    (void)argument, (void)me;
    (void)ring3_fetch_add(&covered, (uint64_t)to - (uint64_t)from, RING3_RELAXED);
}

/* More pieces than a half-word counts: they are made longer. */
static void steal_over_everything(ring3_member_t *me)
{
    covered = 0;
    check_eq(ring3_parallel_for(me, INT64_MIN, INT64_MAX, INT64_C(1) << 50, RING3_SCHEDULE_STEAL,
                                add_length, NULL),
             0);
    check_eq(covered, UINT64_MAX);
}

TEST(parallel_for, stealing_reaches_the_ends_of_the_range)
{
    on_team(3, steal_over_everything);
}

/* --- Boxes ------------------------------------------------------------------------------------ */

static uint32_t cells[7][30][50];

static void hit_box(const ring3_box_t *box, void *argument, ring3_member_t *me)
{
    (void)argument, (void)me;
    check_le(box->to[0] - box->from[0], 2);
    check_le(box->to[1] - box->from[1], 7);
    check_le(box->to[2] - box->from[2], 11);
    for (int64_t x = box->from[0]; x < box->to[0]; x++)
        for (int64_t y = box->from[1]; y < box->to[1]; y++)
            for (int64_t z = box->from[2]; z < box->to[2]; z++)
                (void)ring3_fetch_add(&cells[x + 3][y][z - 5], 1, RING3_RELAXED);
}

static void hit_boxes(ring3_member_t *me)
{
    const ring3_box_t whole = {{-3, 0, 5}, {4, 30, 55}};
    const int64_t grain[3] = {2, 7, 11};

    for (ring3_schedule_t how = RING3_SCHEDULE_STATIC; how <= RING3_SCHEDULE_STEAL; how++) {
        memset(cells, 0, sizeof cells);
        check_eq(ring3_parallel_for_box(me, &whole, grain, how, hit_box, NULL), 0);
        for (int i = 0; i < 7 * 30 * 50; i++)
            check_eq((&cells[0][0][0])[i], 1, "cell %d", i);
    }
}

TEST(parallel_for_box, covers_every_cell_once)
{
    on_teams(hit_boxes);
}

static void no_box(const ring3_box_t *box, void *argument, ring3_member_t *me)
{
    (void)box, (void)argument, (void)me;
    check(false, "called for an empty box");
}

static void refuse_boxes(ring3_member_t *me)
{
    const ring3_box_t empty = {{0, 5, 0}, {10, 5, 1}}, plane = {{0, 0, 0}, {3, 3, 1}};
    const ring3_box_t huge = {{0, 0, 0}, {INT64_MAX, INT64_MAX, 1}};
    const int64_t ones[3] = {1, 1, 1}, zero[3] = {1, 0, 1};

    check_eq(ring3_parallel_for_box(me, &empty, ones, RING3_SCHEDULE_STEAL, no_box, NULL), 0);
    check_eq(ring3_parallel_for_box(me, &plane, zero, RING3_SCHEDULE_STEAL, no_box, NULL), -EINVAL);
    check_eq(ring3_parallel_for_box(me, &huge, ones, RING3_SCHEDULE_STEAL, no_box, NULL), -EINVAL);
    check_eq(ring3_parallel_for_box(me, &plane, ones, (ring3_schedule_t)9, no_box, NULL), -EINVAL);
}

TEST(parallel_for_box, refuses_what_cannot_be)
{
    on_team(2, refuse_boxes);
}

/* --- Scan ------------------------------------------------------------------------------------- */

static uint64_t numbers[INDICES], prefixes[INDICES];

static void sum_piece(int64_t from, int64_t to, void *result, void *argument)
{
    uint64_t sum = 0;

    (void)argument;
    while (from < to)
        sum += numbers[from++];
    memcpy(result, &sum, sizeof sum);
}

static void add_piece(void *result, const void *following, void *argument)
{
    uint64_t a, b;

    (void)argument;
    memcpy(&a, result, sizeof a);
    memcpy(&b, following, sizeof b);
    a += b;
    memcpy(result, &a, sizeof a);
}

static void write_prefixes(int64_t from, int64_t to, const void *before, void *argument)
{
    uint64_t sum = 0;

    (void)argument;
    if (before)
        memcpy(&sum, before, sizeof sum);
    for (; from < to; from++)
        prefixes[from] = sum += numbers[from];
}

static const ring3_reduction_t sums = {
    .size = sizeof(uint64_t), .leaf = sum_piece, .join = add_piece};

static void scan_numbers(ring3_member_t *me)
{
    for (int64_t count = 0; count <= INDICES; count = count * 3 + 1)
        for (int64_t grain = 1; grain < 200; grain *= 6) {
            uint64_t sum = 0;

            for (int i = 0; i < INDICES; i++)
                numbers[i] = (uint64_t)i * 2654435761u;
            memset(prefixes, 0, sizeof prefixes);
            check_eq(ring3_parallel_scan(me, 0, count, grain, &sums, write_prefixes), 0);
            for (int64_t i = 0; i < count; i++)
                check_eq(prefixes[i], sum += numbers[i], "index %ld of %ld", (long)i, (long)count);
        }
    check_eq(ring3_parallel_scan(me, 0, 5, 0, &sums, write_prefixes), -EINVAL);
}

TEST(parallel_scan, computes_all_prefixes)
{
    on_teams(scan_numbers);
}

/* --- Sort ------------------------------------------------------------------------------------- */

struct record {
    uint32_t key, place;
    char more[4];
};

static int by_key(const void *a, const void *b, void *argument)
{
    const struct record *const left = a, *const right = b;

    (void)argument;
    return left->key < right->key ? -1 : left->key > right->key;
}

static void check_sort(ring3_member_t *me, size_t count, uint32_t keys)
{
    struct record *const records = calloc(count + 1, sizeof *records);
    uint32_t seed = (uint32_t)count + keys;

    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        records[i] = (struct record){.key = (seed >> 8) % keys, .place = i};
    }
    check_eq(ring3_parallel_sort(me, records, count, sizeof *records, by_key, NULL), 0);
    for (size_t i = 1; i < count; i++) {
        check_le(records[i - 1].key, records[i].key, "record %zu of %zu", i, count);
        if (records[i - 1].key == records[i].key)
            check_lt(records[i - 1].place, records[i].place, "equal records changed places");
    }
    free(records);
}

static void sort_records(ring3_member_t *me)
{
    int nothing = 0;

    for (size_t count = 0; count <= 40000; count = count * 3 + 1) {
        check_sort(me, count, 1);
        check_sort(me, count, 10);
        check_sort(me, count, UINT32_MAX);
    }
    check_eq(ring3_parallel_sort(me, &nothing, 5, 0, by_key, NULL), -EINVAL);
    check_eq(ring3_parallel_sort(me, &nothing, SIZE_MAX / 2, 8, by_key, NULL), -ENOMEM);
}

TEST(parallel_sort, sorts_and_keeps_the_order_of_equals)
{
    on_teams(sort_records);
}
