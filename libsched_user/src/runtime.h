/* SPDX-License-Identifier: MIT */
/*
 * The inside of the runtime, and what its parts offer each other.
 *
 * Who may touch what:
 *   - A worker's run queue, timers and current thread are its own kernel thread's. With several
 *     workers the queue has a lock besides, because threads are moved between them (balance.c). Who
 *     needs the locks of two takes them in the order of the workers' numbers, the global queue's last.
 *   - Whoever makes a thread ready that belongs to another worker puts it into that worker's inbox,
 *     and wakes the worker if it sleeps.
 *   - So a thread that blocks cannot be run by anybody before its worker has left its stack; and
 *     the word that lets others wake it is published in the switch's callback, after that.
 *   - A worker is served by one carrier, a kernel thread, at a time (carrier.c). What is the worker's
 *     is touched by its carrier only, and passes with it from one to the next.
 *
 * thread->wake
 *     0     PARKED: it waits; set by its worker when its stack has been left
 *     1-31  how often it was woken. Who counts one up takes PARKED away, and then makes it ready.
 *           thread->seen is the count when it last returned from waiting: it does not wait if there have
 *           been others since
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "ring3/arch.h"
#include "ring3/context.h"
#include "ring3/self.h"
#include "ring3/stack.h"
#include "ring3/thread.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define PARKED   UINT32_C(1)
#define ONE_WAKE UINT32_C(2)

/* What priority inheritance passes on. */
struct urgency {
    int64_t due;
    int32_t priority;
    uint8_t band;
};

struct worker;
struct carrier;
struct mutex_waiter;

/*
 * What most threads never need: times, when nobody keeps them; a place among timers; what priority
 * inheritance and nurseries keep. It lies in pages of its own, which cost nothing before their first use,
 * and only some of it is written at a thread's birth, if at all.
 */
struct rare {
    struct thread *of; /* once `timer` or `sibling` are used */
    /* Guarded by the lock of thread_mutex.c. */
    struct urgency base;         /* the thread would be so if it did not inherit */
    ring3_list_t held;           /* its mutexes that others wait for; meant while `holds` */
    struct mutex_waiter *waiter; /* how it stands where it waits */
    ring3_rbnode_t timer;
    void *nursery;
    ring3_list_t sibling;     /* in the nursery */
    const uint64_t *affinity; /* meant while `confined` */
    uint64_t mask;            /* its signal mask, as the kernel has it; meant while `masked` */
    /* Kept, and all-zero at birth, while runtime.timed. */
    int64_t created, first_run, ran, waiting, since, finished;
    int64_t user, system;
    /* Of a periodic thread. */
    int64_t release, tardiness;
    int64_t need;
    uint64_t misses;
};

struct thread {
    ring3_self_t self; /* first: parkers get its address */
    ring3_context_t context;
    ring3_entity_t entity;
    struct worker *worker;
    uint32_t state; /* ring3_thread_state_t; FREE */
    uint32_t wake, seen;
    uint32_t cancelled;
    uint32_t on_stack;   /* 1: it is queued, but its worker has not left its stack yet */
    uint32_t stack_size; /* bytes, as for ring3_stack_get */
    bool uncancelable, reset_on_fork, main, timed_out, pinned, started;
    bool migrates;    /* may leave its worker after it has begun */
    bool interrupted; /* by a signal, and not at a place of its own choice: it stays */
    bool shared;      /* was last in the global queue */
    bool in_queue;    /* of its worker's policy; written with the queue's lock */
    bool moved;       /* its class has changed: it enters the next queue as one from elsewhere */
    bool inherits;    /* and would be as rare->base says; this and the next three: thread_mutex.c */
    bool holds;       /* rare->held has been made ready */
    bool masked;      /* it has a signal mask of its own */
    bool told;        /* who joins it has been woken */
    bool confined;    /* to the workers of rare->affinity */
    bool dated;       /* the times in `rare` are its own */
    uint8_t context_options;
    struct ring3_thread_mutex *waits_for;
    int64_t timer_at;        /* 0: not in the tree */
    struct thread *next;     /* in an inbox, a free list, or among those that are held */
    struct carrier *carrier; /* the kernel thread that holds it while it does not run; or NULL */
    struct thread *joiner;   /* who waits for its end, or JOINER_* */
    void *(*body)(void *arg);
    void *arg; /* then the result */
    ring3_stack_t *stack;
    const char *name;
    const void *maker;
    void **values;
    void (*at_end)(void *thread); /* told of its end, by its worker; or NULL */
    uint32_t voluntary, involuntary;
    uint32_t ended; /* 1: a kernel thread that joins may take the result */
    /* From here on what the entry keeps from one thread to the next. */
    uint32_t holders;     /* who has found it, and LEFT: table.c */
    uint32_t index, life; /* its name: index + 1 below, life above */
    struct rare *rare;
};

