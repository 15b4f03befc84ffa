/* SPDX-License-Identifier: MIT */
/* User-level threads: making them, joining them, and what they do to themselves. */
#include "schedule.h"

#include "ring3/bitmap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- As libsync sees a user thread ------------------------------------------------------------ */

/* A deadline of either clock as a time of the runtime's, for timers. */
static int64_t timer_of(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;
    int64_t at;

    if (!deadline)
        return 0;
    at = ns_of(deadline);
    if (clock != CLOCK_MONOTONIC) {
        (void)clock_gettime(clock, &now);
        at += runtime_clock() - ns_of(&now);
    }
    return at > 0 ? at : 1;
}

static int park(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                const struct timespec *deadline)
{
    /* Whoever changes the word from now on wakes us, if only by leaving a notification. */
    if (ring3_load(word, RING3_ACQUIRE) != expected)
        return 0;
    return thread_wait(thread_of_self(self), timer_of(clock, deadline));
}

/* Threads' memory stays, and a notification too many does no harm. */
static void *claim(ring3_self_t *self, uint32_t *word)
{
    (void)word;
    return thread_of_self(self);
}

static void unpark(void *thread)
{
    thread_wake(thread);
}

static void yield(ring3_self_t *self)
{
    thread_yield(thread_of_self(self));
}

const ring3_parker_t thread_parker = {park, claim, unpark, yield};

/* --- Making ----------------------------------------------------------------------------------- */

static bool anyone_in(const uint64_t *affinity)
{
    for (unsigned i = 0; i < runtime.workers; i++)
        if (ring3_bitmap_test(affinity, i))
            return true;
    return false;
}

static bool valid(const ring3_thread_attr_t *attr)
{
    if (attr->stack_size > RING3_STACK_MAX ||
        (attr->context & ~(RING3_CONTEXT_FP | RING3_CONTEXT_PORTABLE)) || attr->pin < 0 ||
        attr->pin > (int)runtime.workers || (attr->pin && attr->bound) || attr->start < 0 ||
        (attr->affinity && (attr->pin || attr->bound || !anyone_in(attr->affinity))) ||
        (attr->start > 0 && (runtime.workers > 1 || attr->bound || !thread_here())))
        return false;
    if ((attr->context & RING3_CONTEXT_PORTABLE) && attr->stack_size > 0 &&
        attr->stack_size < RING3_THREAD_STACK)
        return false;
    return !attr->explicit_sched ||
           (attr->priority >= 0 && attr->priority < RING3_PRIORITY_LEVELS &&
            attr->nice >= RING3_NICE_MIN && attr->nice <= RING3_NICE_MAX &&
            attr->band <= RING3_CLASS_IDLE && attr->queue < RING3_POLICY_LEVELS);
}

/* In pieces for which compilers use vector registers, and no slow string instruction. */
static inline void clear_entity(ring3_entity_t *entity)
{
    enum { PIECE = 64 };
    char *const from = (char *)entity;
    size_t at = 0;

    for (; at + PIECE <= sizeof *entity; at += PIECE)
        memset(from + at, 0, PIECE);
    memset(from + at, 0, sizeof *entity % PIECE);
}

/* Class and priority come from the attributes or from the creator, as in Linux's sched_fork. */
static void inherit(struct thread *thread, const struct thread *creator,
                    const ring3_thread_attr_t *attr)
{
    ring3_entity_t *const entity = &thread->entity;

    clear_entity(entity);
    entity->priority = RING3_PRIORITY_DEFAULT;
    entity->weight = 1;
    if (attr && attr->explicit_sched) {
        entity->priority = attr->priority;
        entity->weight = attr->weight ? attr->weight : 1;
        entity->nice = attr->nice;
        entity->band = attr->band;
        entity->queue = attr->queue;
    } else if (creator && !creator->reset_on_fork) {
        entity->priority = creator->entity.priority;
        entity->weight = creator->entity.weight;
        entity->nice = creator->entity.nice;
        entity->band = creator->entity.band;
        entity->queue = creator->entity.queue;
    }
    if (entity->band == RING3_CLASS_DEADLINE && !(attr && attr->explicit_sched))
        entity->band = RING3_CLASS_FAIR; /* a deadline is not shared out */
    entity->id = thread->index;
}

