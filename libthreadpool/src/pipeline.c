/* SPDX-License-Identifier: MIT */
/*
 * A pipeline is a row of pools through which tokens pass. A token is a task that a stage submits to
 * the next stage's pool when it has run. An item that ended leaves an empty token, which passes
 * through the rest so that ordered stages see every number.
 *
 * Ordered stages: a token that is not the next in turn is noted in the stage's ring. Whoever brings
 * the next in turn hands it in, and after it those noted that follow it; meanwhile others only note
 * theirs. Fewer numbers are on their way than the ring has places, so no two meet in one.
 */
#include "ring3/pipeline.h"

#include "core.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct token {
    ring3_task_t task;
    ring3_list_t free;
    void *item; /* NULL: ended, or it is free */
    uint64_t number;
    unsigned stage;
    ring3_pipeline_t *pipeline;
};

struct stage {
    ring3_stage_t is;
    ring3_pool_t *pool;
    ring3_mutex_t lock; /* of the rest; ordered stages only */
    uint64_t next;      /* the number whose turn it is */
    bool handing_in;
    struct token **early; /* by number modulo the number of tokens */
};

struct ring3_pipeline {
    ring3_mutex_t lock; /* of the free tokens and the numbers */
    ring3_list_t free;
    uint64_t put; /* the next number */
    unsigned tokens, busy;
    uint32_t returns; /* tokens that came back: waited on by put and flush */
    unsigned count;
    struct stage *stages;
    struct token *token;
};

/* --- Through the stages ----------------------------------------------------------------------- */

static void return_token(struct token *token)
{
    ring3_pipeline_t *const pipeline = token->pipeline;

    ring3_mutex_lock(&pipeline->lock);
    ring3_list_add(&pipeline->free, &token->free);
    pipeline->busy--;
    /* Pairs with the acquires of the waits in put and flush. */
    ring3_store(&pipeline->returns, pipeline->returns + 1, RING3_RELEASE);
    ring3_mutex_unlock(&pipeline->lock);
    ring3_wait_wake(&pipeline->returns);
}

static void hand_in(struct stage *stage, struct token *token)
{
    /* The pools of a pipeline are open as long as it lives. */
    if (ring3_pool_submit(stage->pool, &token->task, RING3_POOL_BLOCK, NULL))
        abort();
}

static void hand_in_ordered(struct stage *stage, struct token *token, unsigned tokens)
{
    struct token **place = &stage->early[token->number % tokens];

    ring3_mutex_lock(&stage->lock);
    *place = token;
    while (!stage->handing_in && *(place = &stage->early[stage->next % tokens])) {
        token = *place;
        *place = NULL;
        stage->next++;
        stage->handing_in = true;
        ring3_mutex_unlock(&stage->lock);
        hand_in(stage, token);
        ring3_mutex_lock(&stage->lock);
        stage->handing_in = false;
    }
    ring3_mutex_unlock(&stage->lock);
}

static void pass_on(struct token *token)
{
    ring3_pipeline_t *const pipeline = token->pipeline;

    if (token->stage == pipeline->count) {
        return_token(token);
        return;
    }
    struct stage *const stage = &pipeline->stages[token->stage];

    if (stage->is.ordered)
        hand_in_ordered(stage, token, pipeline->tokens);
    else
        hand_in(stage, token);
}

static int run_stage(ring3_task_t *task)
{
    struct token *const token = ring3_container_of(task, struct token, task);
    const struct stage *const stage = &token->pipeline->stages[token->stage];

    if (token->item)
        token->item = stage->is.run(token->item, stage->is.argument);
    return 0;
}

/* The last use of the task, so that the next stage may have it. */
static void stage_done(ring3_task_t *task)
{
    struct token *const token = ring3_container_of(task, struct token, task);

    token->stage++;
    pass_on(token);
}

/* --- In and out ------------------------------------------------------------------------------- */

static bool inside(const ring3_pipeline_t *pipeline)
{
    for (unsigned i = 0; i < pipeline->count; i++)
        if (pool_inside(pipeline->stages[i].pool))
            return true;
    return false;
}

static int may_wait(const ring3_pipeline_t *pipeline, const struct timespec *deadline)
{
    if (pool_forked(pipeline->stages[0].pool))
        return -ECHILD;
    if (ring3_deadline_check(CLOCK_MONOTONIC, deadline))
        return -EINVAL;
    return inside(pipeline) ? -EDEADLK : 0;
}

/* Sleep until a token comes back. The lock is held before and after. 0 or -ETIMEDOUT. */
static int wait_for_return(ring3_pipeline_t *pipeline, const struct timespec *deadline)
{
    const uint32_t seen = pipeline->returns;

    ring3_mutex_unlock(&pipeline->lock);
    /* Pairs with the release in return_token. */
    const int result = ring3_wait_change(&pipeline->returns, seen, RING3_WAIT_ADAPTIVE, deadline);

    if (result == 0)
        ring3_wait_wake(&pipeline->returns); /* a change wakes one waiter, and that one the next */
    ring3_mutex_lock(&pipeline->lock);
    return result == -ETIMEDOUT ? result : 0;
}

