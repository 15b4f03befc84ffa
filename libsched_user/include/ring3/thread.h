/* SPDX-License-Identifier: MIT */
/*
 * User-level threads: many of them on few kernel threads, under any scheduling policy.
 *
 *     static void *hello(void *name) { printf("hello, %s\n", (char *)name); return NULL; }
 *
 *     ring3_thread_t thread;
 *     ring3_runtime_start(NULL);                    the caller is now a user thread too
 *     ring3_thread_create(&thread, NULL, hello, "world");
 *     ring3_thread_join(thread, NULL);
 *     ring3_runtime_stop();
 *
 * A worker is a kernel thread that runs user threads, one at a time, from a run queue of its own
 * (ring3/policy.h). One worker: many threads on one (N:1). Several: M:N; threads that have never run
 * are spread over the workers, stolen by idle ones and pushed away by those that have many; once it
 * has run, a thread stays with its worker, since compilers keep addresses of thread-local variables
 * (errno is one) across calls, unless it was made with `migrate`. With `global_queue` all workers run
 * threads from one queue instead, the classic baseline. A bound thread has a worker for itself; with
 * RING3_RUNTIME_BOUND every thread has (1:1).
 *
 * Threads take turns when they block, yield or end; with `preempt` also when their turn is over, see
 * ring3_runtime_options_t. Idle workers sleep in the kernel.
 *
 * What blocks a user thread and not its worker: the functions here, ring3/chan.h, ring3/nursery.h,
 * ring3/io.h, and every lock and waiting object of libsync for private use (mutex, rwlock,
 * semaphore, condition, barrier, event …), whose partners may be user threads and kernel threads
 * alike. What blocks the whole worker: system calls and other libraries' locks; see ring3_blocking.
 *
 * To RCU (ring3/rcu.h) a switch that the thread asked for is a quiescent state: one that yields has no
 * references from before in RING3_RCU_QSBR, and while it waits it is offline there. Sections of the
 * other domains belong to the user thread and go on across switches, as do all when it is interrupted.
 *
 * errno belongs to the user thread; so does nothing else that is thread-local: use ring3_key_*.
 * The signal mask is the worker's, until a thread gets one of its own: ring3_thread_sigmask.
 *
 * Functions return 0 or a negative errno. They may be called by any kernel thread unless they say
 * "user threads only"; none is async-signal-safe. In a child of fork only the thread that forked is
 * left, on one worker. When main returns, the process ends with all its threads;
 * ring3_thread_exit in main waits for the others and then exits with status 0.
 */
#ifndef RING3_THREAD_H
#define RING3_THREAD_H

#include "ring3/api.h"
#include "ring3/policy.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

RING3_API_BEGIN

/* --- The runtime ------------------------------------------------------------------------------ */

#define RING3_RUNTIME_WORKERS 256 /* at most */

typedef enum ring3_runtime_model {
    RING3_RUNTIME_SHARED, /* threads share the workers: N:1 with one worker, else M:N */
    RING3_RUNTIME_BOUND,  /* each thread has a worker of its own: 1:1 */
} ring3_runtime_model_t;

/** How threads that may leave their worker get to another: idle workers take them, loaded ones give. */
typedef enum ring3_runtime_balance {
    RING3_BALANCE_BOTH,
    RING3_BALANCE_PULL,
    RING3_BALANCE_PUSH,
    RING3_BALANCE_NONE,
} ring3_runtime_balance_t;

