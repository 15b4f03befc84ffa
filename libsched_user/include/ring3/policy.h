/* SPDX-License-Identifier: MIT */
/*
 * Scheduling policies: who runs next, and for how long.
 *
 *     const ring3_policy_t *policy = ring3_policy_find("rr");
 *     ring3_policy_params_t params;
 *     ring3_policy_defaults(&params);
 *     void *queue = calloc(1, policy->queue_size);
 *     policy->init(queue, &params);
 *     policy->enqueue(queue, &job->entity, RING3_ARRIVES, now);
 *     running = policy->pick(queue, now);
 *     …
 *     if (policy->tick(queue, running, ran, now))                its slice is used up
 *         policy->enqueue(queue, running, RING3_EXPIRED, now);
 *
 * A policy is one table of functions over a run queue, which the caller allocates, and entities,
 * which live inside whatever is scheduled. The functions are pure: they know no clock but the
 * argument `now`, keep nothing outside queue and entity, allocate nothing and take no lock. So one
 * object file serves live threads, the simulator, and replay. A core (the runtime, the simulator,
 * or your own) owns the mechanism: it decides when to call, charges time, and does the switching.
 *
 * An entity is in at most one queue. The running entity is in none: `pick` takes it out. All times
 * are int64_t nanoseconds since any fixed origin; `now` never goes back.
 *
 * Not thread-safe: calls for one queue, and for the entities in it, are made by one context at a
 * time. Async-signal-safe and fork-safe as far as the caller's own data are.
 */
#ifndef RING3_POLICY_H
#define RING3_POLICY_H

#include "ring3/api.h"
#include "ring3/list.h"
#include "ring3/rbtree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

/* --- What is scheduled ------------------------------------------------------------------------ */

/** Scheduling classes of policy "linux", the first that has anybody goes first. */
typedef enum ring3_class {
    RING3_CLASS_FAIR, /* weights after `nice`; the default */
    RING3_CLASS_DEADLINE,
    RING3_CLASS_FIFO, /* `priority` 0..99, until it blocks */
    RING3_CLASS_RR,   /* the same, in turns of a quantum */
    RING3_CLASS_IDLE, /* when nobody else wants to */
} ring3_class_t;

/* Priorities go from 0, the most urgent, to 139, as inside Linux: 100 to 139 are nice -20 to 19. */
#define RING3_PRIORITY_LEVELS  140
#define RING3_PRIORITY_DEFAULT 120
#define RING3_NICE_MIN         (-20)
#define RING3_NICE_MAX         19

typedef struct ring3_entity {
    union {
        ring3_list_t link;
        ring3_rbnode_t node;
    };
    /* Who it is and what it wants. Of a queued entity these may be changed only between `dequeue`
     * and `enqueue` with RING3_MOVES. */
    uint32_t id;      /* names it in charts; the policies do not look at it */
    int32_t priority; /* smaller is more urgent */
    uint32_t weight;  /* its share or lottery tickets; 0 counts as 1 */
    int8_t nice;      /* -20 (more) to 19 (less CPU) */
    uint8_t band;     /* ring3_class_t */
    uint8_t queue;    /* its place in a multilevel queue, 0 the first */
    uint8_t unused;
    int64_t burst;    /* length of the coming CPU burst, if the caller knows; or 0 */
    int64_t period;   /* of a periodic entity, or 0 */
    int64_t deadline; /* relative to its release; 0: the period */
    int64_t due;      /* absolute deadline of the present job; 0: none */
    /* The policy's own words; all-zero at birth. */
    uint64_t own[8];
} ring3_entity_t;

/* --- The table -------------------------------------------------------------------------------- */

/** Why an entity enters a queue. */
typedef enum ring3_why {
    RING3_ARRIVES,   /* it is new */
    RING3_WAKES,     /* it waited for something else than the CPU */
    RING3_PREEMPTED, /* somebody more urgent takes its place */
    RING3_EXPIRED,   /* `tick` said that its turn is over */
    RING3_YIELDS,    /* it lets others run */
    RING3_MOVES,     /* from another queue, or its parameters have changed */
} ring3_why_t;

typedef struct ring3_policy_params ring3_policy_params_t;

/* Answer of `budget`: no limit. */
#define RING3_UNLIMITED INT64_MAX