#define FREE 99U /* state of an entry that is no thread */

/* Values of `joiner` that are no thread. */
#define JOINER_ENDED    ((struct thread *)(uintptr_t)1)
#define JOINER_DETACHED ((struct thread *)(uintptr_t)2)
#define JOINER_KERNEL   ((struct thread *)(uintptr_t)3) /* a kernel thread, on `ended` */

/*
 * A lock that blocks the kernel thread: for sections that neither switch nor are preempted. 0 free, 1 held.
 *
 *     unlock:   store word = 0;   ring3_fence_light();   if (sleepers > 0) wake
 *     sleeper:  sleepers++;       ring3_fence_heavy();   sleep while word is 1
 *
 * The fence pair of ring3/arch.h lets one of them see the other. The count is of all locks, and outside
 * them: the memory of a lock may be gone once it is free.
 */
struct kernel_lock {
    uint32_t word;
};

__attribute__((visibility("hidden"))) extern uint32_t kernel_lock_sleepers;

void kernel_lock_slow(struct kernel_lock *lock);

static inline void kernel_lock(struct kernel_lock *lock)
{
    ring3_preempt_disable(ring3_self());
    /* Pairs with the release in kernel_unlock. */
    if (ring3_unlikely(ring3_cas(&lock->word, 0, 1, RING3_ACQUIRE) != 0))
        kernel_lock_slow(lock);
}

static inline bool kernel_trylock(struct kernel_lock *lock)
{
    ring3_preempt_disable(ring3_self());
    /* Pairs with the release in kernel_unlock. */
    if (ring3_cas(&lock->word, 0, 1, RING3_ACQUIRE) == 0)
        return true;
    ring3_preempt_enable(ring3_self());
    return false;
}

static inline void kernel_unlock(struct kernel_lock *lock)
{
    /* Pairs with the acquires in kernel_lock and kernel_lock_slow. */
    ring3_store(&lock->word, 0, RING3_RELEASE);
    ring3_fence_light(); /* pairs with the heavy fence in kernel_lock_slow */
    if (ring3_unlikely(ring3_load(&kernel_lock_sleepers, RING3_RELAXED) > 0))
        (void)ring3_futex_wake(&lock->word, 1, RING3_PRIVATE);
    ring3_preempt_enable(ring3_self());
}

/*
 * A kernel thread below. It serves a worker; or waits for one, as a spare; or holds a user thread that
 * cannot leave it, having been interrupted in a library or blocked in the kernel, when its worker was
 * given to a spare.
 */
struct carrier {
    ring3_context_t idle;
    ring3_self_t *kernel_self; /* in the idle context, and for locks taken while switching */
    int kernel_id;
    uint32_t given; /* 1: `worker` is its to serve; 2: it shall end. It sleeps on this word */
    struct worker *worker; /* the one it was given */
    uint64_t mask,
        own_mask; /* signals it blocks now, and for threads without a mask of their own */
    struct thread *blocking; /* between ring3_blocking_enter and _leave */
    struct carrier *next_spare;
    bool spare;                /* in the list of spares */
    ring3_stack_t *idle_stack; /* of the first, whose kernel stack is the main thread's */
    pthread_t kernel_thread;
};