/* Among several. */
static struct worker *choose_worker(const struct thread *thread, const struct thread *creator)
{
    const unsigned last =
        creator && !creator->worker->bound ? creator->worker->index : thread->index;
    uint32_t loads[RING3_RUNTIME_WORKERS];
    struct worker *open[RING3_RUNTIME_WORKERS]; /* to it */
    unsigned count = 0, here = 0;

    for (unsigned i = 0; i < runtime.workers; i++) {
        if (!may_run_on(thread, runtime.worker[i]))
            continue;
        if (i == last % runtime.workers)
            here = count;
        open[count] = runtime.worker[i];
        loads[count++] = ring3_load(&runtime.worker[i]->load, RING3_RELAXED);
    }
    return open[ring3_policy_select_worker(runtime.policy, &thread->entity, RING3_ARRIVES, loads,
                                           count, here, 0)];
}

static struct worker *place(const struct thread *thread, const struct thread *creator,
                            const ring3_thread_attr_t *attr)
{
    if (attr && attr->pin)
        return runtime.worker[attr->pin - 1];
    return runtime.workers == 1 ? runtime.worker[0] : choose_worker(thread, creator);
}

/* A thread in its beginning; everything that it does not need at once is left as it was. */
static void prepare(struct thread *thread, const struct thread *creator,
                    const ring3_thread_attr_t *attr, void *(*body)(void *), void *arg)
{
    /* Whom it will wait for is taken to be on this CPU, where spinning cannot help, until it is woken
     * from another. */
    thread->self = (ring3_self_t){.parker = &thread_parker,
                                  .id = (UINT32_C(1) << 31) + thread->index,
                                  .waker = creator ? creator->worker->cpu + 1 : 0};
    inherit(thread, creator, attr);
    thread->wake = thread->seen = 0;
    thread->cancelled = 0;
    thread->uncancelable = thread->main = thread->timed_out = thread->started = false;
    thread->in_queue = false;
    thread->carrier = NULL;
    thread->masked = creator && creator->masked;
    if (thread->masked)
        thread->rare->mask = creator->rare->mask;
    thread->moved = thread->inherits = thread->holds = thread->dated = false;
    thread->waits_for = NULL;
    thread->reset_on_fork = attr && attr->reset_on_fork;
    thread->pinned = attr && (attr->pin || attr->bound);
    thread->confined = attr && attr->affinity;
    if (thread->confined)
        thread->rare->affinity = attr->affinity;
    thread->migrates = runtime.several && !thread->pinned &&
                       ((runtime.shared && !thread->confined) || (attr && attr->migrate));
    thread->interrupted = thread->shared = false;
    thread->on_stack = 0;
    thread->timer_at = 0;
    thread->ended = 0;
    thread->body = body;
    thread->arg = arg;
    thread->stack_size = (uint32_t)(attr && attr->stack_size  ? attr->stack_size
                                    : runtime.options.preempt ? RING3_THREAD_STACK_PREEMPT
                                                              : RING3_THREAD_STACK);
    thread->context_options = (uint8_t)(attr ? attr->context : 0);
    ring3_store(&thread->name, attr && attr->name ? attr->name : "a thread", RING3_RELAXED);
    thread->values = NULL;
    thread->at_end = NULL;
    thread->voluntary = thread->involuntary = 0;
    if (runtime.timed || (attr && attr->start > 0)) {
        thread_date(thread);
        thread->rare->created = runtime.timed ? runtime_clock() : 0;
        thread->rare->release = attr ? attr->start : 0;
        if (thread->rare->release > thread->rare->created)
            thread->rare->created = thread->rare->release;
    }
    ring3_store(&thread->joiner, attr && attr->detached ? JOINER_DETACHED : NULL, RING3_RELAXED);
    set_state(thread, RING3_THREAD_NEW);
}