typedef struct ring3_runtime_options {
    unsigned workers; /* 0: as many as the process may use CPUs, by affinity and cgroup quota */
    ring3_runtime_model_t model;
    const char *policy; /* as for ring3_policy_parse; NULL: RING3_SCHED, or "rr" */
    /**
     * Threads that run longer than the policy's budget are interrupted while others wait, by a
     * signal (SIGURG), unless they hold a ring3 spinlock or are in a ring3_preempt_disable section,
     * where they are left alone until they are out of it. In the program's own code they are switched
     * away from at once. In libc or another library the kernel thread stays with the thread, and
     * another kernel thread serves the worker meanwhile: so malloc, stdio and errno stay safe. Then
     * threads that have stopped of their own accord may go on in another kernel thread than before; a
     * function must not keep addresses of thread-local variables (errno is one) across calls that
     * block or yield.
     * Code that libraries call back (a comparison for qsort) counts as the program's: it must not
     * matter that another thread calls the same library meanwhile. So do libraries that are linked
     * statically, but for wholly static programs. Under TSan nobody is interrupted. Cooperative
     * (false) costs nothing.
     */
    bool preempt;
    bool stats;         /* keep times for ring3_thread_stats; costs a clock reading per switch */
    bool cpu_times;     /* and user and system time; costs a system call per switch */
    bool virtual_clock; /* one worker; time passes only in ring3_work and while all sleep */
    size_t trace;       /* slices of running to remember for each worker; 0: none */
    int64_t tick; /* the policy looks at running threads this often, ns, with `preempt`; 0: every
                           half quantum, but every 0.5 ms at most and every 5 ms at least */
    bool global_queue; /* one run queue for all workers: every thread migrates (as with
                          attr.migrate), but for those that are bound, pinned, periodic or have an
                          affinity, which are queued at their workers. Not with RING3_RUNTIME_BOUND */
    ring3_runtime_balance_t balance;
    unsigned kernel_threads; /* at most, for workers, bound and interrupted threads, and those that
                                block the kernel; 0: 64 and two for each worker */
    /**
     * This signal (SIGUSR1, say; not SIGURG, SIGSEGV or SIGBUS) has all threads written to stderr: name,
     * state, worker, whom they wait for, and where they are, call by call, with function, file and line
     * where addr2line is installed. The workers are halted for the time it takes to look, by the same
     * signal: their system calls may end with EINTR. Written also, unasked, when no thread runs for a
     * second because some wait for each other in a circle, by joins and ring3/thread_mutex.h. 0: what
     * RING3_SCHED says as dump=SIGNAL, or none. Under TSan running threads and, while one runs, those
     * of its worker have no stacks in it.
     */
    int dump_signal;
    /**
     * With one worker, and without preemption and bound threads: write into this file which thread was
     * chosen to run, choice by choice; or choose again as in that file, whatever the policy, its seed and
     * the clock would say. A thread whose turn it is and that still sleeps or waits for the world is
     * waited for. When it is no more, or neither ready nor asleep for two seconds, the run has diverged:
     * that is told on stderr, and the policy chooses from there on. The program must make and wake its
     * threads from user threads, and take no other decision from the clock. NULL: no.
     */
    const char *record, *replay;
} ring3_runtime_options_t;

/**
 * Begin. The caller becomes the first user thread, on worker 0.
 *
 * @param options  NULL for the defaults
 * @return 0; -EALREADY; -EINVAL for options that were not understood or a file that is no record;
 *         -EAGAIN for want of kernel threads or memory, with nothing left behind; -ENOENT and the like
 *         for a record that cannot be opened
 */
int ring3_runtime_start(const ring3_runtime_options_t *options);

/**
 * End: the workers end, and the caller is a plain kernel thread again.
 *
 * @return 0; -EPERM if not called by the thread that started it; -EBUSY while other threads live
 *         (joinable threads that have ended do not count and are gone)
 */
int ring3_runtime_stop(void);

/** How many workers there are; 0 if the runtime does not run. */
unsigned ring3_runtime_workers(void);

typedef struct ring3_runtime_stats {
    unsigned workers;
    unsigned threads;        /* user threads that have not ended, the first included */
    unsigned kernel_threads; /* that the runtime has now, the first included; not the helpers of
                                ring3_blocking */
    uint64_t handed_over;    /* how often a kernel thread left its worker to another */
    uint64_t choices;        /* recorded or replayed */
    uint64_t
        diverged; /* the choice, counted from 1, in which a replay left its record; 0: it did not */
} ring3_runtime_stats_t;

/** 0; -EINVAL if the runtime does not run. */
int ring3_runtime_stats(ring3_runtime_stats_t *stats);

/** The runtime's clock: CLOCK_MONOTONIC, or virtual; ns. */
int64_t ring3_runtime_now(void);

/**
 * Use the CPU for `ns`. On the virtual clock that time passes, and others get their turns in between
 * as the policy says: a program that only works, sleeps and waits then runs the schedule that the
 * simulator (ring3/sim.h) draws for it. On the real clock it computes for about so long.
 * 0; -EPERM outside user threads; -EINVAL for a negative time.
 */
int ring3_work(int64_t ns);

/** A thread ran on a worker, without a break. */
typedef struct ring3_trace_slice {
    uint64_t thread;  /* ring3_thread_t */
    const char *name; /* of the thread, which may have ended */
    int64_t from, to; /* of the runtime's clock, ns */
} ring3_trace_slice_t;

