/* SPDX-License-Identifier: MIT */
/* Pipelines: items pass through stages, in order where that is asked for. */
#include "support.h"

#include "ring3/atomic.h"
#include "ring3/pipeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define ITEMS 2000

struct item {
    unsigned number, steps;
};

static struct item items[ITEMS];
static unsigned arrived[ITEMS + 1], arrivals;
static pthread_mutex_t arriving = PTHREAD_MUTEX_INITIALIZER;

static void *step(void *item, void *argument)
{
    struct item *const self = item;

    (void)argument;
    self->steps++;
    if (self->number % 7 == 0)
        sched_yield();
    return item;
}

static void *drop_odd(void *item, void *argument)
{
    (void)argument;
    return ((struct item *)item)->number % 2 ? NULL : item;
}

static void *arrive(void *item, void *argument)
{
    (void)argument;
    pthread_mutex_lock(&arriving);
    arrived[arrivals++] = ((struct item *)item)->number;
    pthread_mutex_unlock(&arriving);
    return NULL;
}

static void put_all(ring3_pipeline_t *pipeline, int count)
{
    for (int i = 0; i < count; i++) {
        items[i] = (struct item){.number = (unsigned)i};
        check_eq(ring3_pipeline_put(pipeline, &items[i], NULL), 0);
    }
    check_eq(ring3_pipeline_flush(pipeline, NULL), 0);
}

TEST(pipeline, an_ordered_stage_takes_items_as_they_were_put)
{
    const ring3_stage_t stages[] = {{.run = step, .threads = 3},
                                    {.run = step, .threads = 2, .capacity = 2},
                                    {.run = arrive, .ordered = true}};
    ring3_pipeline_t *pipeline;

    check_eq(ring3_pipeline_create(&pipeline, stages, 3, 8), 0);
    put_all(pipeline, ITEMS);
    check_eq(arrivals, ITEMS);
    for (unsigned i = 0; i < ITEMS; i++) {
        check_eq(arrived[i], i);
        check_eq(items[i].steps, 2);
    }
    check_eq(ring3_pipeline_destroy(pipeline), 0);
}

TEST(pipeline, items_that_end_early_hold_up_nobody)
{
    const ring3_stage_t stages[] = {{.run = step, .threads = 2},
                                    {.run = drop_odd, .threads = 2},
                                    {.run = arrive, .ordered = true, .capacity = 1}};
    ring3_pipeline_t *pipeline;

    check_eq(ring3_pipeline_create(&pipeline, stages, 3, 4), 0);
    put_all(pipeline, ITEMS);
    check_eq(arrivals, ITEMS / 2);
    for (unsigned i = 0; i < ITEMS / 2; i++)
        check_eq(arrived[i], 2 * i);
    check_eq(ring3_pipeline_destroy(pipeline), 0);
}

static void *put_some(void *argument)
{
    for (int i = 0; i < ITEMS / 4; i++) {
        struct item *const item = malloc(sizeof *item);

        *item = (struct item){.number = (unsigned)i};
        check_eq(ring3_pipeline_put(argument, item, NULL), 0);
    }
    return NULL;
}

static void *arrive_and_free(void *item, void *argument)
{
    arrive(item, argument);
    free(item);
    return NULL;
}

TEST(pipeline, several_threads_may_put)
{
    const ring3_stage_t stages[] = {{.run = step, .ordered = true},
                                    {.run = arrive_and_free, .threads = 2}};
    ring3_pipeline_t *pipeline;
    pthread_t threads[4];

    check_eq(ring3_pipeline_create(&pipeline, stages, 2, 3), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&threads[i], NULL, put_some, pipeline), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    check_eq(ring3_pipeline_destroy(pipeline), 0);
    check_eq(arrivals, ITEMS);
}

static uint32_t gate;

static void *wait_at_gate(void *item, void *argument)
{
    (void)argument;
    await(&gate, 1);
    return item;
}

TEST(pipeline, put_waits_while_all_tokens_are_on_their_way)
{
    const ring3_stage_t stages[] = {{.run = wait_at_gate}};
    ring3_pool_stats_t stats;
    ring3_pipeline_t *pipeline;
    const struct timespec soon = in_ms(20);
    int item = 0;

    check_eq(ring3_pipeline_create(&pipeline, stages, 1, 2), 0);
    check_eq(ring3_pipeline_put(pipeline, &item, NULL), 0);
    check_eq(ring3_pipeline_put(pipeline, &item, NULL), 0);
    check_eq(ring3_pipeline_put(pipeline, &item, &soon), -ETIMEDOUT);
    check_eq(ring3_pipeline_flush(pipeline, &soon), -ETIMEDOUT);
    ring3_store(&gate, 1, RING3_RELEASE);
    check_eq(ring3_pipeline_put(pipeline, &item, NULL), 0);
    check_eq(ring3_pipeline_flush(pipeline, NULL), 0);
    check_eq(ring3_pipeline_stats(pipeline, 0, &stats), 0);
    check_eq(stats.submitted, 3);
    check_eq(ring3_pipeline_stats(pipeline, 1, &stats), -EINVAL);
    check_eq(ring3_pipeline_destroy(pipeline), 0);
}

static void *put_from_within(void *item, void *argument)
{
    ring3_pipeline_t *const pipeline = *(ring3_pipeline_t **)argument;
    int *const results = item;

    results[0] = ring3_pipeline_put(pipeline, item, NULL);
    results[1] = ring3_pipeline_flush(pipeline, NULL);
    results[2] = ring3_pipeline_destroy(pipeline);
    return NULL;
}

TEST(pipeline, refuses_what_cannot_be)
{
    ring3_pipeline_t *pipeline;
    const ring3_stage_t empty = {.run = NULL},
                        within = {.run = put_from_within, .argument = &pipeline};
    const struct timespec malformed = {.tv_nsec = -1};
    int results[3];

    check_eq(ring3_pipeline_create(&pipeline, &within, 0, 1), -EINVAL);
    check_eq(ring3_pipeline_create(&pipeline, &within, 1, 0), -EINVAL);
    check_eq(ring3_pipeline_create(&pipeline, &empty, 1, 1), -EINVAL);
    check_eq(ring3_pipeline_create(&pipeline, &within, 1, 1), 0);
    check_eq(ring3_pipeline_put(pipeline, NULL, NULL), -EINVAL);
    check_eq(ring3_pipeline_put(pipeline, results, &malformed), -EINVAL);
    check_eq(ring3_pipeline_put(pipeline, results, NULL), 0);
    check_eq(ring3_pipeline_flush(pipeline, NULL), 0);
    for (int i = 0; i < 3; i++)
        check_eq(results[i], -EDEADLK);
    check_eq(ring3_pipeline_destroy(pipeline), 0);
}

TEST(pipeline, is_gone_in_a_child)
{
    const ring3_stage_t stages[] = {{.run = step}};
    ring3_pipeline_t *pipeline;
    struct item item = {0, 0};

    check_eq(ring3_pipeline_create(&pipeline, stages, 1, 1), 0);
    check_eq(ring3_pipeline_put(pipeline, &item, NULL), 0);
    check_eq(ring3_pipeline_flush(pipeline, NULL), 0);
    const pid_t child = fork();

    if (child == 0) {
        check_eq(ring3_pipeline_put(pipeline, &item, NULL), -ECHILD);
        check_eq(ring3_pipeline_flush(pipeline, NULL), -ECHILD);
        check_eq(ring3_pipeline_destroy(pipeline), 0);
        _exit(0);
    }
    check_child(child);
    check_eq(ring3_pipeline_destroy(pipeline), 0);
}
