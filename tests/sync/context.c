/* SPDX-License-Identifier: MIT */
/*
 * Locks shared by kernel threads and by the contexts of a user-level scheduler, which is written
 * here as small as it can be: two workers run coroutines from one list, so that a coroutine may
 * fall asleep on one kernel thread and wake up on the other.
 */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/arch.h"
#include "ring3/mutex.h"
#include "ring3/self.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <ucontext.h>

/* TSan would have to be told of every switch. */
#ifndef RING3_TSAN

#define COROUTINES 6
#define WORKERS    2
#define STACK_SIZE 65536

struct coroutine {
    ring3_self_t self; /* first: the parker finds the coroutine by it */
    ucontext_t context;
    ucontext_t *worker; /* whom to switch to */
    char *stack;
    enum state {
        READY,
        RUNNING,
        BLOCKED,
        ENDED
    } state,
        wish;    /* wish: for the worker to carry out */
    bool called; /* unparked while it was still on its way to sleep */
    bool timed_out;
    const uint32_t *word;
    uint32_t expected;
    const struct timespec *deadline;
    clockid_t clock;
};

/* Guarded by `door`, but for the fields that a coroutine fills in for the worker it switches to. */
static struct coroutine coroutines[COROUTINES];
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
static int workers;
static long parks, unparks;

static struct coroutine *of(ring3_self_t *self)
{
    return (struct coroutine *)(void *)self;
}

static void leave(struct coroutine *coroutine, enum state wish)
{
    coroutine->wish = wish;
    swapcontext(&coroutine->context, coroutine->worker);
}

static int park(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                const struct timespec *deadline)
{
    struct coroutine *const coroutine = of(self);

    coroutine->word = word;
    coroutine->expected = expected;
    coroutine->clock = clock;
    coroutine->deadline = deadline;
    coroutine->timed_out = false;
    leave(coroutine, BLOCKED);
    return coroutine->timed_out ? -ETIMEDOUT : 0;
}

static void *claim(ring3_self_t *self, uint32_t *word)
{
    (void)word;
    return self;
}

static void unpark(void *claimed)
{
    struct coroutine *const coroutine = claimed;

    pthread_mutex_lock(&door);
    unparks++;
    if (coroutine->state == BLOCKED)
        coroutine->state = READY;
    else
        coroutine->called = true;
    pthread_cond_broadcast(&bell);
    pthread_mutex_unlock(&door);
}

static void yield(ring3_self_t *self)
{
    leave(of(self), READY);
}

static const ring3_parker_t parker = {park, claim, unpark, yield};

/* Under `door`: the next that can run, or NULL. Never one that this worker ran last, if there is
 * another worker: whoever stops wakes up on another kernel thread. */
static struct coroutine *pick(const ucontext_t *worker)
{
    static unsigned last;

    for (unsigned i = 1; i <= COROUTINES; i++) {
        struct coroutine *const candidate = &coroutines[(last + i) % COROUTINES];

        if (candidate->state == BLOCKED &&
            ring3_deadline_passed(candidate->clock, candidate->deadline)) {
            candidate->timed_out = true;
            candidate->state = READY;
        }
        if (candidate->state == READY && (workers == 1 || candidate->worker != worker)) {
            last += i;
            return candidate;
        }
    }
    return NULL;
}

static bool all_ended(void)
{
    for (int i = 0; i < COROUTINES; i++)
        if (coroutines[i].state != ENDED)
            return false;
    return true;
}

static void *work(void *unused)
{
    ucontext_t here;

    (void)unused;
    pthread_mutex_lock(&door);
    while (!all_ended()) {
        struct coroutine *const next = pick(&here);

        if (!next) {
            struct timespec soon = ring3_deadline_in(CLOCK_REALTIME, 2000000); /* for deadlines */

            (void)pthread_cond_timedwait(&bell, &door, &soon);
            continue;
        }
        next->state = RUNNING;
        next->worker = &here;
        pthread_mutex_unlock(&door);

        ring3_self_t *const before = ring3_self_switch(&next->self);

        swapcontext(&here, &next->context);
        check(ring3_self_switch(before) == &next->self, "somebody else came back");
        pthread_mutex_lock(&door);
        next->state = next->wish;
        if (next->state == BLOCKED) {
            parks++;
            /* Who changes the word from now on finds it blocked, and calls. */
            if (next->called || ring3_load(next->word, RING3_ACQUIRE) != next->expected)
                next->state = READY;
        }
        next->called = false;
        pthread_cond_broadcast(&bell);
    }
    pthread_mutex_unlock(&door);
    return NULL;
}