int ring3_pipeline_put(ring3_pipeline_t *pipeline, void *item, const struct timespec *deadline)
{
    int result = item ? may_wait(pipeline, deadline) : -EINVAL;
    ring3_list_t *link;

    if (result)
        return result;
    ring3_mutex_lock(&pipeline->lock);
    while (!(link = ring3_list_pop(&pipeline->free)) && !result)
        result = wait_for_return(pipeline, deadline);
    if (!link) {
        ring3_mutex_unlock(&pipeline->lock);
        return result;
    }
    struct token *const token = ring3_container_of(link, struct token, free);

    pipeline->busy++;
    *token = (struct token){.task = {.run = run_stage, .done = stage_done},
                            .item = item,
                            .number = pipeline->put++,
                            .pipeline = pipeline};
    ring3_mutex_unlock(&pipeline->lock);
    pass_on(token);
    return 0;
}

int ring3_pipeline_flush(ring3_pipeline_t *pipeline, const struct timespec *deadline)
{
    int result = may_wait(pipeline, deadline);

    if (result)
        return result;
    ring3_mutex_lock(&pipeline->lock);
    while (pipeline->busy && !result)
        result = wait_for_return(pipeline, deadline);
    if (!pipeline->busy)
        result = 0;
    ring3_mutex_unlock(&pipeline->lock);
    return result;
}

int ring3_pipeline_stats(ring3_pipeline_t *pipeline, unsigned stage, ring3_pool_stats_t *stats)
{
    return stage < pipeline->count ? ring3_pool_stats(pipeline->stages[stage].pool, stats)
                                   : -EINVAL;
}

/* --- Made and freed --------------------------------------------------------------------------- */

/* A pool that stages share holds all tokens at once: none of them ever waits for another's room. */
static bool is_shared(const ring3_stage_t *stages, unsigned count, unsigned number)
{
    for (unsigned i = 0; i < count; i++)
        if (stages[i].shares == number + 1)
            return true;
    return false;
}

static int build_stage(struct stage *stage, const ring3_stage_t *is, unsigned tokens, bool shared)
{
    const ring3_pool_options_t options = {.name = is->name ? is->name : "stage",
                                          .max = is->threads ? is->threads : 1,
                                          .capacity =
                                              is->capacity && !shared ? is->capacity : tokens};

    *stage = (struct stage){.is = *is};
    if (!is->run)
        return -EINVAL;
    if (is->ordered && !(stage->early = calloc(tokens, sizeof *stage->early)))
        return -ENOMEM;
    if (is->shares)
        return 0;
    return ring3_pool_create(&stage->pool, &options);
}

static void release(ring3_pipeline_t *pipeline)
{
    for (unsigned i = 0; i < pipeline->count; i++) {
        if (pipeline->stages[i].pool && !pipeline->stages[i].is.shares)
            (void)ring3_pool_destroy(pipeline->stages[i].pool);
        free(pipeline->stages[i].early);
    }
    free(pipeline->stages);
    free(pipeline->token);
    free(pipeline);
}

int ring3_pipeline_create(ring3_pipeline_t **pipeline, const ring3_stage_t *stages, unsigned count,
                          unsigned tokens)
{
    int err = 0;

    if (!count || !tokens)
        return -EINVAL;
    ring3_pipeline_t *const new = calloc(1, sizeof *new);

    if (!new)
        return -ENOMEM;
    ring3_list_init(&new->free);
    new->tokens = tokens;
    new->stages = calloc(count, sizeof *new->stages);
    new->token = calloc(tokens, sizeof *new->token);
    if (!new->stages || !new->token)
        err = -ENOMEM;
    for (unsigned i = 0; i < tokens && !err; i++)
        ring3_list_add_tail(&new->free, &new->token[i].free);
    while (!err && new->count < count) {
        const ring3_stage_t *const is = &stages[new->count];
        struct stage *const stage = &new->stages[new->count];

        if (is->shares > new->count || (is->shares && stages[is->shares - 1].shares))
            err = -EINVAL;
        else
            err = build_stage(stage, is, tokens, is_shared(stages, count, new->count));
        if (!err && is->shares)
            stage->pool = new->stages[is->shares - 1].pool;
        new->count++;
    }
    if (err) {
        release(new);
        return err;
    }
    *pipeline = new;
    return 0;
}

static void *pass(void *item, void *argument)
{
    (void)argument;
    return item;
}

int ring3_layers_create(ring3_pipeline_t **pipeline, const ring3_layer_t *layers, unsigned count,
                        unsigned tokens)
{
    if (!count || count > UINT_MAX / 2 || !layers[count - 1].down)
        return -EINVAL;
    const unsigned stages_count = 2 * count - 1;
    ring3_stage_t *const stages = calloc(stages_count, sizeof *stages);

    if (!stages)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        stages[i] = (ring3_stage_t){.name = layers[i].name,
                                    .run = layers[i].down ? layers[i].down : pass,
                                    .argument = layers[i].argument,
                                    .threads = layers[i].threads};
    for (unsigned i = 0; i + 1 < count; i++)
        stages[stages_count - 1 - i] = (ring3_stage_t){.run = layers[i].up ? layers[i].up : pass,
                                                       .argument = layers[i].argument,
                                                       .shares = i + 1};
    const int err = ring3_pipeline_create(pipeline, stages, stages_count, tokens);

    free(stages);
    return err;
}

int ring3_pipeline_destroy(ring3_pipeline_t *pipeline)
{
    if (!pool_forked(pipeline->stages[0].pool)) {
        const int err = ring3_pipeline_flush(pipeline, NULL);

        if (err)
            return err;
    }
    release(pipeline);
    return 0;
}