struct worker {
    struct thread *current; /* NULL while idle */
    uint32_t busy;          /* inside the scheduler: no preemption */
    uint32_t turns;         /* switches, for the monitor and for looking at timers now and then */
    uint32_t cpu;           /* where its carrier runs, as of lately */
    int64_t since;          /* when the current thread began to run, or was last charged */
    void *queue;
    struct kernel_lock lock; /* of the queue; only with several workers */
    uint32_t queued;         /* threads in the queue; written by who holds the lock */
    struct thread *free;     /* threads to use again */
    ring3_rbtree_t timers;
    ring3_stack_t *stacks; /* of the default size, to use again */
    uint32_t stack_count;
    struct carrier *carrier;
    struct thread *held;    /* threads that were interrupted and stay with their carriers */
    struct thread *handing; /* the next to run is on another carrier: it shall have the worker */
    struct thread *awaited; /* the next to run, once another worker has left its stack */
    bool starved;           /* the last that was chosen found no memory for a stack */
    unsigned index;
    bool bound; /* serves one thread, and ends with it */
    bool done;  /* that has ended */
    int kernel_id;
    uint32_t preempt_asked;    /* by the monitor's signal, while busy */
    int64_t next_timer;        /* when the first timer is due; INT64_MAX */
    struct trace *trace;       /* or NULL */
    int64_t slice_from;        /* when the current thread began to run here */
    int64_t user, system;      /* CPU times of the carrier when the current thread began to run */
    struct worker *next_spare; /* among those that are no more */
    /* Written by others, perhaps for a moment after its end. */
    struct thread *inbox RING3_CACHE_ALIGNED;
    struct thread
        *blocked; /* its thread is in the kernel, and the worker anybody's who takes this word */
    uint32_t sleeping; /* 0 no, 1 on a futex, 2 in the poller */
    uint32_t halted;   /* by which dump (dump.c) it has been halted last */
    uint32_t load;     /* threads that run, are queued, or are in the inbox */
} RING3_CACHE_ALIGNED;

/* Around what a thread does with the worker's things: it is not interrupted meanwhile. */
static inline void worker_hold(struct worker *worker)
{
    worker->busy++;
    ring3_compiler_barrier();
}

static inline void worker_let_go(struct worker *worker)
{
    ring3_compiler_barrier();
    worker->busy--;
}

struct runtime {
    uint32_t running;
    ring3_runtime_options_t options;
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    unsigned workers;
    bool several;    /* queues need their locks */
    bool timed;      /* `since` and the clock are kept */
    bool preemptive; /* who becomes ready may take the place of who runs */
    bool replays;    /* choices are recorded or replayed (replay.c) */
    bool quick;      /* the run queue is a list, of one worker that looks at no clock */
    struct worker *worker[RING3_RUNTIME_WORKERS];
    struct worker *shared; /* whose queue is the global one, and that nobody serves; or NULL */
    uint32_t idlers;       /* workers that sleep, or are about to */
    uint32_t ending;
    uint32_t alive;      /* threads that have not ended, the main thread included */
    struct thread *last; /* the main thread, when it waits for all others to end */
    uint32_t carriers;   /* kernel threads that were started and have not ended */
    uint32_t masks;      /* 1: some threads have masks of their own */
    uint32_t carriers_most;
    uint64_t handed_over;  /* how often a worker went from a carrier to another */
    struct carrier *first; /* that of the main thread */
    int64_t virtual_now;
    struct kernel_lock table_lock;
    struct thread *free;
};

/* One runtime in a process. */
extern struct runtime runtime;

/* --- schedule.c ------------------------------------------------------------------------------- */

extern __thread struct worker *worker_of_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The worker that this kernel thread serves, or NULL; see ring3_self_known for why it is read so. */
#ifdef RING3_HAVE_THREAD_POINTERS
static inline struct worker *worker_here(void)
{
    return ring3_thread_pointer(RING3_THREAD_OFFSET(worker_of_thread));
}

static inline void worker_here_set(struct worker *worker)
{
    ring3_thread_pointer_set(RING3_THREAD_OFFSET(worker_of_thread), worker);
}
#else
struct worker *worker_here(void);
void worker_here_set(struct worker *worker);
#endif

/* errno of whatever kernel thread this is by now: compilers remember where it was before a switch. */
static inline void errno_put(int value)
{
    int *(*where)(void) = __errno_location;

    __asm__ volatile("" : "+r"(where));
    *where() = value;
}

static inline struct thread *thread_of_self(ring3_self_t *self)
{
    return ring3_container_of(self, struct thread, self);
}

extern const ring3_parker_t thread_parker;