/**
 * What a worker ran, the oldest slice first; at most the last options.trace ones. Those that are
 * overwritten while this copies are left out.
 *
 * @return how many were copied; -EINVAL without such a worker or a trace
 */
ptrdiff_t ring3_trace_read(unsigned worker, ring3_trace_slice_t *slices, size_t count);

/** Write all traces to the descriptor in Chrome's trace event format, for ui.perfetto.dev. 0 or a
 * negative errno. */
int ring3_trace_write(int fd);

/* --- Threads ---------------------------------------------------------------------------------- */

/** A thread's name: never used again for another thread of this process. 0 is none. */
typedef uint64_t ring3_thread_t;

typedef struct ring3_thread_attr {
    const char *name;  /* must live as long as the thread; NULL: "a thread" */
    size_t stack_size; /* bytes, as for ring3_stack_get; 0: RING3_THREAD_STACK, or with
                             preemption RING3_THREAD_STACK_PREEMPT */
    bool detached;
    bool bound; /* contention scope: a worker of its own */
    int pin;    /* 1 + the worker it must run on; 0: any */
    const uint64_t
        *affinity; /* workers that it may run on, RING3_RUNTIME_WORKERS bits, the lowest bit
                                 of the first word for worker 0; must live as long as the thread.
                                 NULL: all. Not with pin or bound */
    bool
        migrate; /* it may go to another worker after it has begun, wherever it waits or yields (not
                     where it was interrupted): it must not keep addresses of thread-local variables
                     (errno is one) across calls that block or yield. Periodic threads stay */
    bool explicit_sched; /* the next five are meant; else they are inherited from the creator */
    bool reset_on_fork;  /* threads it creates get the defaults */
    int32_t priority;    /* 0 (the most urgent) to 139 */
    uint32_t weight;     /* 0: 1 */
    int8_t nice;         /* -20 to 19 */
    uint8_t band, queue; /* ring3_class_t; place in a multilevel queue */
    uint32_t context;    /* RING3_CONTEXT_FP and the like */
    int64_t start;       /* it begins at this time of the runtime's clock, ns; 0: at once. With one
                            worker only */
} ring3_thread_attr_t;

#define RING3_THREAD_STACK ((size_t)16 << 10)
/* With preemption: signal frames of some KiB come on top, the largest with AMX. */
#define RING3_THREAD_STACK_PREEMPT ((size_t)64 << 10)

/**
 * Make a thread that runs body(arg). It has a stack from its first run on.
 *
 * @param thread  receives its name; NULL if not wanted
 * @param attr    NULL for the defaults
 * @return 0; -EINVAL for a missing body, a stack that is too large, or workers that are not there;
 *         -EAGAIN for want of memory, threads or, for bound ones, kernel threads
 *
 * Order: what came before it happens before the body.
 */
int ring3_thread_create(ring3_thread_t *thread, const ring3_thread_attr_t *attr,
                        void *(*body)(void *arg), void *arg);

/**
 * Wait for the thread's end and take its result.
 *
 * @return 0; -EDEADLK for oneself or one that waits for the caller to end; -EINVAL if it is detached
 *         or somebody else waits for it; -ESRCH if there is none, or no longer; -ECANCELED; from
 *         ring3_thread_join_until -ETIMEDOUT (`deadline` on CLOCK_MONOTONIC)
 */
int ring3_thread_join(ring3_thread_t thread, void **result);
int ring3_thread_join_until(ring3_thread_t thread, void **result, const struct timespec *deadline);

/** Nobody will join it. 0; -EINVAL if it is detached already or being joined; -ESRCH. */
int ring3_thread_detach(ring3_thread_t thread);

/** End the calling thread. In the thread that started the runtime: wait for all others, then
 * exit(0). User threads only. */
__attribute__((noreturn)) void ring3_thread_exit(void *result);

/** The caller's name; 0 in a kernel thread that is no worker. */
ring3_thread_t ring3_thread_self(void);

/** Let others run. */
void ring3_thread_yield(void);

/**
 * Ask a thread to end. Its blocking calls of this library (join, sleep, channels, input and output,
 * nurseries) return -ECANCELED from then on, at once; waits for libsync objects go on. Nothing is
 * forced: the thread must clean up and return.
 *
 * @return 0; -ESRCH
 */
int ring3_thread_cancel(ring3_thread_t thread);

/** -ECANCELED if the caller was asked to end, and listens; else 0. */
int ring3_thread_cancelled(void);

