/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: divide work among the threads of a team by spawning parts and waiting for them.
 *
 *     struct fib { ring3_fork_t fork; int n; long result; };
 *
 *     static long fib(int n, ring3_member_t *me)
 *     {
 *         if (n < 2)
 *             return n;
 *         struct fib a = {.fork = {.run = fib_fork}, .n = n - 1};
 *
 *         RING3_SPAWN(me, &a.fork);
 *         const long b = fib(n - 2, me);
 *
 *         RING3_SYNC(me, &a.fork, fib_fork);
 *         return a.result + b;
 *     }
 *
 *     static void fib_fork(ring3_fork_t *fork, ring3_member_t *me)
 *     {
 *         struct fib *self = ring3_container_of(fork, struct fib, fork);
 *
 *         self->result = fib(self->n, me);
 *     }
 *
 *     err = ring3_team_create(&team, 0);
 *     err = ring3_team_run(team, &root.fork);
 *
 * Each member has a deque of what it spawned. It takes its own work back from the young end; idle
 * members steal from the old end of others. A fork is the caller's memory, usually on its stack:
 * spawning allocates nothing and makes no system call unless a member sleeps.
 *
 * A wait never runs an unrelated task. A member that waits for a stolen fork helps the thief, with
 * parts of that fork only (leapfrogging), so that its stack and its latency are bounded by the work
 * it waits for. Source: Wagner and Calder 1993.
 *
 * Every spawn is followed, in the same function, by its sync, the last spawn first. Forks must not
 * end their thread nor throw, and `me` must not be passed to another thread. Blocking in a fork
 * blocks a thread of the team.
 *
 * Order: what came before a spawn happens before the fork runs, and what it did happens before the
 * sync returns. Not async-signal-safe. Idle members sleep and use no CPU time. Their signals are
 * blocked. In a child of fork(2) the teams of the parent are gone: run fails with -ECHILD, and
 * destroy frees the memory. A fork that calls fork(2) must exec or
 * _exit in the child.
 */
#ifndef RING3_FORKJOIN_H
#define RING3_FORKJOIN_H

#include "ring3/api.h"
#include "ring3/deque.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef struct ring3_team ring3_team_t;
typedef struct ring3_member ring3_member_t; /* a thread of a team while it runs forks */
typedef struct ring3_fork ring3_fork_t;

/** Set `run`; all else starts as zero, and is zero again after the sync, when the fork may be spawned
 * anew. */
struct ring3_fork {
    void (*run)(ring3_fork_t *fork, ring3_member_t *me);
    ring3_member_t *thief; /* who runs it; set by the thief once it has stolen it */
    uint32_t done;         /* 1: the thief has run it */
    uint32_t kept;         /* 1: the deque was full, and the owner runs it at the sync */
};

/**
 * Make a team of `size` members (0: ring3_pool_default_size(); at most 1024). One of them is
 * whoever calls ring3_team_run, so that `size` - 1 threads are started.
 * @return 0; -ENOMEM; -EAGAIN: no more threads; -EINVAL
 */
int ring3_team_create(ring3_team_t **team, unsigned size);

/** End the threads and free the team. No run may be under way. @return 0; -EDEADLK from a member */
int ring3_team_destroy(ring3_team_t *team);

/**
 * Run a fork as a member of the team, and return when it has returned. One run at a time: others
 * wait their turn.
 * @return 0; -EDEADLK from a member of the team (use ring3_fork_spawn there); -ECHILD
 */
int ring3_team_run(ring3_team_t *team, ring3_fork_t *root);

/* For the inline functions below; all members are the team's. */
struct ring3_member {
    ring3_deque_t deque;
    ring3_team_t *team;
    unsigned index;
    uint32_t seed; /* of the choice of victims */
    pthread_t thread;
} RING3_CACHE_ALIGNED;

unsigned ring3_team_size(const ring3_member_t *me);

/** This member's number, from 0 (the caller of run) to size - 1: for per-member storage. */
unsigned ring3_member_index(const ring3_member_t *me);

/** Let another member run the fork, or run it at the sync. */
void ring3_fork_spawn(ring3_member_t *me, ring3_fork_t *fork);

/** Run the fork if nobody took it; else wait until it has run. Aborts, with a message, if the fork
 * is not the last one spawned and not synced. */
void ring3_fork_sync(ring3_member_t *me, ring3_fork_t *fork);

/* The rare ways of the two: the deque is full or somebody asks for work; the fork is not private. */
void ring3_fork_spawn_rare(ring3_member_t *me, ring3_fork_t *fork, bool pushed);
void ring3_fork_sync_rare(ring3_member_t *me, ring3_fork_t *fork);

/** ring3_fork_spawn in a dozen instructions, without a call, a fence or an atomic operation. */
static inline void RING3_SPAWN(ring3_member_t *me, ring3_fork_t *fork)
{
    bool offer = false;
    const bool pushed = ring3_deque_push(&me->deque, fork, &offer);

    if (ring3_unlikely(!pushed || offer))
        ring3_fork_spawn_rare(me, fork, pushed);
}