/* The user thread that calls, or NULL. */
static inline struct thread *thread_here(void)
{
    ring3_self_t *const self = ring3_self();

    return self->parker == &thread_parker ? thread_of_self(self) : NULL;
}

/* Make a thread ready. By any kernel thread. */
void thread_ready(struct thread *thread, ring3_why_t why);

/* Wake a thread that waits, or will next. By any kernel thread. */
void thread_wake(struct thread *thread);

/* The calling thread waits until thread_wake, or until `at` (ns, 0: for ever) has passed: then
 * -ETIMEDOUT. May return early. */
int thread_wait(struct thread *self, int64_t at);

/* The calling thread ends. */
__attribute__((noreturn)) void thread_leave(struct thread *self);

/* In the handler of the monitor's signal: the thread goes back to the queue, if the policy says that
 * its turn is over or that another should run. The first form switches out of the handler; the other
 * gives the worker away and waits inside. */
void thread_interrupted(struct thread *self);
void thread_interrupted_elsewhere(struct thread *self);

/* The calling thread goes back to the queue. */
void thread_requeue(struct thread *self, ring3_why_t why);

/* Change what the policy sees of a thread. */
void thread_change(struct thread *thread, void (*change)(struct thread *thread, const void *to),
                   const void *to);

/* Somebody more urgent may have become ready, or the calling thread is less urgent than before: perhaps
 * another should run. */
void thread_give_way(struct thread *self, bool lowered);

/* The same because it yields. */
void thread_yield(struct thread *self);

/* Account for the time since the last look; true if the policy says that its turn is over. */
bool thread_charge(struct worker *worker, struct thread *thread, int64_t now);

/* The thread, which a carrier holds, runs again there. */
void thread_resumed(struct worker *worker, struct thread *thread);

/* The monitor takes the worker away from its thread, which is blocked in the kernel. */
void thread_left_behind(struct worker *worker, struct thread *thread);

/* The idle context of a worker. True: `worker->handing` should have it; false: it is at its end. */
bool worker_idle(struct worker *worker);

/* Is there a reason not to sleep, for a worker that has just stored `sleeping`? */
bool worker_called(const struct worker *worker);

/* Wake the worker's kernel thread if it sleeps. */
void worker_kick(struct worker *worker);

int64_t runtime_clock(void);

/* --- thread.c --------------------------------------------------------------------------------- */

/* Make a thread without letting it run yet; let it; or give it back instead, as after a launch that
 * failed with -EAGAIN. */
int thread_make(struct thread **made, const ring3_thread_attr_t *attr, void *(*body)(void *),
                void *arg, const void *maker);
int thread_launch(struct thread *thread);
void thread_unmake(struct thread *thread);

/* A line about it; -errno if it cannot be written. */
int thread_describe(int fd, const struct thread *thread, uint32_t state);

/* --- thread_mutex.c --------------------------------------------------------------------------- */

/* Change what a thread is when it inherits nothing. */
void thread_urgency_change(struct thread *thread, void (*change)(struct thread *, const void *),
                           const void *to);
/* It ends: whom it kept waiting goes on. */
void mutexes_leave(struct thread *self);

/* Who has it, or NULL. */
struct thread *thread_mutex_owner(const struct ring3_thread_mutex *mutex);

/* --- timer.c ---------------------------------------------------------------------------------- */

static inline struct thread *timer_owner(const ring3_rbnode_t *timer)
{
    return ring3_container_of((uintptr_t)timer, struct rare, timer)->of;
}

void timer_add(struct worker *worker, struct thread *thread, int64_t at);
void timer_remove(struct worker *worker, struct thread *thread);
/* Wake those whose time has come; returns when the next one's does, or INT64_MAX. */
int64_t timers_expire(struct worker *worker, int64_t now);

static inline int64_t ns_of(const struct timespec *time)
{
    return (int64_t)time->tv_sec * RING3_SECOND_NS + time->tv_nsec;
}

/* Times in `rare` are the thread's from now on. */
static inline void thread_date(struct thread *thread)
{
    struct rare *const rare = thread->rare;

    rare->created = rare->first_run = rare->ran = rare->waiting = rare->since = rare->finished = 0;
    rare->user = rare->system = rare->release = rare->tardiness = rare->need = 0;
    rare->misses = 0;
    thread->dated = true;
}

