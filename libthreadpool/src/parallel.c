/* SPDX-License-Identifier: MIT */
/* Loops, reductions and scans over a team: thin code on spawn and sync. */
#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/container.h"
#include "ring3/forkjoin.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

/* --- parallel_for ----------------------------------------------------------------------------- */

/*
 * What is left of a share, in pieces of `grain`: the next in bits 0-31, the end in 32-63. Its member
 * takes from the front, and those who are done with theirs the back half. A range that comes back is
 * the same work, again not done, so that no compare-and-swap is misled.
 */
#define RESTS_MAX 64
struct rest {
    uint64_t pieces RING3_CACHE_ALIGNED;
};

struct loop {
    uint64_t length; /* the loop runs over [0, length), so that the sums below cannot overflow */
    uint64_t next;   /* the first index that nobody has taken; dynamic and guided */
    int64_t from;
    uint64_t grain;
    unsigned shares;
    ring3_schedule_t schedule;
    ring3_for_body_t *body;
    void *argument;
    struct rest *rests; /* one per share; only when stealing */
};

/* One member's part. It spawns the next one's before it begins, so that one wake-up leads to the
 * other; what nobody steals, its spawner runs. */
struct share {
    ring3_fork_t fork;
    struct loop *loop;
    unsigned number;
};

static void call(const struct loop *loop, uint64_t first, uint64_t end, ring3_member_t *me)
{
    if (first < end)
        loop->body((int64_t)((uint64_t)loop->from + first), (int64_t)((uint64_t)loop->from + end),
                   loop->argument, me);
}

/* Where share `number` begins: the first length % shares of them are one longer. */
static uint64_t begin_of(const struct loop *loop, unsigned number)
{
    const uint64_t each = loop->length / loop->shares, longer = loop->length % loop->shares;

    return number * each + (number < longer ? number : longer);
}

static uint64_t piece(const struct loop *loop, uint64_t next)
{
    const uint64_t left = loop->length - next;
    uint64_t size = loop->grain;

    if (loop->schedule == RING3_SCHEDULE_GUIDED && left / (2 * loop->shares) > size)
        size = left / (2 * loop->shares);
    return size < left ? size : left;
}

static void take_pieces(struct loop *loop, ring3_member_t *me)
{
    /* Relaxed throughout: the counter deals out indices; data is ordered by spawn and sync. */
    uint64_t next = ring3_load(&loop->next, RING3_RELAXED);

    while (next < loop->length) {
        const uint64_t size = piece(loop, next);

        if (ring3_cas_weak(&loop->next, &next, next + size, RING3_RELAXED)) {
            call(loop, next, next + size, me);
            next = ring3_load(&loop->next, RING3_RELAXED);
        }
    }
}

static uint32_t next_of(uint64_t pieces)
{
    return (uint32_t)pieces;
}

static uint32_t end_of(uint64_t pieces)
{
    return (uint32_t)(pieces >> 32);
}

static uint64_t pieces_from_to(uint32_t next, uint32_t end)
{
    return (uint64_t)end << 32 | next;
}

static void call_piece(const struct loop *loop, uint32_t number, ring3_member_t *me)
{
    const uint64_t first = number * loop->grain, left = loop->length - first;

    call(loop, first, first + (left < loop->grain ? left : loop->grain), me);
}

/* Relaxed: as in take_pieces. */
static void work_off(struct loop *loop, struct rest *mine, ring3_member_t *me)
{
    uint64_t pieces = ring3_load(&mine->pieces, RING3_RELAXED);

    while (next_of(pieces) < end_of(pieces))
        if (ring3_cas_weak(&mine->pieces, &pieces, pieces + 1, RING3_RELAXED)) {
            call_piece(loop, next_of(pieces), me);
            pieces = ring3_load(&mine->pieces, RING3_RELAXED);
        }
}

/* Take the back half, rounded up, of what another share has left. */
static bool take_half(struct rest *mine, struct rest *victim)
{
    uint64_t pieces = ring3_load(&victim->pieces, RING3_RELAXED);

    while (next_of(pieces) < end_of(pieces)) {
        const uint32_t next = next_of(pieces), end = end_of(pieces);
        const uint32_t middle = next + (end - next) / 2;

        if (ring3_cas_weak(&victim->pieces, &pieces, pieces_from_to(next, middle), RING3_RELAXED)) {
            ring3_store(&mine->pieces, pieces_from_to(middle, end), RING3_RELAXED);
            return true;
        }
    }
    return false;
}

static void take_halves(struct loop *loop, unsigned number, ring3_member_t *me)
{
    struct rest *const mine = &loop->rests[number];
    unsigned other = 1;

    work_off(loop, mine, me);
    while (other < loop->shares) {
        if (take_half(mine, &loop->rests[(number + other) % loop->shares])) {
            work_off(loop, mine, me);
            other = 1;
        } else {
            other++;
        }
    }
}

static void run_share(ring3_fork_t *fork, ring3_member_t *me)
{
    struct share *const self = ring3_container_of(fork, struct share, fork);
    struct loop *const loop = self->loop;
    struct share next = {.fork = {.run = run_share}, .loop = loop, .number = self->number + 1};
    const int more = next.number < loop->shares;

    if (more)
        ring3_fork_spawn(me, &next.fork);
    if (loop->schedule == RING3_SCHEDULE_STATIC)
        call(loop, begin_of(loop, self->number), begin_of(loop, next.number), me);
    else if (loop->schedule == RING3_SCHEDULE_STEAL)
        take_halves(loop, self->number, me);
    else
        take_pieces(loop, me);
    if (more)
        ring3_fork_sync(me, &next.fork);
}