static void prepare(struct coroutine *coroutine, uint32_t id, void (*body)(void))
{
    *coroutine = (struct coroutine){.self = {.parker = &parker, .id = id}};
    coroutine->stack = malloc(STACK_SIZE);
    check(coroutine->stack != NULL);
    check_eq(getcontext(&coroutine->context), 0);
    coroutine->context.uc_stack.ss_sp = coroutine->stack;
    coroutine->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&coroutine->context, body, 0);
}

static void start(void (*body)(void))
{
    for (uint32_t i = 0; i < COROUTINES; i++)
        prepare(&coroutines[i], 100 + i, body);
}

/* --- Coroutines and threads at one lock ------------------------------------------------------- */

static ring3_mutex_t mutex;
static ring3_spinlock_t spinlock;
static long counted;
static ring3_self_t *inside;

static void count_under_mutex(int each)
{
    ring3_self_t *const self = ring3_self();

    for (int i = 0; i < each; i++) {
        if (i % 3 == 0) {
            struct timespec deadline;

            do
                deadline = ring3_deadline_in(CLOCK_MONOTONIC, 200000);
            while (ring3_mutex_timedlock(&mutex, &deadline) != 0);
        } else {
            ring3_mutex_lock(&mutex);
        }
        inside = self;
        counted++;
        /* Kernel threads stop here as well as coroutines, with the mutex held. */
        if (i % 16 == 0)
            self->parker->yield(self);
        check(inside == self, "two inside");
        ring3_mutex_unlock(&mutex);
    }
}

/* Asked anew after each switch: a compiler may keep the thread pointer from before (aarch64 does). */
__attribute__((noinline)) static void let_others_run(void)
{
    ring3_self_t *const self = ring3_self();

    self->parker->yield(self);
}

static void count_under_spinlock(int each)
{
    for (int i = 0; i < each; i++) {
        ring3_spinlock_lock(&spinlock);
        counted++;
        ring3_spinlock_unlock(&spinlock);
        if (i % 64 == 0)
            let_others_run();
    }
}

static void (*job)(int each);
static int job_each;

static void end(struct coroutine *coroutine)
{
    ring3_self_retire(&coroutine->self);
    leave(coroutine, ENDED);
}

static void coroutine_job(void)
{
    struct coroutine *const me = of(ring3_self());

    job(job_each);
    end(me);
}

static void *thread_job(void *unused)
{
    (void)unused;
    job(job_each);
    return NULL;
}