/* --- state.c ---------------------------------------------------------------------------------- */

bool state_may_follow(uint32_t from, uint32_t to);
/* Abort with a message if the thread may not go there. */
void state_check(const struct thread *thread, uint32_t to);

#ifdef RING3_DEBUG
#define STATES_CHECKED true
#else
#define STATES_CHECKED false
#endif

static inline void set_state(struct thread *thread, uint32_t to)
{
    if (STATES_CHECKED)
        state_check(thread, to);
    ring3_store(&thread->state, to, RING3_RELAXED);
}

/* --- table.c ---------------------------------------------------------------------------------- */

/* A thread to use, all-zero but for its name; NULL if there is no memory. */
struct thread *table_take(struct worker *here);
void table_give(struct worker *here, struct thread *thread);
/* The thread of that name, or NULL. It may end any time, but its entry is nobody else's before table_drop. */
struct thread *table_find(ring3_thread_t name);
void table_drop(struct thread *thread);
/* Thread number `index`, or NULL beyond the last. */
struct thread *table_at(uint32_t index);
ring3_thread_t thread_name(const struct thread *thread);
void table_reset(void);
/* Say where the table lies. */
struct sched_figures;
void table_show(struct sched_figures *figures);
void table_forked(const struct thread *survivor);

/* --- keys.c ----------------------------------------------------------------------------------- */

void keys_destroy(struct thread *self);

/* --- poller.c --------------------------------------------------------------------------------- */

/* Look for input and output that became possible, and sleep up to `until` (ns; INT64_MAX: for
 * ever) while `worker->sleeping` is 2. False if another worker is at it, or nothing is watched. */
bool poller_wait(struct worker *worker, int64_t until);
/* Look without sleeping, now and then. */
void poller_glance(void);
void poller_kick(void);
void poller_forget(void);

/* --- monitor.c -------------------------------------------------------------------------------- */

/* Start it, unless it runs. With `interrupt` it sends signals. */
int monitor_start(bool interrupt);
void monitor_stop(void);
/* It sleeps while there is nothing to see; now there may be. */
void monitor_wake(void);
/* The child of fork has none. */
void monitor_forked(void);

/* --- trace.c ---------------------------------------------------------------------------------- */

struct trace *trace_new(size_t slices);
void trace_free(struct trace *trace);
void trace_add(struct trace *trace, const struct thread *thread, int64_t from, int64_t to);

/* --- sigmask.c -------------------------------------------------------------------------------- */

/* The carrier gets the mask of the thread that it runs now; NULL: of none. */
void mask_for(struct carrier *carrier, const struct thread *thread);
/* What the carrier blocks at its beginning. */
void mask_of_carrier(struct carrier *carrier);

/* --- quota.c ---------------------------------------------------------------------------------- */

/* The smallest CPU quota of this process's control groups, in CPUs rounded up; 0 if there is none. */
unsigned size_own_quota(void);

/* --- worker.c --------------------------------------------------------------------------------- */

struct worker *worker_new(unsigned index);
void worker_free(struct worker *worker);

/* --- carrier.c -------------------------------------------------------------------------------- */

/* Start a kernel thread that serves the worker; NULL: a spare. */
int carrier_start(struct worker *worker);
/* The first carrier: the calling kernel thread, which serves the worker. NULL without memory. */
struct carrier *carrier_of_main(struct worker *worker);
void carrier_free(struct carrier *carrier);
/* All others end; returns when they have, on the first. */
void carriers_end(struct thread *self);
/* After fork the calling kernel thread is the first carrier. */
struct thread *carriers_forked(void);

/* A spare, or NULL. */
struct carrier *spare_take(void);
/* The carrier is one; false if the runtime ends. */
bool spare_put(struct carrier *carrier);
/* Start the thread that makes them, unless it runs. */
int spares_start(void);
/* Have one made soon, if there is none and there may be. */
void spare_wanted(void);
/* It serves the worker from now on; then the worker is not the caller's any more. */
void carrier_give(struct carrier *carrier, struct worker *worker);
/* The calling carrier, which holds a thread, waits for its worker, which is busy then. */
void carrier_wait(struct carrier *carrier);

#endif
