/* SPDX-License-Identifier: MIT */
/* Layers, and work queues. */
#include "support.h"

#include "ring3/container.h"
#include "ring3/pipeline.h"
#include "ring3/workqueue.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Layers ----------------------------------------------------------------------------------- */

struct request {
    char path[16];
    int steps;
    bool right;
};

/* The argument names the layer and its direction: "a>", "a<". */
static void *step(void *item, const char *what)
{
    struct request *const request = item;
    char name[16];

    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    if (name[0] != what[0])
        request->right = false;
    request->path[request->steps++] = what[0];
    request->path[request->steps++] = what[1];
    return item;
}

static void *a_down(void *item, void *argument)
{
    (void)argument;
    return step(item, "a>");
}
static void *a_up(void *item, void *argument)
{
    (void)argument;
    return step(item, "a<");
}
static void *c_down(void *item, void *argument)
{
    (void)argument;
    return step(item, "c>");
}
static void *b_up(void *item, void *argument)
{
    (void)argument;
    return step(item, "b<");
}

TEST(layers, are_passed_down_and_up_in_threads_of_their_own)
{
    const ring3_layer_t layers[] = {
        {.name = "a", .down = a_down, .up = a_up},
        {.name = "b", .up = b_up, .threads = 2},
        {.name = "c", .down = c_down},
    };
    static struct request requests[100];
    ring3_pipeline_t *pipeline;

    check_eq(ring3_layers_create(&pipeline, layers, 3, 4), 0);
    for (int i = 0; i < 100; i++) {
        requests[i] = (struct request){.right = true};
        check_eq(ring3_pipeline_put(pipeline, &requests[i], NULL), 0);
    }
    check_eq(ring3_pipeline_flush(pipeline, NULL), 0);
    for (int i = 0; i < 100; i++) {
        check_str_eq(requests[i].path, "a>c>b<a<");
        check(requests[i].right, "each step runs in a thread of its layer");
    }
    check_eq(ring3_pipeline_destroy(pipeline), 0);
    check_eq(ring3_layers_create(&pipeline, layers, 2, 4), -EINVAL, "the last has no way down");
    check_eq(ring3_layers_create(&pipeline, layers, 0, 4), -EINVAL);
}

TEST(pipeline, stages_share_threads_with_earlier_ones_only)
{
    const ring3_stage_t itself[] = {{.run = a_down, .shares = 1}};
    const ring3_stage_t chain[] = {
        {.run = a_down}, {.run = a_up, .shares = 1}, {.run = a_down, .shares = 2}};
    ring3_pipeline_t *pipeline;

    check_eq(ring3_pipeline_create(&pipeline, itself, 1, 1), -EINVAL);
    check_eq(ring3_pipeline_create(&pipeline, chain, 3, 1), -EINVAL);
}

/* --- Work queues ------------------------------------------------------------------------------ */

struct item {
    ring3_work_t work;
    uint32_t gate;    /* it waits until this is 1 */
    uint32_t started; /* how often */
    bool again;       /* it queues itself once more */
    int misuse;
};

static void work_item(ring3_work_t *work)
{
    struct item *const item = ring3_container_of(work, struct item, work);

    (void)ring3_fetch_add(&item->started, 1, RING3_RELEASE);
    await(&item->gate, 1);
    if (item->again) {
        item->again = false;
        check_eq(ring3_work_queue(work->queue, work), 1);
        check_eq(ring3_work_queue(work->queue, work), 0);
    }
    item->misuse = ring3_work_flush(work, NULL) == -EDEADLK &&
                   ring3_work_cancel(work) == -EDEADLK &&
                   ring3_workqueue_flush(work->queue, NULL) == -EDEADLK &&
                   ring3_workqueue_destroy(work->queue) == -EDEADLK;
}

static void init(struct item *item, uint32_t gate)
{
    *item = (struct item){.gate = gate};
    ring3_work_init(&item->work, work_item);
}

