/* SPDX-License-Identifier: MIT */
/*
 * The gate: an unmodified program keeps its kernel threads, but only so many run at a time, and a
 * scheduling policy says which.
 *
 * A thread runs while it has a place, of which there are `gate.places`. It gives its place up when
 * it waits, yields or ends, and when its turn is over; then the policy picks who gets it. Who has no
 * place sleeps on its own futex word, `turn`.
 *
 * Waiting for another thread (locks, conditions, semaphores, barriers, joins) happens at the gate:
 * the libc object is tried without blocking, and who cannot have it is entered in a table under the
 * object's address, which the call that gives it back looks up. So the policy sees every wake-up,
 * and with one place the order of all threads is decided here alone. Waiting for the outside (input
 * and output, children, objects shared between processes) happens outside: the thread gives up its
 * place before the call and asks for one after it.
 *
 * Everything in `gate` and in the records of threads is guarded by gate.lock, except where it says
 * otherwise. A thread under that lock has `inside` > 0, so that a signal handler stays away.
 *
 * With a seed time is logical: it passes by a drawn amount at each call, and jumps to the next
 * sleeper when nobody wants to run. Turns, sleeps and timeouts are all in that time, and clocks show
 * it, so that the same seed gives the same run.
 */
#ifndef GATE_H
#define GATE_H

#include "runtime.h"

#include "ring3/list.h"
#include "ring3/policy.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* Another name of a function; gcc wants to hear that its attributes are the same. */
#if __has_attribute(copy)
#define ALIAS_OF(name) __attribute__((visibility("default"), copy(name), alias(#name)))
#else
#define ALIAS_OF(name) __attribute__((visibility("default"), alias(#name)))
#endif

#define PLACES_MOST  64
#define FOR_EVER     INT64_MAX
#define GATE_SIGNAL  SIGURG /* ignored by default: harmless where it comes too late */
#define GATE_BUCKETS 256

enum gated_state {
    GATED_NEW,
    GATED_READY,
    GATED_RUNNING,
    GATED_WAITING,
    GATED_OUTSIDE,
    GATED_ENDED
};

/* What a thread waits for. */
enum wait_for {
    FOR_NOTHING,
    FOR_MUTEX,
    FOR_MUTEX_UNOWNED, /* a spin lock: nobody knows who has it */
    FOR_COND,
    FOR_READ,
    FOR_WRITE,
    FOR_SEMAPHORE,
    FOR_BARRIER,
    FOR_ONCE,
    FOR_END,
    FOR_TIME,
};

struct gated {
    ring3_entity_t entity;
    ring3_list_t all;     /* in gate.threads */
    ring3_list_t waiting; /* in a bucket, while it waits */
    const void *object;   /* for which it waits */
    enum wait_for what;
    enum gated_state state;
    uint32_t turn;    /* futex: 1 when it has got a place. Set under the lock, read without it */
    uint32_t inside;  /* its own: the handler of the gate's signal stays away. */
    uint32_t expired; /* its turn is over. Set by anybody, cleared by itself */
    uint32_t posted;  /* its own: a semaphore was posted by a handler that came inside */
    bool timed_out, cancelled, detached, ended, foreign;
    int place;     /* or -1 */
    int64_t since; /* when it began to run, or was last charged */
    int64_t slice; /* when it began to run */
    int64_t until; /* when it stops waiting */
    uint64_t calls;
    pthread_t handle;
    int kernel_id;
    uint32_t number;
    void *(*body)(void *);
    void *arg;
    struct gated *next; /* among spare records */
    uint32_t failures;  /* times it was woken for what it then did not get */
    int rounds;         /* of destructors */
    char name[24];
};

/* A thread ran on a place without a break. Names go with it: threads end. */
struct gate_slice {
    uint32_t thread, place;
    int64_t from, to;
};

struct gate {
    uint32_t active; /* there is, or was, a second thread. Set under the lock, read without it */
    struct kernel_lock lock;
    const ring3_policy_t *policy;
    ring3_policy_params_t params;
    void *queue;
    uint32_t ready; /* in the queue */
    unsigned places;
    struct gated *running[PLACES_MOST];
    uint32_t outside, alive, last_number;
    ring3_list_t threads;
    ring3_list_t waiting[GATE_BUCKETS];
    uint32_t awaited[GATE_BUCKETS];     /* announced; changed under the lock, read without it */
    struct gated *to_wake[PLACES_MOST]; /* once the lock is free */
    unsigned to_wake_count;
    struct gated *spare;
    /* Logical time. */
    bool seeded;
    uint64_t seed, draws;
    int64_t logical, step, start;
    int64_t epoch; /* what CLOCK_REALTIME shows at logical time 0; 0: the time of day */
    bool reported; /* that all are blocked */
    /* The monitor. */
    uint32_t monitor_kick; /* futex; 0 while it sleeps without a limit */
    bool monitor_runs, warned;
    /* The trace. */
    struct gate_slice *slices;
    size_t slice_room, slice_count;
    bool traced; /* it is being written */
    char trace[PATH_MAX], svg[PATH_MAX], gantt[PATH_MAX];
};

