/* SPDX-License-Identifier: MIT */
/* The threads of a pool: they come one at a time, work, sleep, and leave one at a time. */
#include "core.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

/* How many threads may serve: those that stand in for blocked ones included. */
static unsigned threads_allowed(const ring3_pool_t *pool)
{
    const uint64_t blocking = pool->stats.blocking;

    return pool->options.max +
           (unsigned)(blocking < pool->options.spare ? blocking : pool->options.spare);
}

/* May tasks come without the lock? Not if each has to be looked at, or somebody waits for room. */
static bool open_to_all(const ring3_pool_t *pool)
{
    return !pool->closing && !pool->crew && !pool->watched && !pool->measured &&
           ring3_list_empty(&pool->blocked);
}

static uint64_t room_of(const ring3_pool_t *pool)
{
    size_t room = 0;

    if (open_to_all(pool) && pool->queue.length < pool->options.capacity)
        room = pool->options.capacity - pool->queue.length;
    return room < INBOX_ROOM_MOST ? room : INBOX_ROOM_MOST;
}

/* A worker that could be called, and nobody has called any. */
static bool is_hungry(const ring3_pool_t *pool)
{
    return !pool->rousing &&
           (!ring3_list_empty(&pool->idle) || pool->stats.threads < threads_allowed(pool));
}

/* Write to the inbox what its word says about the pool, before the lock is released. */
static void tell_submitters(ring3_pool_t *pool, struct after *after)
{
    for (;;) {
        const uint64_t seen = inbox_look(&pool->inbox);
        const bool hungry = is_hungry(pool);
        const uint64_t room = room_of(pool), told = seen / INBOX_ROOM;

        if (inbox_last(seen)) {
            /* Those who came meanwhile are for the workers that are busy or called, if there will be any. */
            if (!hungry && pool->inbox.granted <= room)
                return;
            pool_empty_inbox(pool);
            pool_rouse(pool, after);
            continue;
        }
        /* Room that is somewhat too small does no harm, and the word is shared. */
        if (hungry == ((seen & INBOX_HUNGRY) != 0) && told <= room && told >= room / 2)
            return;
        if (inbox_set(&pool->inbox, seen, room, hungry))
            return;
    }
}

__attribute__((noinline)) static void unlock_and_do(ring3_pool_t *pool, struct after *after)
{
    const struct after todo = *after;

    after->count = 0;
    after->start = NULL;
    ring3_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < todo.count; i++)
        ring3_wait_wake(todo.wakes[i]);
    if (todo.start)
        (void)pool_worker_start(todo.start);
}

/* Nothing, or the end of one task that perhaps nobody waits for, is the common case. */
void pool_unlock(ring3_pool_t *pool, struct after *after)
{
    tell_submitters(pool, after);
    if (ring3_unlikely(after->count > 1 || after->start)) {
        unlock_and_do(pool, after);
        return;
    }
    const uint32_t *const wake = after->count ? after->wakes[0] : NULL;

    after->count = 0;
    ring3_mutex_unlock(&pool->lock);
    if (wake)
        ring3_wait_wake(wake);
}

void pool_check_end(ring3_pool_t *pool, struct after *after)
{
    if (!pool->closing || pool->ended || pool->alive || pool->stats.running || pool->queue.length ||
        pool->stats.delayed)
        return;
    /* Pairs with the acquire in ring3_pool_shutdown. */
    ring3_store(&pool->ended, 1, RING3_RELEASE);
    after_wake(after, &pool->ended);
}

/* --- Coming ----------------------------------------------------------------------------------- */

bool pool_call(ring3_pool_t *pool, struct after *after)
{
    ring3_list_t *const link = ring3_list_pop(&pool->idle);

    if (!link)
        return false;
    struct worker *const worker = ring3_container_of(link, struct worker, idle);

    /* Pairs with the acquire in sleep_until_called. */
    ring3_store(&worker->called, 1, RING3_RELEASE);
    after_wake(after, &worker->called);
    pool->rousing = true;
    return true;
}

static void start_another(ring3_pool_t *pool, struct after *after)
{
    struct worker *worker = pool->workers;

    /* The thread of a slot that is being left is still counted against `max`. */
    while (worker->slot != SLOT_FREE)
        if (++worker == pool->workers + pool_slots(pool))
            return;
    worker->slot = SLOT_SERVING;
    pool->alive++;
    pool->stats.threads++;
    pool->stats.starts++;
    if (pool->stats.threads > pool->stats.threads_most)
        pool->stats.threads_most = pool->stats.threads;
    pool->rousing = true;
    after->start = worker;
}