typedef struct ring3_policy {
    const char *name, *summary;
    size_t queue_size; /* bytes of a run queue */
    /* The run queue begins with a list, first come first served: who arrives, wakes or yields goes to
     * its end and its first is picked. `now` matters to `tick` only. Lets cores take short cuts. */
    bool list;
    /* `now` does not matter to any of the functions: cores may leave it out. */
    bool timeless;

    /** Make an all-zero queue ready. NULL: all-zero is ready. */
    void (*init)(void *queue, const ring3_policy_params_t *params);
    /** Required. It wants to run. */
    void (*enqueue)(void *queue, ring3_entity_t *entity, ring3_why_t why, int64_t now);
    /** Required. Take out a queued entity without running it. */
    void (*dequeue)(void *queue, ring3_entity_t *entity, int64_t now);
    /** Required. Take out and return who runs next; NULL if the queue is empty. */
    ring3_entity_t *(*pick)(void *queue, int64_t now);

    /* All below may be NULL. */

    /** `running` has run for `ran` since it was picked or since the last tick. True: its turn is
     * over. Also called, the answer ignored, before it blocks or yields. */
    bool (*tick)(void *queue, ring3_entity_t *running, int64_t ran, int64_t now);
    /** How long may `running` run before `tick` wants to be called? At least 1. */
    int64_t (*budget)(void *queue, const ring3_entity_t *running, int64_t now);
    /** Should `woken`, just queued, take the place of `running`? `tick` came before. */
    bool (*check_preempt)(void *queue, const ring3_entity_t *running, const ring3_entity_t *woken,
                          int64_t now);
    /** `entity` stopped running, to wait or for good; `tick` came before. */
    void (*block)(void *queue, ring3_entity_t *entity, int64_t now);
    /** It is about to be queued with RING3_YIELDS; `tick` came before. */
    void (*yield)(void *queue, ring3_entity_t *entity, int64_t now);
    /** The worker that an arriving or woken entity should queue at. `loads` says how many run or
     * are queued at each, `last` where it ran before or was made. NULL: see
     * ring3_policy_select_worker. */
    unsigned (*select_worker)(const ring3_entity_t *entity, ring3_why_t why, const uint32_t *loads,
                              unsigned workers, unsigned last, int64_t now);
    /** Take out and return the entity that another worker may have with the least harm here, among
     * those for which may_leave(entity, arg) holds; or NULL. NULL: as for a queue, the one that
     * `pick` would return, if it may leave. */
    ring3_entity_t *(*balance)(void *queue,
                               bool (*may_leave)(const ring3_entity_t *entity, void *arg),
                               void *arg, int64_t now);
} ring3_policy_t;

/* --- Parameters ------------------------------------------------------------------------------- */

/** How policies sjf and srtf know the length of the next burst. */
typedef enum ring3_estimate {
    RING3_ESTIMATE_DECLARED, /* entity.burst where it is not 0; else the exponential average */
    RING3_ESTIMATE_LAST,     /* as the last one */
    RING3_ESTIMATE_WINDOW,   /* the mean of the last few */
    RING3_ESTIMATE_AVERAGE,  /* t(n+1) = alpha * burst(n) + (1 - alpha) * t(n) */
} ring3_estimate_t;

#define RING3_POLICY_LEVELS 8 /* of mlfq and multilevel queues, at most */
#define RING3_POLICY_WINDOW 6 /* bursts remembered, at most */

/** Every policy takes what it knows of these. */
struct ring3_policy_params {
    int64_t quantum;   /* turn of round-robin and others, ns */
    bool auto_quantum; /* cores choose it, with ring3_policy_settle */
    bool preempt;      /* priority: an arrival may take the CPU away */
    int64_t aging;     /* priority: a waiter gains one priority in this time, ns; 0: never */
    int64_t interval;  /* feedback: priorities are computed this often, ns */
    /* sjf, srtf */
    ring3_estimate_t estimate;
    double alpha;
    int64_t first;   /* the estimate for who never ran, ns */
    unsigned window; /* 1..RING3_POLICY_WINDOW */
    /* mlfq, multilevel */
    unsigned levels;
    int64_t quanta[RING3_POLICY_LEVELS];  /* 0: until it blocks */
    uint32_t allotment;                   /* mlfq: quanta a level grants before demotion, counted
                                            across waits; 0: each burst counts from zero */
    int64_t boost;                        /* mlfq: everybody to the top this often, ns; 0: never */
    int64_t promote;                      /* mlfq: up one level after waiting so long; 0: never */
    uint32_t shares[RING3_POLICY_LEVELS]; /* multilevel: parts of the time; all 0: by rank */
    /* cfs, eevdf, linux */
    int64_t latency, granularity, wakeup; /* ns */
    uint64_t seed;                        /* lottery */
    int dump_signal; /* not the policy's: options.dump_signal of ring3/thread.h, 0: none */
};

