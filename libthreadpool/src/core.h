/* SPDX-License-Identifier: MIT */
/*
 * The inside of a pool, and what its parts offer each other.
 *
 * One mutex covers the pool, its tasks' links and its groups. It is held for some tens of
 * instructions: a worker accounts for one task and takes the next in a single critical section.
 * Submitting does without it while workers are busy and there is room (inbox.h).
 * Wake-ups and thread starts are collected in a `struct after` and done once it is released. What
 * is woken may be gone by then: waking uses addresses only.
 */
#ifndef RING3_POOL_CORE_H
#define RING3_POOL_CORE_H

#include "ring3/crew.h"
#include "ring3/mutex.h"
#include "ring3/pool.h"
#include "ring3/wait.h"

#include "figures.h"
#include "inbox.h"
#include "queue.h"

#include <pthread.h>
#include <stdbool.h>

enum slot {
    SLOT_FREE,
    SLOT_SERVING, /* starting, at work or idle */
    SLOT_LEAVING, /* will not look at the queue again */
};

struct worker {
    ring3_list_t idle; /* among the idle workers */
    uint32_t called;   /* 0 while idle; 1 written by who calls it to work */
    unsigned index;
    enum slot slot;
    bool to_join;      /* `thread` served here, has left, and ends or has ended */
    unsigned blocking; /* depth of ring3_pool_blocking_enter; its thread's */
    pthread_t thread;
    clockid_t clock; /* of its CPU time */
    bool has_clock;
    uint64_t asleep; /* since when; 0: it is not, or nobody is watching */
    ring3_pool_t *pool;
} RING3_CACHE_ALIGNED;

struct ring3_pool {
    ring3_mutex_t lock;
    struct queue queue;
    ring3_list_t blocked;     /* submitters that wait for room, in order of arrival */
    ring3_list_t idle;        /* workers, the one with the warmest cache first */
    ring3_pool_stats_t stats; /* `threads` counts the serving */
    unsigned alive;           /* slots serving or leaving */
    /*
     * Somebody is on the way to the queue, woken or started, and has not got there. Whoever gets
     * there calls the next one if there is work left: so many submissions cost one wake-up.
     */
    bool rousing;
    uint32_t
        closing;    /* 0, or ring3_pool_closing_t; written under the lock, read by running tasks */
    uint32_t ended; /* 1: closed, and nothing queued, running or alive */
    uint32_t forks; /* pool_forks when the pool was made */
    struct timespec next_leave; /* no worker leaves for idleness before this */
    /* Delayed tasks, the next due first. Their thread is started with the first of them. */
    ring3_rbtree_t delayed;
    bool has_clock;
    uint32_t clock_turn; /* changes when the clock's thread should look again */
    pthread_t clock;
    ring3_pool_options_t options;
    /* Who is watching. */
    uint32_t watched; /* 1: times are taken; written under the lock, read by running threads */
    struct measured *measured; /* or NULL */
    ring3_pooltrace_t *trace;  /* or NULL */
    /* A worker of a crew (crew.c). */
    ring3_crew_t *crew; /* or NULL */
    unsigned place;
    uint32_t resting; /* 1: its worker sleeps, or looks for the last time before it does */
    bool summoned;    /* it is to look again at the others' queues */
    char name[12];    /* leaves room for /999 in the 15 bytes of a thread's name */
    struct inbox inbox RING3_CACHE_ALIGNED;
    struct worker workers[];
};

/* A submitter that waits for room, on its stack. */
struct blocked {
    ring3_list_t link;
    ring3_task_t *task;
    uint32_t outcome;
};

enum { BLOCKED_WAITING, BLOCKED_ACCEPTED, BLOCKED_REFUSED };

/* A task being run by this thread, on its stack. Frames tell who must not wait for what. */
struct frame {
    ring3_pool_t *pool;
    ring3_task_t *task; /* NULL at the foot of a worker; only compared, for the task may be gone */
    ring3_group_t *group;
    struct frame *outer;
    int (*run)(ring3_task_t *task);
    uint64_t entered, begun; /* nanoseconds; 0: nobody is watching */
};

/* The pool's worker that this thread is, or NULL. */
extern __thread struct worker *pool_worker;

/* The frames of this thread, innermost first. */
extern __thread struct frame *pool_frames;

/* Forks that made this process: counted in the child. */
extern uint32_t pool_forks;

static inline bool pool_forked(const ring3_pool_t *pool)
{
    return ring3_unlikely(pool->forks != ring3_load(&pool_forks, RING3_RELAXED));
}

/* True if this thread runs a task of the pool, or is one of its workers. */
bool pool_inside(const ring3_pool_t *pool);

/* True if this thread runs the task, or something that the task waits for. */
bool pool_runs_here(const ring3_task_t *task);

/* --- After the lock --------------------------------------------------------------------------- */

/* A task's end wakes waiters for it, its group's three words, and the pool's end; taking one lets a
 * submitter in. Then there is one worker to call, and the clock. */
#define AFTER_WAKES 8

struct after {
    const uint32_t *wakes[AFTER_WAKES];
    unsigned count;
    struct worker *start;
};

static inline void after_wake(struct after *after, const uint32_t *word)
{
    after->wakes[after->count++] = word;
}

/* Tasks from the inbox go to the queue. With the lock held. */
void pool_empty_inbox(ring3_pool_t *pool);