/* One per process. */
extern struct gate gate;

/* The record of the calling thread; NULL for one that the gate does not know yet. */
extern __thread struct gated *gated_self
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The record of threads that have left for good, and of the monitor: no call of theirs is gated. */
extern struct gated gate_gone;

/* --- gate.c: who runs ------------------------------------------------------------------------- */

/* The caller's record if the gate is active, else NULL; a thread that libc made behind our back is
 * taken in. Every interposed call begins with it: the place may go to somebody else here. */
struct gated *gate_call(void);

void gate_lock(struct gated *me);
void gate_unlock(struct gated *me);

/* The time that policies see, ns. */
int64_t gate_now(void);

/* Under the lock, which it gives up: wait for `object`, as announced, until woken or until `until`.
 * ETIMEDOUT; EINTR when a signal's handler ran and `what` is one that it ends; else 0. */
int gate_wait(struct gated *me, const void *object, enum wait_for what, int64_t until);

/* Somebody is about to wait for the object: whoever gives it back from now on looks under the lock.
 * Taken back by gate_wait's end, or by gate_withdraw. */
void gate_announce(const void *object);
void gate_withdraw(const void *object);

/* Has anybody announced that? Says no only if the object, given back before, can be seen free by
 * whoever announces later. */
bool gate_awaited(const void *object);

/* Get the object, by a function that says EBUSY when it cannot be had: what that says, or ETIMEDOUT,
 * or of semaphores EINTR, or EBUSY when me->cancelled. */
int gate_acquire(struct gated *me, void *object, enum wait_for what, int (*try)(void *object),
                 int64_t until);

/* After the object was given back: wake the most urgent of those who wait for it, by priority and
 * then by time, or all of them; and give way to them if the policy says so. Takes the lock. */
void gate_release(struct gated *me, const void *object, bool all);

/* A mutex that goes with a condition shared between processes: libc gives it back where the gate does
 * not see it. From now on everybody waits for it outside. */
void gate_wait_outside_for(struct gated *me, const void *mutex);
bool gate_waits_outside(const void *mutex);

/* Under the lock: a thread stops running, begins to, or wants to. */
void gate_give_up_place(struct gated *me, int64_t now);
void gate_take_place(struct gated *me, struct gated *thread, unsigned place, int64_t now);
void gate_become_ready(const struct gated *me, struct gated *thread, ring3_why_t why);
void gate_wake_all(struct gated *me, const void *object);

/* Under the lock: wake that thread; or the first that gate_release would wake, which it returns. */
void gate_wake(struct gated *me, struct gated *thread);
struct gated *gate_wake_first(struct gated *me, const void *object);

void gate_yield(struct gated *me);

/* Give way if the caller's turn is over. */
void gate_settle(struct gated *me);

/* Around a call that blocks outside. `me` may be NULL: then they do nothing. */
void gate_leave(struct gated *me);
void gate_enter(struct gated *me);

void gate_await_turn(struct gated *me);
void gate_dispatch(struct gated *me); /* under the lock */

/* The charges of whoever runs up to now; true if its turn is over. Under the lock. */
bool gate_charge(struct gated *thread, int64_t now);

static inline bool is_clock(clockid_t clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME;
}

static inline bool is_time(const struct timespec *time)
{
    return time->tv_nsec >= 0 && time->tv_nsec < RING3_SECOND_NS;
}

/* --- life.c ----------------------------------------------------------------------------------- */

/* Begin: the caller, the only thread, takes the first place. */
void gate_activate(void);

/* Under the lock: a new thread's record, or NULL; it wants to run from now on; it is no more. */
struct gated *gate_record(void);
void gate_admit(struct gated *thread);
void gate_forget(struct gated *thread);
struct gated *gate_find(pthread_t handle);

/* The calling thread has this record from now on. */
void gate_starts(struct gated *me);

/* --- monitor.c -------------------------------------------------------------------------------- */

void monitor_begin(void);
void monitor_look(void); /* under the lock: somebody waits for a place now */
void gate_interrupt(struct gated *thread);

/* --- clock.c ---------------------------------------------------------------------------------- */