/** Fill in the defaults: quantum 10 ms, mlfq 8 ms, 16 ms and then first come first served, … */
void ring3_policy_defaults(ring3_policy_params_t *params);

/**
 * Read "name,key=value,…" (ring3/env.h) over the defaults:
 * quantum, preempt, aging, interval, estimate (declared, last, window, average), alpha, first,
 * window, quanta (as 8/16/0), allotment, boost, promote, shares (as 80/20), latency, granularity,
 * wakeup, seed; dump=SIGNAL is not for the policy (ring3/thread.h). quantum=auto leaves it to the
 * core. Times are milliseconds, with decimals, or end in ns, us, ms or s.
 *
 * @param who  for messages, one line on stderr for each item that is not understood
 * @return 0; -EINVAL if anything was not understood; then *policy is NULL if the name was not
 */
int ring3_policy_parse(const char *who, const char *text, const ring3_policy_t **policy,
                       ring3_policy_params_t *params);

/** A time as written for ring3_policy_parse, in nanoseconds; false if malformed. */
bool ring3_policy_read_time(const char *text, size_t length, int64_t *ns);

/** The policy of that name, built in or registered; NULL if there is none. */
const ring3_policy_t *ring3_policy_find(const char *name);

/** The built-in policies, ending with NULL. */
const ring3_policy_t *const *ring3_policy_list(void);

/**
 * Make a policy of your own known by its name, which must be new. Not undone; `policy` must stay.
 *
 * @return 0; -EINVAL if a required function or the name is missing; -EEXIST; -ENOSPC after 16.
 * Not thread-safe: register before scheduling.
 */
int ring3_policy_register(const ring3_policy_t *policy);

/* --- Help for cores --------------------------------------------------------------------------- */

/** New ones go to the least loaded worker, woken ones to where they were. */
unsigned ring3_policy_select_worker(const ring3_policy_t *policy, const ring3_entity_t *entity,
                                    ring3_why_t why, const uint32_t *loads, unsigned workers,
                                    unsigned last, int64_t now);

/** policy->balance, or what stands for it. */
ring3_entity_t *ring3_policy_balance(const ring3_policy_t *policy, void *queue,
                                     bool (*may_leave)(const ring3_entity_t *entity, void *arg),
                                     void *arg, int64_t now);

/** With quantum=auto: a quantum of which a switch that takes `switch_cost` ns is one per cent, 50 us
 * at least and 100 ms at most. Otherwise, and for a cost of 0, nothing changes. */
void ring3_policy_settle(ring3_policy_params_t *params, int64_t switch_cost);

/** What a preemption costs on this machine at the least: a signal to oneself and its handler, ns. It
 * measures, for some tens of microseconds, with SIGURG: before other threads send that. */
int64_t ring3_policy_preemption_cost(void);

/** Linux's weight of a nice value: 1024 for 0, a factor of 1.25 for each step. */
uint32_t ring3_nice_weight(int nice);

/* --- Admission -------------------------------------------------------------------------------- */

typedef struct ring3_periodic {
    int64_t time;     /* longest CPU time of one job, ns */
    int64_t period;   /* ns */
    int64_t deadline; /* relative; 0: the period */
} ring3_periodic_t;

/** Sum of time / period. */
double ring3_utilisation(const ring3_periodic_t *tasks, size_t count);

/** Liu and Layland's bound, n (2^(1/n) - 1): below it n tasks are safe under rate-monotonic
 * priorities. 1 for n = 1. */
double ring3_rm_bound(size_t count);

/** How a set of periodic tasks was judged. */
typedef enum ring3_admission {
    RING3_ADMIT_REJECTED, /* some job may miss its deadline */
    RING3_ADMIT_BOUND,    /* the utilisation alone says that all are met */
    RING3_ADMIT_EXACT,    /* the exact test says so */
} ring3_admission_t;

/**
 * Can all deadlines be met, released together, under rate-monotonic priorities (deadline-monotonic
 * where deadlines are shorter than periods)? The bound first, then response times: the smallest
 * fixed point of R = time + sum over more urgent tasks of ceil(R / period) * time must be within
 * the deadline (Joseph and Pandya 1986). A malformed task (time < 0, time > deadline > period,
 * period <= 0) is rejected.
 */
ring3_admission_t ring3_admit_rm(const ring3_periodic_t *tasks, size_t count);

/** The same under earliest deadline first: exactly when the utilisation is at most 1 and deadlines
 * equal periods; with shorter deadlines by processor demand (Baruah, Rosier and Howell 1990). */
ring3_admission_t ring3_admit_edf(const ring3_periodic_t *tasks, size_t count);

RING3_API_END

#endif
