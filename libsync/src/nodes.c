/* SPDX-License-Identifier: MIT */
/* The store of queue-lock nodes: see nodes.h. */
#include "nodes.h"

#include "ring3/mutex.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

/* A thread rarely holds more queue locks at once; what it gives back beyond this goes to the pool.
 */
#define SPARE_MAX 8

/* The first nodes, enough for most programs, cost no system call. */
#define STATIC_NODES 256
#define CHUNK_NODES  1024

/* One pool per process. `pool` and `unused` are guarded by `pool_lock`. */
static struct ring3_node static_nodes[STATIC_NODES];
static struct ring3_node *unused = static_nodes, *unused_end = static_nodes + STATIC_NODES;
static struct ring3_node *pool;
static ring3_mutex_t pool_lock;

static struct ring3_node *pool_get(void)
{
    struct ring3_node *node = pool;

    if (node) {
        pool = node->spare;
        return node;
    }
    if (unused == unused_end) {
        const int saved = errno;
        void *const chunk = mmap(NULL, CHUNK_NODES * sizeof *unused, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        errno = saved;
        if (chunk == MAP_FAILED)
            return NULL;
        unused = chunk;
        unused_end = unused + CHUNK_NODES;
    }
    return unused++;
}

static void pool_put(struct ring3_node *node)
{
    ring3_mutex_lock(&pool_lock);
    node->spare = pool;
    pool = node;
    ring3_mutex_unlock(&pool_lock);
}

void *ring3_node_get(void)
{
    ring3_self_t *const self = ring3_self();
    struct ring3_node *node = self->nodes;
    ring3_pause_t pause = {0};

    if (ring3_likely(node != NULL)) {
        self->nodes = node->spare;
        self->nodes_held--;
        return node;
    }
    for (;;) {
        ring3_mutex_lock(&pool_lock);
        node = pool_get();
        ring3_mutex_unlock(&pool_lock);
        if (node)
            return node;
        (void)ring3_pause(&pause, RING3_WAIT_PARK, NULL);
    }
}

void ring3_node_put(void *memory)
{
    ring3_self_t *const self = ring3_self();
    struct ring3_node *const node = memory;

    if (ring3_unlikely(self->nodes_held >= SPARE_MAX)) {
        pool_put(node);
        return;
    }
    if (ring3_unlikely(!self->nodes))
        ring3_self_keeps(self);
    node->spare = self->nodes;
    self->nodes = node;
    self->nodes_held++;
}

void ring3_nodes_give_back(ring3_self_t *self)
{
    while (self->nodes) {
        struct ring3_node *const node = self->nodes;

        self->nodes = node->spare;
        self->nodes_held--;
        pool_put(node);
    }
    /* A destructor that takes queue locks after us must not fill the store again. */
    self->nodes_held = SPARE_MAX;
}

/* In a child of fork another thread may have held the pool's lock in the middle of a change: start
 * a fresh pool. */
static void fresh_after_fork(void)
{
    ring3_mutex_init(&pool_lock);
    pool = NULL;
    unused = unused_end;
    /* The queues in which this thread left nodes are the parent's. */
    ring3_self()->left = NULL;
}

__attribute__((constructor(RING3_START_FIRST))) static void nodes_start(void)
{
    (void)pthread_atfork(NULL, NULL, fresh_after_fork);
}