/** ring3_fork_sync likewise. `run` must be what fork->run is: written out, it is called directly
 * when nobody took the fork. */
static inline void RING3_SYNC(ring3_member_t *me, ring3_fork_t *fork,
                              void (*run)(ring3_fork_t *fork, ring3_member_t *me))
{
    if (ring3_likely(ring3_deque_pop_this(&me->deque, fork)))
        run(fork, me);
    else
        ring3_fork_sync_rare(me, fork);
}

/* --- Loops ------------------------------------------------------------------------------------ */

/* How the indices are dealt out. */
typedef enum ring3_schedule {
    RING3_SCHEDULE_STATIC,  /* one equal share per member, in order: for even work */
    RING3_SCHEDULE_DYNAMIC, /* `grain` at a time, first come, first served: for uneven work */
    RING3_SCHEDULE_GUIDED,  /* half an equal share of what is left, never less than `grain` */
    RING3_SCHEDULE_STEAL,   /* an equal share per member, `grain` at a time; who is done takes half
                               of another's rest: for work that is nearly even */
} ring3_schedule_t;

/** The half-open range [from, to); `argument` is the caller's. */
typedef void ring3_for_body_t(int64_t from, int64_t to, void *argument, ring3_member_t *me);

/**
 * Call `body` on pieces that cover [from, to) once, in parallel; the caller takes part. From a
 * member, so loops may be nested.
 * @param grain  smallest piece, at least 1 (only the last may be smaller); unused when static
 * @return 0; -EINVAL: no such schedule, or a grain below 1
 */
int ring3_parallel_for(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                       ring3_schedule_t schedule, ring3_for_body_t *body, void *argument);

/** A box of up to three dimensions: the product of half-open ranges. Leave those not needed [0, 1). */
typedef struct ring3_box {
    int64_t from[3], to[3];
} ring3_box_t;

typedef void ring3_for_box_body_t(const ring3_box_t *box, void *argument, ring3_member_t *me);

/**
 * Call `body` on boxes of at most grain[0] x grain[1] x grain[2] indices that cover `whole` once, in
 * parallel. Boxes are dealt out as the schedule says, the last dimension running fastest.
 * @return 0; -EINVAL: no such schedule, a grain below 1, or more than 2^62 boxes
 */
int ring3_parallel_for_box(ring3_member_t *me, const ring3_box_t *whole, const int64_t grain[3],
                           ring3_schedule_t schedule, ring3_for_box_body_t *body, void *argument);

#define RING3_REDUCE_MAX 64 /* bytes of a result */

/** A reduction: `leaf` computes the result of a piece, `join` appends the one of the piece that
 * follows. */
typedef struct ring3_reduction {
    size_t size; /* bytes of a result, at most RING3_REDUCE_MAX */
    void (*leaf)(int64_t from, int64_t to, void *result, void *argument);
    void (*join)(void *result, const void *following, void *argument);
    void *argument;
} ring3_reduction_t;

/**
 * Reduce [from, to), which must not be empty, in pieces of at most `grain`. `join` need be
 * associative only: pieces are joined in order, and which they are depends on the range and the
 * grain alone, so that floating-point results are the same in every run and team.
 * @param result  of reduction->size bytes, aligned for any type
 * @return 0; -EINVAL: an empty range, a grain below 1, a size of 0 or beyond the maximum
 */
int ring3_parallel_reduce(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                          const ring3_reduction_t *reduction, void *result);

/** What a scan does with each piece: `before` is the result of all indices before `from`, or NULL
 * for the first piece. */
typedef void ring3_scan_apply_t(int64_t from, int64_t to, const void *before, void *argument);

/**
 * Scan (prefix sums) over [from, to), in pieces of at least `grain`: `leaf` of the reduction computes
 * the result of each piece but the last, and then `apply` is called on each piece with the result of
 * all before it. Both run in parallel over the pieces; joins are serial, in order, and few. Which
 * pieces there are depends on the range and the grain alone.
 * @return 0; -EINVAL: as ring3_parallel_reduce, except that an empty range is done at once
 */
int ring3_parallel_scan(ring3_member_t *me, int64_t from, int64_t to, int64_t grain,
                        const ring3_reduction_t *reduction, ring3_scan_apply_t *apply);

/** As qsort_r: below, equal to or above 0. Called from several members at once. */
typedef int ring3_compare_t(const void *a, const void *b, void *argument);

/**
 * Sort an array: halves in parallel, then merged in parallel. Stable: equal elements keep their order.
 * Takes as much memory again while it runs.
 * @return 0; -ENOMEM: nothing was moved; -EINVAL: a size of 0
 */
int ring3_parallel_sort(ring3_member_t *me, void *array, size_t count, size_t size,
                        ring3_compare_t *compare, void *argument);

RING3_API_END

#endif