int thread_make(struct thread **made, const ring3_thread_attr_t *attr, void *(*body)(void *),
                void *arg, const void *maker)
{
    struct thread *const creator = thread_here();
    struct worker *const here = creator && !creator->worker->bound ? creator->worker : NULL;
    const bool bound = (attr && attr->bound) || runtime.options.model == RING3_RUNTIME_BOUND;
    struct thread *thread;

    if (!ring3_load(&runtime.running, RING3_ACQUIRE) || !body || (attr && !valid(attr)))
        return -EINVAL;
    thread = table_take(here);
    if (!thread)
        return -EAGAIN;
    prepare(thread, creator, attr, body, arg);
    thread->maker = maker;
    if (bound) {
        /* From now on more than one kernel thread runs user threads. */
        if (!ring3_load(&runtime.several, RING3_RELAXED))
            ring3_store(&runtime.several, true, RING3_RELAXED);
        if (ring3_load(&runtime.quick, RING3_RELAXED))
            ring3_store(&runtime.quick, false, RING3_RELAXED);
        thread->pinned = true;
        thread->worker = worker_new(RING3_RUNTIME_WORKERS);
        if (!thread->worker) {
            table_give(here, thread);
            return -EAGAIN;
        }
        thread->worker->bound = true;
    } else {
        thread->worker = place(thread, creator, attr);
    }
    *made = thread;
    return 0;
}

void thread_unmake(struct thread *thread)
{
    if (thread->worker->bound)
        worker_free(thread->worker);
    table_give(NULL, thread);
}

int thread_launch(struct thread *thread)
{
    struct worker *const worker = thread->worker;

    (void)ring3_fetch_add(&runtime.alive, 1, RING3_RELAXED);
    if (worker->bound) {
        thread->next = NULL;
        worker->inbox = thread;
        worker->load = 1;
        if (carrier_start(worker) != 0) {
            (void)ring3_fetch_sub(&runtime.alive, 1, RING3_RELAXED);
            return -EAGAIN;
        }
        return 0;
    }
    if (thread->dated && thread->rare->release > 0 && thread->rare->release > runtime_clock()) {
        thread->wake = thread->seen | PARKED;
        worker_hold(worker);
        timer_add(worker, thread, thread->rare->release);
        worker_let_go(worker);
    } else {
        thread_ready(thread, RING3_ARRIVES);
    }
    return 0;
}

int ring3_thread_create(ring3_thread_t *thread, const ring3_thread_attr_t *attr,
                        void *(*body)(void *arg), void *arg)
{
    struct thread *made;
    ring3_thread_t name;
    int err = thread_make(&made, attr, body, arg, __builtin_return_address(0));

    if (err)
        return err;
    name = thread_name(made); /* it may be gone once it is launched */
    err = thread_launch(made);
    if (err)
        thread_unmake(made);
    else if (thread)
        *thread = name;
    return err;
}

/* --- Joining ---------------------------------------------------------------------------------- */

static int collect(struct thread *thread, void **result)
{
    struct thread *const self = thread_here();

    if (result)
        *result = thread->arg;
    table_give(self && !self->worker->bound ? self->worker : NULL, thread);
    return 0;
}

static bool has_ended(const struct thread *thread)
{
    /* Pairs with the exchange in ended (schedule.c). */
    return ring3_load(&thread->joiner, RING3_ACQUIRE) == JOINER_ENDED;
}

/* Stop waiting for it, unless it has just ended. */
static bool give_up(struct thread *thread, struct thread *me)
{
    return ring3_cas_try(&thread->joiner, &me, NULL, RING3_ACQUIRE);
}

static int join_as_thread(struct thread *self, struct thread *thread, void **result, int64_t at)
{
    while (!has_ended(thread)) {
        int err = ring3_thread_cancelled();

        if (!err)
            err = thread_wait(self, at);
        if ((err == -ETIMEDOUT || err == -ECANCELED) && give_up(thread, self))
            return err;
    }
    return collect(thread, result);
}