static void run_mixed(void (*body)(int each), int each)
{
    enum { THREADS = 4 };
    pthread_t worker[WORKERS], thread[THREADS];

    job = body;
    job_each = each;
    counted = 0;
    workers = WORKERS;
    start(coroutine_job);
    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_create(&worker[i], NULL, work, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_create(&thread[i], NULL, thread_job, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        check_eq(pthread_join(worker[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    check_eq(counted, (long)(COROUTINES + THREADS) * each);
    for (int i = 0; i < COROUTINES; i++) {
        check_eq(coroutines[i].self.no_preempt, 0u);
        check(coroutines[i].self.nodes == NULL, "an ended context keeps nodes");
        free(coroutines[i].stack);
    }
}

TEST(context, a_mutex_serves_coroutines_and_threads, 60)
{
    if (under_valgrind()) /* which runs one thread at a time, and this one waits by spinning */
        return;
    run_mixed(count_under_mutex, rounds(2000));
    check_gt(parks, 0L, "no coroutine ever parked");
    check_gt(unparks, 0L, "no coroutine was ever called");
}

TEST(context, spinlocks_serve_coroutines_and_threads, 60)
{
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++) {
        check_eq(crew_spinlock(&spinlock, a, RING3_WAIT_PARK), 0);
        run_mixed(count_under_spinlock, rounds(500));
    }
}

/* --- A coroutine asleep, woken by its mutex --------------------------------------------------- */

static void lock_once(void)
{
    struct coroutine *const me = of(ring3_self());

    ring3_mutex_lock(&mutex);
    counted++;
    ring3_mutex_unlock(&mutex);
    end(me);
}

TEST(context, a_blocked_coroutine_leaves_its_thread_free_and_wakes_by_its_parker)
{
    pthread_t worker;

    workers = 1;
    start(lock_once);
    ring3_mutex_lock(&mutex);
    check_eq(pthread_create(&worker, NULL, work, NULL), 0);
    /* One worker runs them all: that all park shows that none blocked it. */
    for (;;) {
        int blocked = 0;

        pthread_mutex_lock(&door);
        for (int i = 0; i < COROUTINES; i++)
            blocked += coroutines[i].state == BLOCKED;
        pthread_mutex_unlock(&door);
        if (blocked == COROUTINES)
            break;
        sched_yield();
    }
    check_eq(counted, 0L);
    ring3_mutex_unlock(&mutex);
    check_eq(pthread_join(worker, NULL), 0);
    check_eq(counted, (long)COROUTINES);
    check_ge(unparks, 1L);
}

#endif

/* --- A context of another kind on a thread of its own ----------------------------------------- */

/* Its parker blocks on a condition variable; it needs no stack switching, so TSan runs it too. */
struct visitor {
    ring3_self_t self;
    pthread_mutex_t mutex;
    pthread_cond_t call;
    bool called;
    long parks;
};

static int visitor_park(ring3_self_t *self, const uint32_t *word, uint32_t expected,
                        clockid_t clock, const struct timespec *deadline)
{
    struct visitor *const visitor = (struct visitor *)(void *)self;
    int result = 0;

    pthread_mutex_lock(&visitor->mutex);
    visitor->parks++;
    while (result == 0 && !visitor->called && ring3_load(word, RING3_ACQUIRE) == expected)
        result = deadline
                     ? -pthread_cond_clockwait(&visitor->call, &visitor->mutex, clock, deadline)
                     : -pthread_cond_wait(&visitor->call, &visitor->mutex);
    visitor->called = false;
    pthread_mutex_unlock(&visitor->mutex);
    return result;
}
static void *visitor_claim(ring3_self_t *self, uint32_t *word)
{
    (void)word;
    return self;
}
static void visitor_unpark(void *claimed)
{
    struct visitor *const visitor = claimed;

    pthread_mutex_lock(&visitor->mutex);
    visitor->called = true;
    pthread_cond_signal(&visitor->call);
    pthread_mutex_unlock(&visitor->mutex);
}
static void visitor_yield(ring3_self_t *self)
{
    (void)self;
    sched_yield();
}

static const ring3_parker_t visitor_parker = {visitor_park, visitor_claim, visitor_unpark,
                                              visitor_yield};

#define VISITORS 4
static struct visitor visitors[VISITORS];
static ring3_mutex_t shared;

/* Even threads come as visitors, odd ones as kernel threads. */
static __thread bool entered;

static void acquire(int tid)
{
    if (!entered && tid % 2 == 0) {
        struct visitor *const visitor = &visitors[tid / 2 % VISITORS];

        visitor->self.parker = &visitor_parker;
        visitor->self.id = (uint32_t)tid;
        (void)ring3_self_switch(&visitor->self);
    }
    entered = true;
    ring3_mutex_lock(&shared);
}

static void release(int tid)
{
    (void)tid;
    ring3_mutex_unlock(&shared);
}

TEST(context, a_mutex_serves_contexts_of_two_kinds)
{
    long parked = 0;

    for (int i = 0; i < VISITORS; i++) {
        pthread_mutex_init(&visitors[i].mutex, NULL);
        pthread_cond_init(&visitors[i].call, NULL);
    }
    check_eq(run_exclusion(acquire, release, 2 * VISITORS, rounds(20000)).violations, 0);
    for (int i = 0; i < VISITORS; i++)
        parked += visitors[i].parks;
    check_gt(parked, 0L, "no visitor ever slept");
}