TEST(workqueue, runs_items_in_order_and_queues_each_once)
{
    ring3_workqueue_t *queue;
    struct item first, second;

    check_eq(ring3_workqueue_create(&queue, "test"), 0);
    init(&first, 0);
    init(&second, 1);
    check_eq(ring3_work_flush(&first.work, NULL), 0, "it is not queued");
    check_eq(ring3_work_queue(queue, &first.work), 1);
    await(&first.started, 1);
    check_eq(ring3_work_queue(queue, &second.work), 1);
    check_eq(ring3_work_queue(queue, &second.work), 0, "it is queued already");
    check_eq(ring3_work_queue(queue, &first.work), 1, "it runs and may be queued again");
    check_eq(ring3_work_queue(queue, &first.work), 0);
    const struct timespec soon = in_ms(10);

    check_eq(ring3_work_flush(&second.work, &soon), -ETIMEDOUT);
    ring3_store(&first.gate, 1, RING3_RELEASE);
    check_eq(ring3_work_flush(&first.work, NULL), 0);
    check_eq(first.started, 2);
    check_eq(ring3_workqueue_flush(queue, NULL), 0);
    check_eq(second.started, 1);
    check(first.misuse && second.misuse, "an item must not wait for its queue");
    check_eq(ring3_workqueue_destroy(queue), 0);
}

TEST(workqueue, destroying_runs_what_is_queued_and_what_that_queues)
{
    ring3_workqueue_t *queue;
    struct item first, second;

    check_eq(ring3_workqueue_create(&queue, NULL), 0);
    init(&first, 1);
    init(&second, 1);
    first.again = true;
    check_eq(ring3_work_queue(queue, &first.work), 1);
    check_eq(ring3_work_queue(queue, &second.work), 1);
    check_eq(ring3_workqueue_destroy(queue), 0);
    check_eq(first.started, 2);
    check_eq(second.started, 1);
}

TEST(workqueue, cancel_takes_out_what_is_queued_and_waits_for_what_runs)
{
    ring3_workqueue_t *queue;
    struct item first, second, later;
    const struct timespec hour = in_ms(3600000), soon = in_ms(5);

    check_eq(ring3_workqueue_create(&queue, "test"), 0);
    init(&first, 0);
    init(&second, 1);
    init(&later, 1);
    check_eq(ring3_work_cancel(&first.work), 0, "it was never queued");
    check_eq(ring3_work_queue(queue, &first.work), 1);
    await(&first.started, 1);
    check_eq(ring3_work_queue_at(queue, &first.work, &hour), -EBUSY);
    check_eq(ring3_work_queue(queue, &second.work), 1);
    check_eq(ring3_work_cancel(&second.work), 1);
    check_eq(ring3_work_flush(&second.work, NULL), 0);
    check_eq(ring3_work_queue_at(queue, &later.work, &hour), 1);
    check_eq(ring3_work_queue(queue, &later.work), 0, "a delayed item is queued");
    check_eq(ring3_work_cancel(&later.work), 1);
    check_eq(ring3_work_queue_at(queue, &later.work, &soon), 1);
    ring3_store(&first.gate, 1, RING3_RELEASE);
    check_eq(ring3_work_cancel(&first.work), 0);
    check(first.misuse, "it has run to its end");
    check_eq(ring3_work_flush(&later.work, NULL), 0);
    check_eq(second.started, 0);
    check_eq(later.started, 1);
    check_eq(ring3_workqueue_destroy(queue), 0);
}

/* Queued from two threads and cancelled by a third. */
static struct {
    ring3_workqueue_t *queue;
    struct item item;
    uint32_t left;
    int queued;
} storm;

static void *queue_often(void *argument)
{
    int *const queued = argument;

    for (int i = 0; i < 2000; i++)
        *queued += ring3_work_queue(storm.queue, &storm.item.work);
    (void)ring3_fetch_sub(&storm.left, 1, RING3_RELEASE);
    return NULL;
}

TEST(workqueue, runs_as_often_as_it_was_queued, 60)
{
    pthread_t threads[2];
    int queued[2] = {0, 0};

    check_eq(ring3_workqueue_create(&storm.queue, "storm"), 0);
    init(&storm.item, 1);
    for (int i = 0; i < 2; i++)
        check_eq(pthread_create(&threads[i], NULL, queue_often, &queued[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
    check_eq(ring3_work_flush(&storm.item.work, NULL), 0);
    check_eq(storm.item.started, (uint32_t)(queued[0] + queued[1]));
    check_ge(queued[0] + queued[1], 1);
    check_eq(ring3_workqueue_destroy(storm.queue), 0);
}

TEST(workqueue, is_gone_in_a_child)
{
    ring3_workqueue_t *queue;
    struct item item;
    int status;

    check_eq(ring3_workqueue_create(&queue, "test"), 0);
    init(&item, 1);
    const pid_t child = fork();

    if (child == 0)
        _exit(ring3_work_queue(queue, &item.work) == -ECHILD &&
                      ring3_workqueue_flush(queue, NULL) == -ECHILD &&
                      ring3_workqueue_destroy(queue) == 0
                  ? 0
                  : 1);
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
    check_eq(ring3_workqueue_destroy(queue), 0);
}