static int join_as_kernel_thread(struct thread *thread, void **result,
                                 const struct timespec *deadline)
{
    /* Pairs with the release in ended. */
    while (ring3_load(&thread->ended, RING3_ACQUIRE) == 0)
        if (ring3_word_wait(&thread->ended, 0, RING3_PRIVATE, CLOCK_MONOTONIC, deadline) ==
                -ETIMEDOUT &&
            give_up(thread, JOINER_KERNEL))
            return -ETIMEDOUT;
    return collect(thread, result);
}

enum { CLAIMED, HAS_ENDED };

/* Become its joiner, so that its entry stays; or its heir, if it has ended. */
static int claim_end(struct thread *thread, struct thread *self)
{
    struct thread *seen = NULL;

    if (thread == self || (self && ring3_load(&self->joiner, RING3_RELAXED) == thread))
        return -EDEADLK;
    /* Pairs with the exchange in ended. */
    if (ring3_cas_try(&thread->joiner, &seen, self ? self : JOINER_KERNEL, RING3_ACQ_REL))
        return CLAIMED;
    if (seen != JOINER_ENDED)
        return -EINVAL;
    /* Of several that come too late only one may take it. */
    return ring3_cas_try(&thread->joiner, &seen, JOINER_DETACHED, RING3_ACQUIRE) ? HAS_ENDED
                                                                                 : -ESRCH;
}

int ring3_thread_join_until(ring3_thread_t name, void **result, const struct timespec *deadline)
{
    struct thread *const self = thread_here();
    struct thread *thread;
    int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    if (err)
        return err;
    thread = table_find(name);
    if (!thread)
        return -ESRCH;
    err = claim_end(thread, self);
    table_drop(thread);
    if (err < 0)
        return err;
    if (err == HAS_ENDED)
        return collect(thread, result);
    return self ? join_as_thread(self, thread, result, timer_of(CLOCK_MONOTONIC, deadline))
                : join_as_kernel_thread(thread, result, deadline);
}

int ring3_thread_join(ring3_thread_t thread, void **result)
{
    return ring3_thread_join_until(thread, result, NULL);
}

int ring3_thread_detach(ring3_thread_t name)
{
    struct thread *const thread = table_find(name), *seen = NULL;
    int err = 0;

    if (!thread)
        return -ESRCH;
    /* Pairs with the exchange in ended. */
    if (!ring3_cas_try(&thread->joiner, &seen, JOINER_DETACHED, RING3_ACQ_REL)) {
        if (seen != JOINER_ENDED)
            err = -EINVAL;
        else if (!ring3_cas_try(&thread->joiner, &seen, JOINER_DETACHED, RING3_ACQUIRE))
            err = -ESRCH;
        else
            err = collect(thread, NULL);
    }
    table_drop(thread);
    return err;
}

/* --- Oneself ---------------------------------------------------------------------------------- */

ring3_thread_t ring3_thread_self(void)
{
    const struct thread *const self = thread_here();

    return self ? thread_name(self) : 0;
}

void ring3_thread_exit(void *result)
{
    struct thread *const self = thread_here();

    if (!self)
        abort();
    if (self->main) {
        (void)ring3_exchange(&runtime.last, self, RING3_SEQ_CST);
        while (ring3_load(&runtime.alive, RING3_SEQ_CST) > 1)
            (void)thread_wait(self, 0);
        exit(0);
    }
    self->arg = result;
    thread_leave(self);
}

void ring3_thread_yield(void)
{
    struct thread *const self = thread_here();

    if (self)
        thread_yield(self);
    else
        ring3_self()->parker->yield(ring3_self());
}

int ring3_thread_cancel(ring3_thread_t name)
{
    struct thread *const thread = table_find(name);
    int err = 0;

    if (!thread)
        return -ESRCH;
    if (ring3_load(&thread->state, RING3_RELAXED) == RING3_THREAD_ENDED) {
        err = -ESRCH;
    } else {
        ring3_store(&thread->cancelled, 1, RING3_RELEASE);
        thread_wake(thread);
    }
    table_drop(thread);
    return err;
}

