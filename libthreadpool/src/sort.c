/* SPDX-License-Identifier: MIT */
/*
 * Merge sort in parallel: halves are sorted by different members, and merged by splitting the longer
 * run in its middle and the other where that element belongs. Source: Cormen, Leiserson, Rivest and
 * Stein, chapter 27.
 */
#include "ring3/container.h"
#include "ring3/forkjoin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Shorter runs are not worth another member, or a merge. */
#define SERIAL    2048
#define INSERTION 16

struct sort {
    size_t size;
    ring3_compare_t *compare;
    void *argument;
};

static bool is_less(const struct sort *sort, const void *a, const void *b)
{
    return sort->compare(a, b, sort->argument) < 0;
}

/* --- Merging ---------------------------------------------------------------------------------- */

/* Two sorted runs; on equality the left one's elements go first. */
struct merge {
    ring3_fork_t fork;
    const struct sort *sort;
    const char *left, *right;
    size_t left_count, right_count;
    char *into;
};

static void merge_serially(const struct merge *merge)
{
    const struct sort *const sort = merge->sort;
    const size_t size = sort->size;
    const char *left = merge->left, *right = merge->right;
    const char *const left_end = left + merge->left_count * size;
    const char *const right_end = right + merge->right_count * size;
    char *into = merge->into;

    while (left != left_end && right != right_end) {
        const char **const next = is_less(sort, right, left) ? &right : &left;

        memcpy(into, *next, size);
        *next += size;
        into += size;
    }
    memcpy(into, left, (size_t)(left_end - left));
    memcpy(into + (left_end - left), right, (size_t)(right_end - right));
}

/* How many elements of a run go before `pivot`; those equal to it if `equals`. */
static size_t count_before(const struct sort *sort, const char *run, size_t count,
                           const char *pivot, bool equals)
{
    size_t low = 0;

    while (low < count) {
        const size_t middle = low + (count - low) / 2;
        const char *const element = run + middle * sort->size;

        if (equals ? !is_less(sort, pivot, element) : is_less(sort, element, pivot))
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static void merge_runs(ring3_fork_t *fork, ring3_member_t *me)
{
    struct merge *const all = ring3_container_of(fork, struct merge, fork);
    const size_t size = all->sort->size;
    struct merge low = *all, high = *all;

    if (all->left_count + all->right_count <= SERIAL) {
        merge_serially(all);
        return;
    }
    if (all->left_count >= all->right_count) {
        low.left_count = all->left_count / 2;
        low.right_count = count_before(all->sort, all->right, all->right_count,
                                       all->left + low.left_count * size, false);
    } else {
        low.right_count = all->right_count / 2;
        low.left_count = count_before(all->sort, all->left, all->left_count,
                                      all->right + low.right_count * size, true);
    }
    high.left += low.left_count * size;
    high.right += low.right_count * size;
    high.left_count -= low.left_count;
    high.right_count -= low.right_count;
    high.into += (low.left_count + low.right_count) * size;
    high.fork = (ring3_fork_t){.run = merge_runs};
    ring3_fork_spawn(me, &high.fork);
    merge_runs(&low.fork, me);
    ring3_fork_sync(me, &high.fork);
}

/* --- Sorting ---------------------------------------------------------------------------------- */

/* Sort `count` elements at `from`; the result goes to `to` if `move`, and stays otherwise. The other
 * place is scratch. */
struct part {
    ring3_fork_t fork;
    const struct sort *sort;
    char *from, *to;
    size_t count;
    bool move;
};

static void insert_serially(const struct part *part)
{
    const size_t size = part->sort->size;
    char *const spare = part->to; /* one element of scratch */

    for (size_t i = 1; i < part->count; i++) {
        size_t place = i;

        while (place > 0 &&
               is_less(part->sort, part->from + i * size, part->from + (place - 1) * size))
            place--;
        if (place == i)
            continue;
        memcpy(spare, part->from + i * size, size);
        memmove(part->from + (place + 1) * size, part->from + place * size, (i - place) * size);
        memcpy(part->from + place * size, spare, size);
    }
    if (part->move)
        memcpy(part->to, part->from, part->count * size);
}

static void sort_part(ring3_fork_t *fork, ring3_member_t *me)
{
    struct part *const all = ring3_container_of(fork, struct part, fork);
    const size_t size = all->sort->size, half = all->count / 2;
    struct part low = *all, high = *all;

    if (all->count <= INSERTION) {
        insert_serially(all);
        return;
    }
    low.count = half;
    high.count -= half;
    high.from += half * size;
    high.to += half * size;
    low.move = high.move = !all->move;
    if (all->count > SERIAL) {
        high.fork = (ring3_fork_t){.run = sort_part};
        ring3_fork_spawn(me, &high.fork);
        sort_part(&low.fork, me);
        ring3_fork_sync(me, &high.fork);
    } else {
        sort_part(&low.fork, me);
        sort_part(&high.fork, me);
    }
    struct merge merge = {.sort = all->sort,
                          .left = all->move ? low.from : low.to,
                          .right = all->move ? high.from : high.to,
                          .left_count = low.count,
                          .right_count = high.count,
                          .into = all->move ? all->to : all->from};

    merge_runs(&merge.fork, me);
}

int ring3_parallel_sort(ring3_member_t *me, void *array, size_t count, size_t size,
                        ring3_compare_t *compare, void *argument)
{
    const struct sort sort = {size, compare, argument};
    struct part all = {.sort = &sort, .from = array, .count = count};
    size_t bytes;

    if (!size)
        return -EINVAL;
    if (count < 2)
        return 0;
    if (__builtin_mul_overflow(count, size, &bytes) || !(all.to = malloc(bytes)))
        return -ENOMEM;
    sort_part(&all.fork, me);
    free(all.to);
    return 0;
}