void pool_rouse(ring3_pool_t *pool, struct after *after)
{
    if (pool->rousing || (!pool->queue.ready && !pool->closing))
        return;
    if (!pool_call(pool, after) && pool->queue.ready && pool->stats.threads < threads_allowed(pool))
        start_another(pool, after);
}

__thread struct worker *pool_worker;

static void *worker_main(void *argument);

/* The number that the program sees. */
static unsigned number_of(const struct worker *worker)
{
    return worker->pool->crew ? worker->pool->place : worker->index;
}

/* The CPUs that the options leave to a worker. */
static int set_cpus(pthread_attr_t *attributes, const struct worker *worker)
{
    const ring3_pool_options_t *const options = &worker->pool->options;
    cpu_set_t all, own;
    unsigned left;

    if (options->cpus)
        return pthread_attr_setaffinity_np(attributes, options->cpus_size, options->cpus);
    if (!options->pin)
        return 0;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return errno;
    left = number_of(worker) % (unsigned)CPU_COUNT(&all);
    CPU_ZERO(&own);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && left-- == 0)
            CPU_SET(cpu, &own);
    return pthread_attr_setaffinity_np(attributes, sizeof own, &own);
}

static int set_policy(pthread_attr_t *attributes, const ring3_pool_options_t *options)
{
    const struct sched_param param = {.sched_priority = options->sched_priority};
    int err;

    if (!options->sched_policy)
        return 0;
    err = pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
    if (!err)
        err = pthread_attr_setschedpolicy(attributes, options->sched_policy);
    return err ? err : pthread_attr_setschedparam(attributes, &param);
}

static int create_thread(struct worker *worker)
{
    const size_t stack_size = worker->pool->options.stack_size;
    sigset_t all, before;
    pthread_t thread; /* the worker notes it when it leaves */
    pthread_attr_t attributes;
    int err = pthread_attr_init(&attributes);

    if (err)
        return -err;
    if (stack_size)
        err = pthread_attr_setstacksize(&attributes, stack_size);
    if (!err)
        err = set_cpus(&attributes, worker);
    if (!err)
        err = set_policy(&attributes, &worker->pool->options);
    if (!err) {
        /* The signals of the process are for the program's own threads. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        err = pthread_create(&thread, &attributes, worker_main, worker);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return -err;
}

void pool_worker_join(struct worker *worker)
{
    if (!worker->to_join)
        return;
    int cancelable;

    worker->to_join = false;
    if (pthread_equal(worker->thread, pthread_self())) {
        (void)pthread_detach(worker->thread); /* it leaves, and starts who takes its place */
        return;
    }
    /* The slot is ours to start: nobody else would. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelable);
    (void)pthread_join(worker->thread, NULL);
    (void)pthread_setcancelstate(cancelable, NULL);
}

int pool_worker_start(struct worker *worker)
{
    ring3_pool_t *const pool = worker->pool;
    struct after after = {.count = 0};

    /* No circle: while somebody starts a thread, `rousing` keeps all others from it. */
    pool_worker_join(worker);

    const int err = create_thread(worker);

    if (!err)
        return 0;
    pool_lock(pool);
    worker->slot = SLOT_FREE;
    pool->alive--;
    pool->stats.threads--;
    pool->stats.starts--;
    pool->stats.start_failures++;
    pool->rousing = false;
    /* Meanwhile others may have gone to sleep and work may have come that relied on us. */
    if (pool->queue.ready || pool->closing)
        (void)pool_call(pool, &after);
    pool_check_end(pool, &after);
    pool_unlock(pool, &after);
    return err;
}

/* --- Working ---------------------------------------------------------------------------------- */

static void sleep_until_called(struct worker *worker, bool may_leave)
{
    const struct timespec until = ring3_deadline_in(CLOCK_MONOTONIC, worker->pool->options.idle_ns);

    /* Pairs with the release in pool_call. */
    (void)ring3_wait_change(&worker->called, 0, RING3_WAIT_ADAPTIVE, may_leave ? &until : NULL);
}

/* One worker may leave per period of idleness. */
static bool may_leave_now(ring3_pool_t *pool)
{
    if (pool->stats.threads <= pool->options.min ||
        !ring3_deadline_passed(CLOCK_MONOTONIC, &pool->next_leave))
        return false;
    pool->next_leave = ring3_deadline_in(CLOCK_MONOTONIC, pool->options.idle_ns);
    return true;
}

/* Sleep until there may be work. False when it is time to leave. The lock is held before and after.
 */