/* Deal the pieces out in equal shares, which then may be stolen from. */
static void steal_loop(struct loop *loop, ring3_member_t *me)
{
    struct rest rests[RESTS_MAX];
    struct share first = {.loop = loop};
    const uint64_t length = loop->length;

    if (loop->shares > RESTS_MAX)
        loop->shares = RESTS_MAX;
    /* The number of a piece must fit. */
    while ((length - 1) / loop->grain >= UINT32_MAX)
        loop->grain *= 2;
    loop->length = (length - 1) / loop->grain + 1;
    if (loop->shares > loop->length)
        loop->shares = (unsigned)loop->length;
    for (unsigned i = 0; i < loop->shares; i++)
        rests[i].pieces =
            pieces_from_to((uint32_t)begin_of(loop, i), (uint32_t)begin_of(loop, i + 1));
    loop->length = length;
    loop->rests = rests;
    run_share(&first.fork, me);
}

int ring3_parallel_for(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                       ring3_schedule_t schedule, ring3_for_body_t *body, void *argument)
{
    struct loop loop = {.from = from,
                        .length = from < to ? (uint64_t)to - (uint64_t)from : 0,
                        .grain = (uint64_t)grain,
                        .shares = ring3_team_size(me),
                        .schedule = schedule,
                        .body = body,
                        .argument = argument};
    struct share first = {.loop = &loop};

    if (grain < 1 || (unsigned)schedule > RING3_SCHEDULE_STEAL)
        return -EINVAL;
    if (loop.shares > loop.length)
        loop.shares = (unsigned)loop.length;
    if (!loop.length)
        return 0;
    if (schedule == RING3_SCHEDULE_STEAL)
        steal_loop(&loop, me);
    else
        run_share(&first.fork, me);
    return 0;
}

/* --- Boxes ------------------------------------------------------------------------------------ */

struct boxes {
    const ring3_box_t *whole;
    const int64_t *grain;
    uint64_t counts[3];
    ring3_for_box_body_t *body;
    void *argument;
};

static void call_box(const struct boxes *boxes, uint64_t number, ring3_member_t *me)
{
    ring3_box_t box;

    for (int i = 2; i >= 0; i--) {
        const uint64_t grain = (uint64_t)boxes->grain[i];
        const uint64_t offset = number % boxes->counts[i] * grain;
        const uint64_t left =
            (uint64_t)boxes->whole->to[i] - (uint64_t)boxes->whole->from[i] - offset;

        number /= boxes->counts[i];
        box.from[i] = (int64_t)((uint64_t)boxes->whole->from[i] + offset);
        box.to[i] = (int64_t)((uint64_t)box.from[i] + (left < grain ? left : grain));
    }
    boxes->body(&box, boxes->argument, me);
}

static void call_boxes(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    for (int64_t number = from; number < to; number++)
        call_box(argument, (uint64_t)number, me);
}

int ring3_parallel_for_box(ring3_member_t *me, const ring3_box_t *whole, const int64_t grain[3],
                           ring3_schedule_t schedule, ring3_for_box_body_t *body, void *argument)
{
    struct boxes boxes = {.whole = whole, .grain = grain, .body = body, .argument = argument};
    uint64_t total = 1;
    bool empty = false;

    for (int i = 0; i < 3; i++) {
        if (grain[i] < 1)
            return -EINVAL;
        if (whole->from[i] >= whole->to[i]) {
            empty = true;
            continue;
        }
        const uint64_t length = (uint64_t)whole->to[i] - (uint64_t)whole->from[i];

        boxes.counts[i] = (length - 1) / (uint64_t)grain[i] + 1;
        if (__builtin_mul_overflow(total, boxes.counts[i], &total) || total > UINT64_C(1) << 62)
            return -EINVAL;
    }
    return ring3_parallel_for(me, 0, empty ? 0 : (int64_t)total, 1, schedule, call_boxes, &boxes);
}

/* --- parallel_reduce -------------------------------------------------------------------------- */

struct half {
    ring3_fork_t fork;
    const ring3_reduction_t *reduction;
    int64_t from, to, grain;
    void *result;
};

/* Halves depend on the range only; the second is offered to others, the first is computed here. */
static void reduce(ring3_fork_t *fork, ring3_member_t *me)
{
    struct half *const self = ring3_container_of(fork, struct half, fork);
    const ring3_reduction_t *const reduction = self->reduction;
    const uint64_t length = (uint64_t)self->to - (uint64_t)self->from;

    if (length <= (uint64_t)self->grain) {
        reduction->leaf(self->from, self->to, self->result, reduction->argument);
        return;
    }
    const int64_t middle = (int64_t)((uint64_t)self->from + length / 2);
    alignas(max_align_t) char following[RING3_REDUCE_MAX];
    struct half first = *self, second = *self;

    first.to = middle;
    second.from = middle;
    second.result = following;
    second.fork.run = reduce;
    ring3_fork_spawn(me, &second.fork);
    reduce(&first.fork, me);
    ring3_fork_sync(me, &second.fork);
    reduction->join(self->result, following, reduction->argument);
}

int ring3_parallel_reduce(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                          const ring3_reduction_t *reduction, void *result)
{
    struct half whole = {
        .reduction = reduction, .from = from, .to = to, .grain = grain, .result = result};

    if (from >= to || grain < 1 || reduction->size == 0 || reduction->size > RING3_REDUCE_MAX)
        return -EINVAL;
    reduce(&whole.fork, me);
    return 0;
}
