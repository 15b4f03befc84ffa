/* SPDX-License-Identifier: MIT */
/* Prefix sums in two passes over pieces whose results lie on the caller's stack. */
#include "ring3/container.h"
#include "ring3/forkjoin.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#define PIECES_MAX 64

struct scan {
    const ring3_reduction_t *reduction;
    ring3_scan_apply_t *apply;
    int64_t from;
    uint64_t length, pieces;
    alignas(max_align_t) char results[PIECES_MAX][RING3_REDUCE_MAX];
};

static int64_t begin_of(const struct scan *scan, int64_t piece)
{
    const uint64_t each = scan->length / scan->pieces, longer = scan->length % scan->pieces;
    const uint64_t number = (uint64_t)piece;

    return (int64_t)((uint64_t)scan->from + number * each + (number < longer ? number : longer));
}

static void compute(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    struct scan *const scan = argument;

    (void)me;
    for (int64_t i = from; i < to; i++)
        scan->reduction->leaf(begin_of(scan, i), begin_of(scan, i + 1), scan->results[i],
                              scan->reduction->argument);
}

static void apply(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    struct scan *const scan = argument;

    (void)me;
    for (int64_t i = from; i < to; i++)
        scan->apply(begin_of(scan, i), begin_of(scan, i + 1), i ? scan->results[i - 1] : NULL,
                    scan->reduction->argument);
}

/* Afterwards each piece's result is that of all up to its end. */
static void accumulate(struct scan *scan)
{
    const ring3_reduction_t *const reduction = scan->reduction;
    alignas(max_align_t) char sum[RING3_REDUCE_MAX];

    for (uint64_t i = 1; i + 1 < scan->pieces; i++) {
        memcpy(sum, scan->results[i - 1], reduction->size);
        reduction->join(sum, scan->results[i], reduction->argument);
        memcpy(scan->results[i], sum, reduction->size);
    }
}

int ring3_parallel_scan(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                        const ring3_reduction_t *reduction, ring3_scan_apply_t *apply_piece)
{
    struct scan scan;

    if (grain < 1 || reduction->size == 0 || reduction->size > RING3_REDUCE_MAX)
        return -EINVAL;
    if (from >= to)
        return 0;
    scan.reduction = reduction;
    scan.apply = apply_piece;
    scan.from = from;
    scan.length = (uint64_t)to - (uint64_t)from;
    scan.pieces = scan.length / (uint64_t)grain;
    if (scan.pieces < 1)
        scan.pieces = 1;
    if (scan.pieces > PIECES_MAX)
        scan.pieces = PIECES_MAX;
    (void)ring3_parallel_for(me, 0, (int64_t)scan.pieces - 1, 1, RING3_SCHEDULE_DYNAMIC, compute,
                             &scan);
    accumulate(&scan);
    return ring3_parallel_for(me, 0, (int64_t)scan.pieces, 1, RING3_SCHEDULE_DYNAMIC, apply, &scan);
}
