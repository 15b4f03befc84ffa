/* SPDX-License-Identifier: MIT */
/* Lanes come to a pool and leave it; queue.c serves them. */
#include "core.h"

#include <errno.h>

int ring3_lane_init(ring3_lane_t *lane, ring3_pool_t *pool, unsigned limit)
{
    if (pool_forked(pool))
        return -ECHILD;
    if (!limit)
        return -EINVAL;
    *lane = (ring3_lane_t){.pool = pool};
    pool_lock(pool);
    queue_add_lane(&pool->queue, lane, limit);
    pool_unlock_unchanged(pool);
    return 0;
}

int ring3_lane_fini(ring3_lane_t *lane)
{
    ring3_pool_t *const pool = lane->pool;
    int result = 0;

    if (pool_forked(pool))
        return -ECHILD;
    pool_lock(pool);
    if (lane->length || lane->running)
        result = -EBUSY;
    else
        ring3_list_remove(&lane->link);
    pool_unlock_unchanged(pool);
    return result;
}