static inline void pool_lock(ring3_pool_t *pool)
{
    ring3_mutex_lock(&pool->lock);
    if (inbox_last(inbox_look(&pool->inbox)))
        pool_empty_inbox(pool);
}

/* Release the lock and do what is left; `after` is empty again. */
void pool_unlock(ring3_pool_t *pool, struct after *after);

/* The same where nothing has changed that submitters look at. */
static inline void pool_unlock_unchanged(ring3_pool_t *pool)
{
    ring3_mutex_unlock(&pool->lock);
}

/* --- Tasks (task.c); all with the lock held --------------------------------------------------- */

/* Take the next task out of the queue, to be run or cancelled, and let a blocked submitter in. */
ring3_task_t *pool_take(ring3_pool_t *pool, struct after *after);

/* The same for one that is known to be queued. */
void pool_take_this(ring3_pool_t *pool, ring3_task_t *task, struct after *after);

/* Run a task that was taken out, or cancel it if it should not run any more. Releases the lock
 * meanwhile. */
void pool_run(ring3_pool_t *pool, ring3_task_t *task, struct after *after);

/* Cancel a task that was taken out, likewise. */
void pool_drop(ring3_pool_t *pool, ring3_task_t *task, struct after *after);

/* A queued or running task's state. */
void pool_set_state(ring3_task_t *task, uint32_t state);

/* Is the task well-formed, and its group and lane the pool's? Without the lock. */
bool pool_may_own(const ring3_pool_t *pool, const ring3_task_t *task);

/* May the task be submitted now? 0, and it is claimed; or a negative errno. `before`: for pool_refuse. */
int pool_admit(const ring3_pool_t *pool, ring3_task_t *task, uint32_t *before);

/* A claimed task is not submitted after all: it is as it was. */
void pool_refuse(ring3_task_t *task, uint32_t before);

/* An admitted task becomes the pool's. */
void pool_offer(ring3_pool_t *pool, ring3_task_t *task);

/* It counts as submitted. */
void pool_count_in(ring3_pool_t *pool, ring3_task_t *task);

/* Into the queue; it was counted in. */
void pool_enqueue(ring3_pool_t *pool, ring3_task_t *task);

/* Run from now on: it is in no queue. */
void pool_begin(ring3_pool_t *pool, ring3_task_t *task);

/* --- A pool's life (pool.c) ------------------------------------------------------------------- */

/* The parts of ring3_pool_create and ring3_pool_destroy. Without the lock. */
int pool_make(ring3_pool_t **pool, const ring3_pool_options_t *options);
int pool_start_workers(ring3_pool_t *pool);
void pool_join_workers(ring3_pool_t *pool);
void pool_free(ring3_pool_t *pool);

/* --- Crews (crew.c) --------------------------------------------------------------------------- */

/* Without any lock: a resting worker of the crew is to look for work. */
void crew_call(ring3_pool_t *busy);

/* With the lock held, which is released meanwhile: nothing is queued here. True if the worker has
 * run a task of another queue, or should look again; false if it may sleep, and then it rests. */
bool crew_help(ring3_pool_t *pool, struct after *after);

/* It has slept, or ends. */
void crew_awake(ring3_pool_t *pool);

/* --- Figures (figures.c); with the lock held ---------------------------------------------------- */

size_t pool_size(const ring3_pool_options_t *options);

/* Of a measured pool: a task comes upon the queue. */
void figures_queue(ring3_pool_t *pool);

/* A task of a watched pool has run. */
void figures_run(ring3_pool_t *pool, const struct frame *frame, uint64_t ended);

/* A worker has slept, and its thread ends. */
void figures_slept(struct worker *worker);
void figures_gone(ring3_pool_t *pool);

/* --- Descriptors (group.c) ---------------------------------------------------------------------- */

/* Make a group's descriptor readable, and not readable any more. No cancellation points, as the
 * functions of libc are: the lock is held. */
void group_fd_set(int fd);
void group_fd_clear(int fd);

/* --- Delayed tasks (delay.c); with the lock held ---------------------------------------------- */

/* True if a periodic task that has run waits for its next time now; it is not done then. */
bool delay_again(ring3_pool_t *pool, ring3_task_t *task, int result, struct after *after);

/* Let the clock's thread look again. */
void delay_rouse(ring3_pool_t *pool, struct after *after);

/* Take a task out of the delayed, to be dropped. */
void delay_take(ring3_pool_t *pool, ring3_task_t *task);

/* --- Workers (worker.c); with the lock held --------------------------------------------------- */

/* The slots of threads: those that may work at once, and those that stand in for blocked ones. */
static inline unsigned pool_slots(const ring3_pool_t *pool)
{
    return pool->options.max + pool->options.spare;
}

/* Call an idle worker, or start one, if there is work that nobody is coming for. */
void pool_rouse(ring3_pool_t *pool, struct after *after);

/* Call an idle worker if there is one. */
bool pool_call(ring3_pool_t *pool, struct after *after);

/* More tasks are ready than the pool's own workers are on the way for. */
static inline bool pool_has_excess(const ring3_pool_t *pool)
{
    return pool->queue.ready > pool->rousing;
}

/* Note the end of a closing pool. */
void pool_check_end(ring3_pool_t *pool, struct after *after);

/* Without the lock: start the thread of a slot that was made SLOT_SERVING. 0 or a negative errno;
 * then the slot is free again. */
int pool_worker_start(struct worker *worker);

/* Likewise: wait for the thread that served in this slot before, if any, to end. */
void pool_worker_join(struct worker *worker);

#endif