/** Listen to such requests (true at birth) or not; returns what was before. */
bool ring3_thread_set_cancelable(bool listen);

/**
 * As pthread_sigmask, for the calling user thread: from its first call on a thread has a mask of its
 * own, and so have threads that it makes then. A switch makes a system call only if the masks differ.
 * SIGURG, SIGSEGV, SIGBUS and options.dump_signal stay open. In kernel threads that are no workers it is pthread_sigmask.
 *
 * @return 0; -EINVAL for another `how`
 */
int ring3_thread_sigmask(int how, const sigset_t *set, sigset_t *old);

/** Sleep. 0; -ECANCELED; -EINVAL for a malformed time. The deadline is on CLOCK_MONOTONIC, or on the
 * runtime's virtual clock. */
int ring3_sleep_until(const struct timespec *deadline);
int ring3_sleep_ns(int64_t ns);

/* --- Scheduling parameters -------------------------------------------------------------------- */

/** Set a thread's priority (0 to 139), nice value or weight (at least 1); a queued thread finds its
 * new place at once. One that inherits (ring3/thread_mutex.h) keeps what it has until it falls back.
 * 0; -EINVAL; -ESRCH; -EBUSY in a kernel thread that is no worker, if there is one worker only. */
int ring3_thread_set_priority(ring3_thread_t thread, int32_t priority);
int ring3_thread_set_nice(ring3_thread_t thread, int nice);
int ring3_thread_set_weight(ring3_thread_t thread, uint32_t weight);

/**
 * Make the caller periodic, for policies "rm", "edf" and "linux": it is released every `period` ns
 * from now on, runs for up to `time` each time, and should be done `deadline` ns (0: the period)
 * after each release. A period of 0 makes it an ordinary thread again.
 *
 * @return 0; -EPERM outside user threads; -EINVAL for times that make no sense; -EBUSY, and nothing
 *         changed, if the periodic threads of its worker (256 at most) would not be sure to meet
 *         their deadlines: by response times under "rm", else by processor demand
 */
int ring3_thread_set_periodic(int64_t time, int64_t deadline, int64_t period);

/** Wait for the next release. How many releases have passed already, this one included, because the
 * last job took too long (0: it was in time); -EPERM for a thread that is not periodic; -ECANCELED. */
int ring3_thread_wait_next_period(void);

/* --- Looking ------------------------------------------------------------------------------- */

typedef enum ring3_thread_state {
    RING3_THREAD_NEW,     /* has not run yet */
    RING3_THREAD_READY,   /* wants to run */
    RING3_THREAD_RUNNING, /* runs */
    RING3_THREAD_BLOCKED, /* waits */
    RING3_THREAD_ENDED,   /* waits to be joined */
} ring3_thread_state_t;

typedef struct ring3_thread_stats {
    ring3_thread_state_t state;
    unsigned worker;
    uint64_t voluntary, involuntary; /* switches away from it */
    /* The rest only with options.stats or preempt; ns. */
    int64_t created, first_run;
    int64_t ran, waiting; /* on a worker, and ready for one */
    int64_t response;     /* first_run - created; -1 before */
    int64_t turnaround;   /* from its creation (or attr.start) to its end; -1 before */
    int64_t user, system; /* CPU time in and below the program, with options.cpu_times */
    uint64_t misses;      /* deadlines */
    int64_t tardiness;    /* the longest */
} ring3_thread_stats_t;

/** 0; -ESRCH. Of a running thread the figures are those of its last switch. */
int ring3_thread_stats(ring3_thread_t thread, ring3_thread_stats_t *stats);

/** Write a line for each thread to the descriptor: name, state, worker. Returns how many. */
int ring3_thread_dump(int fd);

/* --- Once and thread-specific values ---------------------------------------------------------- */

#define RING3_KEYS 64

/** Make a key. `destroy`, unless NULL, is called with each value that is not NULL when its thread
 * ends. 0; -EAGAIN when all RING3_KEYS are in use. */
int ring3_key_create(unsigned *key, void (*destroy)(void *value));

/** Give a key back. Values are forgotten, not destroyed. 0; -EINVAL. */
int ring3_key_delete(unsigned key);

/** The caller's value, NULL at first. User threads only: NULL elsewhere. */
void *ring3_key_get(unsigned key);

/** 0; -EINVAL for no key; -ENOMEM; -EPERM in a kernel thread that is no worker. */
int ring3_key_set(unsigned key, void *value);

RING3_API_END

#endif