/* Sleep at the gate: 0, or EINTR when a signal's handler ran. */
int gate_sleep(struct gated *me, int64_t until);

/* --- report.c --------------------------------------------------------------------------------- */

void gate_trace(const struct gated *thread, int64_t to);
void gate_report_blocked(void);
void gate_write_traces(void);

/* --- settings.c ------------------------------------------------------------------------------- */

void gate_settings(void);

/* A deadline on the clock, in the gate's time. */
int64_t gate_until(clockid_t clock, const struct timespec *deadline);

/* A deadline on the clock as the program sees it, for a wait outside; and after that wait has timed
 * out: with a seed, logical time is no earlier. NULL and 0 for no deadline. */
const struct timespec *gate_outside(clockid_t clock, const struct timespec *deadline,
                                    struct timespec *moved);
void gate_timed_out(struct gated *me, int64_t until);

/* libc's functions, under their newest versions. */
#define REAL_FUNCTIONS(X)                                                                          \
    X(pthread_create)                                                                              \
    X(pthread_join)                                                                                \
    X(pthread_detach)                                                                              \
    X(pthread_cancel)                                                                              \
    X(pthread_tryjoin_np)                                                                          \
    X(pthread_setname_np)                                                                          \
    X(pthread_setschedparam)                                                                       \
    X(pthread_getschedparam)                                                                       \
    X(pthread_setschedprio)                                                                        \
    X(pthread_sigmask)                                                                             \
    X(sigprocmask)                                                                                 \
    X(pthread_once)                                                                                \
    X(pthread_mutex_lock)                                                                          \
    X(pthread_mutex_trylock)                                                                       \
    X(pthread_mutex_timedlock)                                                                     \
    X(pthread_mutex_clocklock)                                                                     \
    X(pthread_mutex_unlock)                                                                        \
    X(pthread_cond_wait)                                                                           \
    X(pthread_cond_timedwait)                                                                      \
    X(pthread_cond_clockwait)                                                                      \
    X(pthread_cond_signal)                                                                         \
    X(pthread_cond_broadcast)                                                                      \
    X(pthread_rwlock_rdlock)                                                                       \
    X(pthread_rwlock_tryrdlock)                                                                    \
    X(pthread_rwlock_timedrdlock)                                                                  \
    X(pthread_rwlock_clockrdlock)                                                                  \
    X(pthread_rwlock_wrlock)                                                                       \
    X(pthread_rwlock_trywrlock)                                                                    \
    X(pthread_rwlock_timedwrlock)                                                                  \
    X(pthread_rwlock_clockwrlock)                                                                  \
    X(pthread_rwlock_unlock)                                                                       \
    X(pthread_spin_trylock)                                                                        \
    X(pthread_spin_unlock)                                                                         \
    X(pthread_barrier_wait)                                                                        \
    X(pthread_barrier_destroy)                                                                     \
    X(sem_wait)                                                                                    \
    X(sem_trywait)                                                                                 \
    X(sem_timedwait)                                                                               \
    X(sem_clockwait)                                                                               \
    X(sem_post)                                                                                    \
    X(sched_yield)                                                                                 \
    X(clock_gettime)                                                                               \
    X(gettimeofday)                                                                                \
    X(time)                                                                                        \
    X(pthread_clockjoin_np)                                                                        \
    X(clock_nanosleep)                                                                             \
    X(read)                                                                                        \
    X(write)                                                                                       \
    X(readv)                                                                                       \
    X(writev)                                                                                      \
    X(recv)                                                                                        \
    X(recvfrom)                                                                                    \
    X(recvmsg)                                                                                     \
    X(send)                                                                                        \
    X(sendto)                                                                                      \
    X(sendmsg)                                                                                     \
    X(accept)                                                                                      \
    X(accept4)                                                                                     \
    X(connect)                                                                                     \
    X(poll)                                                                                        \
    X(ppoll)                                                                                       \
    X(select)                                                                                      \
    X(pselect)                                                                                     \
    X(epoll_wait)                                                                                  \
    X(epoll_pwait)                                                                                 \
    X(wait)                                                                                        \
    X(waitpid)                                                                                     \
    X(wait4)                                                                                       \
    X(waitid)                                                                                      \
    X(sigwait)                                                                                     \
    X(sigwaitinfo)                                                                                 \
    X(sigtimedwait)                                                                                \
    X(pause)                                                                                       \
    X(sigsuspend)                                                                                  \
    X(system)

struct real {
#define X(name) __typeof__(name) *name;
    REAL_FUNCTIONS(X)
#undef X
};

const struct real *real(void);

#endif