static bool idle(struct worker *worker, struct after *after)
{
    ring3_pool_t *const pool = worker->pool;
    const bool may_leave = pool->stats.threads > pool->options.min;

    ring3_store(&worker->called, 0, RING3_RELAXED);
    ring3_list_add(&pool->idle, &worker->idle);
    worker->asleep = ring3_unlikely(pool->watched) ? pool_now() : 0;
    pool_unlock(pool, after);
    sleep_until_called(worker, may_leave);
    pool_lock(pool);
    if (ring3_unlikely(worker->asleep != 0))
        figures_slept(worker);
    crew_awake(pool);
    if (!ring3_list_linked(&worker->idle)) {
        pool->rousing = false; /* we are the one that was called */
        return true;
    }
    ring3_list_remove(&worker->idle);
    return !may_leave_now(pool);
}

static void stop_serving(struct worker *worker)
{
    crew_awake(worker->pool);
    worker->slot = SLOT_LEAVING;
    worker->pool->stats.threads--;
}

static void work(struct worker *worker)
{
    ring3_pool_t *const pool = worker->pool;
    struct after after = {.count = 0};

    pool_lock(pool);
    worker->has_clock = pthread_getcpuclockid(pthread_self(), &worker->clock) == 0;
    pool->rousing = false;
    while (pool->stats.threads <= threads_allowed(pool)) {
        ring3_task_t *const task = pool_take(pool, &after);

        pool_rouse(pool, &after);
        if (task && pool->options.on_demand) {
            pool_run(pool, task, &after);
            break;
        }
        if (task)
            pool_run(pool, task, &after);
        else if (crew_help(pool, &after))
            continue;
        else if (pool->closing || pool->options.on_demand || !idle(worker, &after))
            break;
    }
    stop_serving(worker);
    pool_unlock(pool, &after);
}

/* --- Blocked in a task ------------------------------------------------------------------------ */

/* In a child of fork there is no pool to tell. */
static struct worker *own_worker(void)
{
    return pool_worker && !pool_forked(pool_worker->pool) ? pool_worker : NULL;
}

void ring3_pool_blocking_enter(void)
{
    struct worker *const worker = own_worker();
    struct after after = {.count = 0};

    if (!worker || worker->blocking++)
        return;
    pool_lock(worker->pool);
    worker->pool->stats.blocking++;
    pool_rouse(worker->pool, &after);
    pool_unlock(worker->pool, &after);
}

void ring3_pool_blocking_leave(void)
{
    struct worker *const worker = own_worker();

    if (!worker || !worker->blocking || --worker->blocking)
        return;
    pool_lock(worker->pool);
    worker->pool->stats.blocking--;
    pool_unlock_unchanged(worker->pool);
}

/* --- Leaving ---------------------------------------------------------------------------------- */

/* Also runs when a task ends its thread. */
static void leave(void *argument)
{
    struct worker *const worker = argument;
    ring3_pool_t *const pool = worker->pool;
    struct after after = {.count = 0};

    if (pool_forked(pool))
        return;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    if (pool->options.fini)
        pool->options.fini(pool->options.argument, number_of(worker));
    pool_frames = NULL;
    pool_worker = NULL;
    pool_lock(pool);
    figures_gone(pool);
    worker->has_clock = false;
    pool->stats.blocking -= worker->blocking != 0;
    worker->blocking = 0;
    if (worker->slot == SLOT_SERVING) {
        stop_serving(worker);
        pool->rousing = false; /* it may have ended in `init`, on its way to the queue */
    }
    worker->thread = pthread_self();
    worker->to_join = true;
    worker->slot = SLOT_FREE;
    pool->alive--;
    /* Work may have come that found no room for another thread, and a closing pool wakes its
     * workers one by one. */
    pool_rouse(pool, &after);
    pool_check_end(pool, &after);
    pool_unlock(pool, &after);
}

static void *worker_main(void *argument)
{
    struct worker *const worker = argument;
    ring3_pool_t *const pool = worker->pool;
    struct frame foot = {.pool = pool};
    char name[16];

    (void)snprintf(name, sizeof name, "%s/%u", pool->name, number_of(worker) % 1000);
    (void)pthread_setname_np(pthread_self(), name);
    pool_frames = &foot;
    pool_worker = worker;
    pthread_cleanup_push(leave, worker);
    if (pool->options.init)
        pool->options.init(pool->options.argument, number_of(worker));
    work(worker);
    pthread_cleanup_pop(1);
    return NULL;
}
