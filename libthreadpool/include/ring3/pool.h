/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads that run submitted tasks, behind a bounded queue.
 *
 *     struct request { int fd; ring3_task_t task; };
 *
 *     static int serve(ring3_task_t *task)
 *     {
 *         struct request *request = ring3_container_of(task, struct request, task);
 *         …
 *         return 0;                                  (or a negative errno: the task's result)
 *     }
 *
 *     err = ring3_pool_create(&pool, NULL);
 *     struct request request = {fd, {.run = serve}};
 *     err = ring3_pool_submit(pool, &request.task, RING3_POOL_BLOCK, NULL);
 *     err = ring3_task_wait(&request.task, deadline);
 *     err = ring3_pool_destroy(pool);
 *
 * A task is the caller's memory, on a stack or inside a larger object: submitting allocates
 * nothing. The pool owns it from submission until it is done; then it may be submitted again.
 *
 * A pool cannot deadlock on itself. A thread that runs a task of a pool and waits for a queued task
 * or group of that pool runs what it waits for; a wait never runs an unrelated task. When the queue
 * is full, such a thread runs the task it wanted to submit instead of blocking.
 *
 * Always, also while threads work:  submitted = done + cancelled + delayed + queued + running.
 *
 * Deadlines are absolute CLOCK_MONOTONIC times, NULL for ever. A group belongs to one pool. All
 * functions are thread-safe and none is async-signal-safe. Order: what came before a submission
 * happens before the task, and what the task did happens before a wait for it, or for its group,
 * returns 0.
 *
 * Threads of a pool have all signals blocked. A task may end its thread (pthread_exit, or
 * cancellation at a cancellation point): it counts as done with result -ECANCELED, and the pool
 * starts another thread when one is needed. A C++ exception that leaves a task ends the program if a
 * thread of the pool ran the task, as one that leaves a thread does; else it reaches who ran the task
 * by submitting or waiting, and the task is done with result -ECANCELED.
 *
 * In a child of fork the pools of the parent are gone: every call fails with -ECHILD, except
 * ring3_pool_destroy, which frees the memory. A task that forks should exec or _exit in the child;
 * when the task returns there, the child ends with _exit(0).
 */
#ifndef RING3_POOL_H
#define RING3_POOL_H

#include "ring3/api.h"
#include "ring3/list.h"
#include "ring3/rbtree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

typedef struct ring3_pool ring3_pool_t;
typedef struct ring3_task ring3_task_t;
typedef struct ring3_group ring3_group_t;
typedef struct ring3_lane ring3_lane_t;

/* --- Tasks ------------------------------------------------------------------------------------ */

#define RING3_POOL_LEVELS 8

/** The caller fills in the first five members; all else starts as zero and is the pool's. */
struct ring3_task {
    int (*run)(ring3_task_t *task); /* returns the task's result */
    /*
     * NULL, or called when the task has run or was cancelled, in the thread where that happened,
     * as the last use of the task: it may free or resubmit it, and must return. Such a task cannot
     * be waited for, except through its group.
     */
    void (*done)(ring3_task_t *task);
    ring3_group_t *group; /* or NULL */
    ring3_lane_t *lane;   /* or NULL */
    uint32_t priority;    /* 0, the most urgent, to RING3_POOL_LEVELS - 1 */

    uint32_t
        state; /* RING3_TASK_*: written under the pool's lock or by who claimed it, read without */
    uint32_t cancel; /* 1: asked to stop */
    int result;      /* of `run`, or -ECANCELED; valid once the task is done */
    uint64_t turn;   /* its place among the queued: smaller goes first */
    ring3_pool_t *pool;
    ring3_list_t link;    /* in a queue, or in its group's collection */
    ring3_list_t sibling; /* among the queued or delayed tasks of its group */
    ring3_rbnode_t timer; /* among the delayed */
    uint64_t due;         /* nanoseconds of CLOCK_MONOTONIC; a delayed task's */
    uint64_t period;      /* nanoseconds; 0: once */
    uint64_t entered;     /* when it was submitted or due; nanoseconds, if the pool is watched */
    uint64_t missed;      /* periods left out because earlier runs took too long */
};

#define RING3_TASK_IDLE    0u /* not submitted */
#define RING3_TASK_OFFERED 1u /* its submitter waits for room in the queue */
#define RING3_TASK_QUEUED  2u
#define RING3_TASK_RUNNING 3u
#define RING3_TASK_DONE    4u /* ran or was cancelled */
#define RING3_TASK_DELAYED 5u /* its time has not come */
#define RING3_TASK_SENT    6u /* on the way to the queue */
#define RING3_TASK_CLAIMED 7u /* somebody is about to submit it: as if idle to all others */

/* What ring3_pool_submit does when the queue is full. */
typedef enum ring3_pool_full {
    RING3_POOL_BLOCK, /* wait for room until the deadline; first come, first served */
    RING3_POOL_FAIL,  /* -EAGAIN */
    RING3_POOL_RUN,   /* run the task in the caller */
    RING3_POOL_DROP,  /* cancel the oldest of the least urgent queued tasks; -EAGAIN if all are more
                         urgent than this one */
} ring3_pool_full_t;

/**
 * Hand in a task.
 *
 * @param deadline  for RING3_POOL_BLOCK only
 * @return 0: the task will run or be cancelled, once; -EAGAIN: full; -ETIMEDOUT; -EBUSY: the task
 *         is submitted already; -ECANCELED: its group was cancelled; -ESHUTDOWN: the pool is
 *         closing (tasks may submit others while it drains); -EINVAL: no `run`, no such priority, a
 *         group of another pool, or a malformed time; -ECHILD
 *
 * No system call unless a thread sleeps that should wake, or a new one is wanted.
 */
int ring3_pool_submit(ring3_pool_t *pool, ring3_task_t *task, ring3_pool_full_t full,
                      const struct timespec *deadline);

/**
 * Wait until the task is done; its result is then in task->result. Several threads may wait for one
 * task, if it stays in place until all have returned.
 *
 * @return 0; -ETIMEDOUT; -EDEADLK: the calling thread is running that task; -EINVAL: not submitted,
 *         or a malformed time; -ECHILD
 */
int ring3_task_wait(ring3_task_t *task, const struct timespec *deadline);

/**
 * Cancel a queued or delayed task, or ask a running one to stop; a periodic one runs no more.
 *
 * @return 0: it was queued or delayed, is done now, and will not run; -EINPROGRESS: it is running, and
 *         ring3_task_cancelled tells it; -EALREADY: it is done; -EINVAL: not submitted; -ECHILD
 */
int ring3_task_cancel(ring3_task_t *task);

/** For a running task: 1 if it was asked to stop, by ring3_task_cancel, through its group, or
 * because the pool is closing now. One to three loads. */
int ring3_task_cancelled(const ring3_task_t *task);

/**
 * Hand in a task that is to be queued at a certain time, and again every `period_ns` after that.
 *
 * A delayed task takes no room in the queue, and when its time comes it is queued even if that is
 * full: its memory is the caller's. Each run of a periodic task counts as submitted. The next is due
 * a period after the last one was, however long that took; periods that passed meanwhile are left
 * out and counted in task->missed. It is done when its `run` returns something else than 0, when it
 * is cancelled, or when the pool closes, which cancels all delayed tasks.
 *
 * @param when       CLOCK_MONOTONIC; past times mean now
 * @param period_ns  0: once
 * @return 0; -EBUSY; -ECANCELED; -ESHUTDOWN; -EINVAL; -ECHILD: as ring3_pool_submit; -EAGAIN: no
 *         more threads (the first call starts the one that keeps the time)
 */
int ring3_pool_submit_at(ring3_pool_t *pool, ring3_task_t *task, const struct timespec *when,
                         int64_t period_ns);

/**
 * Around calls that block for long in a task: meanwhile the pool may run another thread, up to
 * `spare` beyond `max`, so that blocked tasks keep no others waiting. Pairs nest. No effect in
 * threads that are no worker of a pool. A thread too many ends after its task.
 */
void ring3_pool_blocking_enter(void);
void ring3_pool_blocking_leave(void);

/* --- Lanes ------------------------------------------------------------------------------------ */

/** Tasks of which only so many may run at once, so that one kind of work leaves threads to others.
 * The queue's capacity and priorities are common to all lanes. All members are the pool's. */
struct ring3_lane {
    ring3_pool_t *pool;
    unsigned limit, running;
    uint32_t waiting; /* bit n: level n is not empty */
    size_t length;
    ring3_list_t link; /* among the pool's lanes */
    ring3_list_t levels[RING3_POOL_LEVELS];
};

/**
 * Add a lane to a pool. A thread that waits for a task of its own pool may run it beyond the limit,
 * as may a submitter with RING3_POOL_RUN: they would have to wait for threads otherwise.
 * @param limit  most tasks of the lane that threads of the pool take up at once, at least 1
 * @return 0; -EINVAL; -ECHILD
 */
int ring3_lane_init(ring3_lane_t *lane, ring3_pool_t *pool, unsigned limit);

/** Take a lane from its pool, which must not be destroyed before. @return 0; -EBUSY: tasks of it are
 * queued or running; -ECHILD */
int ring3_lane_fini(ring3_lane_t *lane);

/* --- Groups ----------------------------------------------------------------------------------- */

#define RING3_GROUP_STOP    1u /* the first error cancels the rest of the group */
#define RING3_GROUP_COLLECT 2u /* keep finished tasks for ring3_group_next */
#define RING3_GROUP_HELP    4u /* any thread that waits for the group runs queued tasks of it */

/** Tasks that are waited for or cancelled together. All members are the pool's. */
struct ring3_group {
    ring3_pool_t *pool;
    uint32_t flags;
    uint32_t cancelled;
    uint32_t rounds;   /* how often the group has become empty */
    uint32_t finishes; /* tasks collected */
    uint32_t calls;    /* changes when those may go on that wait and would run queued tasks */
    uint32_t helpers;  /* such waiters that sleep */
    int error;
    int pollable;   /* an eventfd, or -1 */
    size_t pending; /* tasks submitted and not done */
    ring3_list_t queued, delayed, finished;
};

/** Make an empty group; `flags` are RING3_GROUP_*. */
void ring3_group_init(ring3_group_t *group, ring3_pool_t *pool, uint32_t flags);

/**
 * Wait for all: until no task of the group is queued or running.
 * @return 0; -ETIMEDOUT; -EDEADLK from a task of the group; -EINVAL for a malformed time; -ECHILD
 */
int ring3_group_wait(ring3_group_t *group, const struct timespec *deadline);

/**
 * Wait for any: the next task of a collecting group, in the order they finished. Tasks with `done`
 * are not collected; the others must stay in place until they are.
 * @return 0; -ENOENT: all tasks are done and collected; otherwise as ring3_group_wait
 */
int ring3_group_next(ring3_group_t *group, ring3_task_t **task, const struct timespec *deadline);

/**
 * A descriptor for poll, select and epoll: readable while ring3_group_next has a task to hand out,
 * so that an event loop can use the threads of a pool. Do not read it. Costs a system call when the
 * first finished task comes and when the last one is handed out, none in between.
 * @return the descriptor, the same in every call, close-on-exec; -EINVAL: not a collecting group;
 *         -EMFILE, -ENFILE or -ENOMEM; -ECHILD
 */
int ring3_group_poll_fd(ring3_group_t *group);

/** Close that descriptor, if there is one. */
void ring3_group_close_poll_fd(ring3_group_t *group);

/** Cancel the queued and delayed tasks and ask the running ones to stop; later submissions fail with
 * -ECANCELED. @return 0; -ECHILD */
int ring3_group_cancel(ring3_group_t *group);

/** The first error that a task of the group returned, or 0. Cancelled tasks are no errors. */
int ring3_group_error(const ring3_group_t *group);

/* --- Pools ------------------------------------------------------------------------------------ */

/** What kind of pool; a member that is zero has the default it names. */
typedef struct ring3_pool_options {
    const char *name;  /* threads are called name/0, name/1, …, cut to 15 bytes; "pool" */
    size_t capacity;   /* most tasks queued; 1024 */
    unsigned max;      /* most threads; ring3_pool_default_size() */
    unsigned min;      /* fewest threads; max, which makes the size static */
    int64_t idle_ns;   /* above min, one thread per such period leaves after being idle for as
                           long; 1 s */
    size_t stack_size; /* bytes; the system's default */
    unsigned spare;    /* most threads that stand in for those in ring3_pool_blocking_enter; 16 */
    unsigned aging;    /* starts of other tasks that make up for one level of priority; 0: priority
                           is strict */
    bool on_demand;    /* a thread for every task, which ends with it; for comparisons. `min` and
                             `idle_ns` mean nothing then, and tasks wait while `max` threads run */
    bool pin; /* worker n runs on the n-th of the process's CPUs only, modulo their number */
    const void *cpus;   /* or all on these: an affinity mask as of sched_setaffinity(2) */
    size_t cpus_size;   /* its bytes */
    int sched_policy;   /* SCHED_FIFO or SCHED_RR; 0: the creator's */
    int sched_priority; /* of the policy */
    bool measure;       /* keep the figures of ring3/pool_figures.h */
    void (*init)(void *argument, unsigned worker); /* in each thread, first */
    void (*fini)(void *argument, unsigned worker); /* and last */
    void *argument;
} ring3_pool_options_t;

/**
 * Start a pool with `min` threads. While tasks are queued and no thread is idle, it grows by one
 * thread at a time up to `max`.
 *
 * @param options  NULL for all defaults
 * @return 0; -ENOMEM; -EAGAIN: no more threads; -EINVAL: min > max, a negative time, a stack that
 *         is too small, a mask without a CPU of this machine, no such policy; -EPERM: the policy is
 *         not allowed
 */
int ring3_pool_create(ring3_pool_t **pool, const ring3_pool_options_t *options);

/* From mild to strict; a later call may make it stricter. Delayed tasks are cancelled by each. */
typedef enum ring3_pool_closing {
    RING3_POOL_DRAIN = 1, /* run what is queued */
    RING3_POOL_CANCEL,    /* cancel what is queued, let running tasks finish */
    RING3_POOL_NOW,       /* and ask running tasks to stop */
} ring3_pool_closing_t;

/**
 * Close the pool to new tasks and wait until its threads have ended. Idempotent. Submitters that
 * wait for room get -ESHUTDOWN.
 *
 * @return 0; -ETIMEDOUT: still closing, call again; -EDEADLK: from a task or a thread of the pool,
 *         and nothing was done; -EINVAL; -ECHILD
 */
int ring3_pool_shutdown(ring3_pool_t *pool, ring3_pool_closing_t how,
                        const struct timespec *deadline);

/** Shut down (draining, unless it was shut down before) and free. Other calls on the pool must have
 * returned. @return 0; -EDEADLK as above */
int ring3_pool_destroy(ring3_pool_t *pool);

/** Figures of one instant. */
typedef struct ring3_pool_stats {
    uint64_t submitted, done, cancelled;
    uint64_t dropped;   /* of the cancelled: to make room */
    uint64_t refused;   /* not submitted: full, or in time */
    uint64_t in_caller; /* of the submitted: run by their submitter or waiter */
    uint64_t queued, running;
    uint64_t delayed;  /* submitted for a time that has not come */
    uint64_t blocking; /* of the running: in ring3_pool_blocking_enter */
    unsigned threads, threads_most;
    uint64_t starts, start_failures; /* threads started, and not for lack of resources */
} ring3_pool_stats_t;

/** @return 0; -ECHILD */
int ring3_pool_stats(ring3_pool_t *pool, ring3_pool_stats_t *stats);

/** CPUs this process may use: those of its affinity mask, but no more than the CPU quota of its
 * cgroups (version 2) rounded up. At least 1. Reads some files: for start-up. */
unsigned ring3_pool_default_size(void);

RING3_API_END

#endif
