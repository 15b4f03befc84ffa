/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "ring3/list.h"

#include <stdlib.h>
#include <string.h>

struct job {
    int id;
    ring3_list_t link;
};

static bool holds(const ring3_list_t *head, const int *ids, int count)
{
    const ring3_list_t *link = head;
    int seen = 0;

    for (link = head->next; link != head; link = link->next, seen++)
        if (seen == count || ring3_container_of(link, struct job, link)->id != ids[seen] ||
            link->prev->next != link)
            return false;
    return seen == count && head->prev->next == head;
}

TEST(list, keeps_the_order_of_adds_at_both_ends)
{
    struct job a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    ring3_list_t jobs = RING3_LIST_INIT(jobs);

    check(ring3_list_empty(&jobs));
    ring3_list_add_tail(&jobs, &a.link);
    ring3_list_add_tail(&jobs, &b.link);
    ring3_list_add(&jobs, &c.link);
    check(holds(&jobs, (int[]){3, 1, 2}, 3));
    check(ring3_list_first_entry(&jobs, struct job, link) == &c);
    check(ring3_list_last_entry(&jobs, struct job, link) == &b);
}

TEST(list, knows_whether_a_link_is_in_a_list)
{
    struct job a = {.id = 1};
    ring3_list_t jobs;

    ring3_list_init(&jobs);
    check(!ring3_list_linked(&a.link));
    ring3_list_add(&jobs, &a.link);
    check(ring3_list_linked(&a.link));
    ring3_list_remove(&a.link);
    check(!ring3_list_linked(&a.link));
    check(ring3_list_empty(&jobs));
}

TEST(list, pops_from_the_front_and_then_null)
{
    struct job a = {.id = 1}, b = {.id = 2};
    ring3_list_t jobs = RING3_LIST_INIT(jobs);

    ring3_list_add_tail(&jobs, &a.link);
    ring3_list_add_tail(&jobs, &b.link);
    check(ring3_list_pop(&jobs) == &a.link);
    check(ring3_list_pop(&jobs) == &b.link);
    check(ring3_list_pop(&jobs) == NULL);
}

TEST(list, splices_to_the_end_and_empties_the_source)
{
    struct job job[4] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}};
    ring3_list_t to = RING3_LIST_INIT(to), from = RING3_LIST_INIT(from);

    ring3_list_splice_tail(&to, &from);
    check(ring3_list_empty(&to));
    ring3_list_add_tail(&to, &job[0].link);
    ring3_list_add_tail(&to, &job[1].link);
    ring3_list_add_tail(&from, &job[2].link);
    ring3_list_add_tail(&from, &job[3].link);
    ring3_list_splice_tail(&to, &from);
    check(holds(&to, (int[]){0, 1, 2, 3}, 4));
    check(ring3_list_empty(&from));
    ring3_list_splice_tail(&from, &to);
    check(holds(&from, (int[]){0, 1, 2, 3}, 4));
}

TEST(list, safe_loops_allow_freeing_the_element_at_hand)
{
    ring3_list_t jobs = RING3_LIST_INIT(jobs), *link, *link_ahead;
    struct job *job, *ahead;
    int sum = 0;

    for (int i = 0; i < 10; i++) {
        job = calloc(1, sizeof *job);
        check(job);
        job->id = i;
        ring3_list_add_tail(&jobs, &job->link);
    }
    ring3_list_for_each_entry_safe (job, ahead, &jobs, link) {
        if (job->id % 2)
            continue;
        ring3_list_remove(&job->link);
        free(job);
    }
    check(holds(&jobs, (int[]){1, 3, 5, 7, 9}, 5));
    ring3_list_for_each_entry (job, &jobs, link)
        sum += job->id;
    check_eq(sum, 25);
    sum = 0;
    ring3_list_for_each (link, &jobs)
        sum += ring3_container_of(link, struct job, link)->id;
    check_eq(sum, 25);
    ring3_list_for_each_safe (link, link_ahead, &jobs) {
        ring3_list_remove(link);
        free(ring3_container_of(link, struct job, link));
    }
    check(ring3_list_empty(&jobs));
}

#define JOBS 12

/* Random adds, removals, pops and splices on two lists, each beside an array that says what must be
 * in it. */
TEST(list, agrees_with_an_array_after_any_sequence)
{
    struct job job[JOBS] = {0};
    ring3_list_t list[2] = {RING3_LIST_INIT(list[0]), RING3_LIST_INIT(list[1])};
    int model[2][JOBS], count[2] = {0, 0}, where[JOBS];

    for (int i = 0; i < JOBS; i++) {
        job[i].id = i;
        where[i] = -1;
    }
    srand(1);
    for (int step = 0; step < 20000; step++) {
        const int id = rand() % JOBS, side = rand() % 2;

        if (where[id] < 0) {
            if (rand() % 2) {
                ring3_list_add_tail(&list[side], &job[id].link);
                model[side][count[side]] = id;
            } else {
                ring3_list_add(&list[side], &job[id].link);
                memmove(&model[side][1], model[side], (size_t)count[side] * sizeof(int));
                model[side][0] = id;
            }
            count[side]++;
            where[id] = side;
        } else if (rand() % 8 == 0) {
            ring3_list_splice_tail(&list[side], &list[!side]);
            memcpy(&model[side][count[side]], model[!side], (size_t)count[!side] * sizeof(int));
            for (int i = 0; i < count[!side]; i++)
                where[model[!side][i]] = side;
            count[side] += count[!side];
            count[!side] = 0;
        } else {
            const int from = where[id];
            int at = 0;

            while (model[from][at] != id)
                at++;
            if (at == 0)
                check(ring3_list_pop(&list[from]) == &job[id].link);
            else
                ring3_list_remove(&job[id].link);
            count[from]--;
            memmove(&model[from][at], &model[from][at + 1],
                    (size_t)(count[from] - at) * sizeof(int));
            where[id] = -1;
        }
        for (int i = 0; i < 2; i++)
            check(holds(&list[i], model[i], count[i]), "list %d after step %d", i, step);
        check_eq(ring3_list_linked(&job[id].link), where[id] >= 0);
    }
}