int ring3_thread_cancelled(void)
{
    const struct thread *const self = thread_here();

    /* Pairs with the release in ring3_thread_cancel. */
    return self && !self->uncancelable && ring3_load(&self->cancelled, RING3_ACQUIRE) ? -ECANCELED
                                                                                      : 0;
}

bool ring3_thread_set_cancelable(bool listen)
{
    struct thread *const self = thread_here();
    const bool before = !self || !self->uncancelable;

    if (self)
        self->uncancelable = !listen;
    return before;
}

static int sleep_to(int64_t at)
{
    struct thread *const self = thread_here();

    if (!self) {
        const struct timespec deadline = {at / RING3_SECOND_NS, at % RING3_SECOND_NS};

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
            continue;
        return 0;
    }
    while (runtime_clock() < at) {
        const int err = ring3_thread_cancelled();

        if (err)
            return err;
        (void)thread_wait(self, at);
    }
    return ring3_thread_cancelled();
}

int ring3_sleep_until(const struct timespec *deadline)
{
    const int err = ring3_deadline_check(CLOCK_MONOTONIC, deadline);

    return err ? err : sleep_to(ns_of(deadline));
}

int ring3_sleep_ns(int64_t ns)
{
    const int64_t now = runtime_clock();

    return sleep_to(ns > INT64_MAX - now ? INT64_MAX : now + (ns > 0 ? ns : 0));
}

/* --- Looking ---------------------------------------------------------------------------------- */

static void copy_times(ring3_thread_stats_t *stats, const struct rare *times)
{
    stats->created = times->created;
    stats->first_run = ring3_load(&times->first_run, RING3_RELAXED);
    stats->ran = ring3_load(&times->ran, RING3_RELAXED);
    stats->waiting = ring3_load(&times->waiting, RING3_RELAXED);
    stats->user = ring3_load(&times->user, RING3_RELAXED);
    stats->system = ring3_load(&times->system, RING3_RELAXED);
    stats->misses = ring3_load(&times->misses, RING3_RELAXED);
    stats->tardiness = ring3_load(&times->tardiness, RING3_RELAXED);
    if (stats->state != RING3_THREAD_NEW)
        stats->response = stats->first_run - stats->created;
    if (stats->state == RING3_THREAD_ENDED)
        stats->turnaround = ring3_load(&times->finished, RING3_RELAXED) - stats->created;
}

int ring3_thread_stats(ring3_thread_t name, ring3_thread_stats_t *stats)
{
    struct thread *const thread = table_find(name);

    if (!thread)
        return -ESRCH;
    *stats = (ring3_thread_stats_t){
        .state = (ring3_thread_state_t)ring3_load(&thread->state, RING3_RELAXED),
        .worker = ring3_load(&thread->worker, RING3_RELAXED)->index,
        .voluntary = ring3_load(&thread->voluntary, RING3_RELAXED),
        .involuntary = ring3_load(&thread->involuntary, RING3_RELAXED),
        .response = -1,
        .turnaround = -1,
    };
    if (thread->dated)
        copy_times(stats, thread->rare);
    table_drop(thread);
    return 0;
}

int thread_describe(int fd, const struct thread *thread, uint32_t state)
{
    static const char *const states[] = {"new", "ready", "running", "blocked", "ended"};
    char line[160];
    int length;

    length =
        snprintf(line, sizeof line, "thread %llu (%.80s): %s, worker %u\n",
                 (unsigned long long)thread_name(thread), ring3_load(&thread->name, RING3_RELAXED),
                 state <= RING3_THREAD_ENDED ? states[state] : "gone",
                 ring3_load(&thread->worker, RING3_RELAXED)->index);
    return write(fd, line, (size_t)length) < 0 ? -errno : 0;
}

int ring3_thread_dump(int fd)
{
    const struct thread *thread;
    int count = 0;

    for (uint32_t i = 0; (thread = table_at(i)) != NULL; i++) {
        const uint32_t state = ring3_load(&thread->state, RING3_RELAXED);

        if (state > RING3_THREAD_ENDED)
            continue;
        if (thread_describe(fd, thread, state) != 0)
            break;
        count++;
    }
    return count;
}
