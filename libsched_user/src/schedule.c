/* SPDX-License-Identifier: MIT */
/* Who runs next on a worker: the run queue, the inbox, waiting and waking, switching, idling. */
#include "schedule.h"

#include "figures.h"
#include "replay.h"
#include "ring3/rcu.h"

__attribute__((used)) __thread struct worker *worker_of_thread;

#ifndef RING3_HAVE_THREAD_POINTERS
__attribute__((noinline)) struct worker *worker_here(void)
{
    __asm__ __volatile__("");
    return worker_of_thread;
}

__attribute__((noinline)) void worker_here_set(struct worker *worker)
{
    __asm__ __volatile__("");
    worker_of_thread = worker;
}
#endif

int64_t runtime_clock(void)
{
    struct timespec now;

    if (runtime.options.virtual_clock)
        return runtime.virtual_now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return ns_of(&now);
}

/* --- The run queue ---------------------------------------------------------------------------- */

static void unlock_queues(struct worker *worker)
{
    if (runtime.shared)
        unlock_queue(runtime.shared);
    unlock_queue(worker);
}

/* Lock the queues that the thread may be in: its worker's, which others may change meanwhile, and the
 * global one. */
static struct worker *lock_queues_of(const struct thread *thread)
{
    for (;;) {
        struct worker *const worker = ring3_load(&thread->worker, RING3_RELAXED);

        lock_queue(worker);
        if (runtime.shared)
            lock_queue(runtime.shared);
        if (ring3_load(&thread->worker, RING3_RELAXED) == worker)
            return worker;
        unlock_queues(worker);
    }
}

void thread_change(struct thread *thread, void (*change)(struct thread *thread, const void *to),
                   const void *to)
{
    ring3_self_t *const self = ring3_self();
    const int64_t now = runtime_clock();
    struct worker *worker, *home = NULL;

    ring3_preempt_disable(self);
    worker = lock_queues_of(thread);
    if (thread->in_queue)
        home = home_of(worker, thread);
    if (home)
        runtime.policy->dequeue(home->queue, &thread->entity, now);
    change(thread, to);
    if (home) {
        thread->moved = false;
        runtime.policy->enqueue(home->queue, &thread->entity, RING3_MOVES, now);
    }
    unlock_queues(worker);
    ring3_preempt_enable(self);
}

/* --- The inbox -------------------------------------------------------------------------------- */

void worker_kick(struct worker *worker)
{
    /* Sequentially consistent with the stores in sleep: one of us sees the other. */
    const uint32_t how = ring3_exchange(&worker->sleeping, 0, RING3_SEQ_CST);

    if (how == 1)
        (void)ring3_futex_wake(&worker->sleeping, 1, RING3_PRIVATE);
    else if (how == 2)
        poller_kick();
}

static void post(struct worker *worker, struct thread *thread)
{
    struct thread *head = ring3_load(&worker->inbox, RING3_RELAXED);

    do
        thread->next = head;
    while (!ring3_cas_weak(&worker->inbox, &head, thread, RING3_SEQ_CST));
    if (ring3_load(&worker->sleeping, RING3_SEQ_CST))
        worker_kick(worker);
}

/* Threads that came in are queued in the order in which they came. */
static void empty_inbox(struct worker *worker, int64_t now)
{
    struct thread *thread = NULL, *reversed;

    if (ring3_likely(!ring3_load(&worker->inbox, RING3_RELAXED)))
        return;
    /* Pairs with the compare-and-swap in post. */
    reversed = ring3_exchange(&worker->inbox, NULL, RING3_ACQUIRE);
    while (reversed) {
        struct thread *const next = reversed->next;

        reversed->next = thread;
        thread = reversed;
        reversed = next;
    }
    while (thread) {
        struct thread *const next = thread->next;

        timer_remove(worker, thread);
        enqueue(worker, thread, thread->started ? RING3_WAKES : RING3_ARRIVES, now);
        thread = next;
    }
}

/* Should the current thread give way to the one that has become ready? Not if they are in different
 * queues, or the other has gone from there. */
static void check_preempt(struct worker *worker, const struct thread *thread, int64_t now)
{
    struct thread *const current = worker->current;
    struct worker *const home = home_of(worker, current);

    lock_queue(home);
    /* Whether it is queued is guarded by the lock of its queue: so first, which that is. */
    if (home_of(ring3_load(&thread->worker, RING3_RELAXED), thread) == home && thread->in_queue &&
        runtime.policy->check_preempt(home->queue, &current->entity, &thread->entity, now))
        ring3_store(&worker->preempt_asked, 1, RING3_RELAXED);
    unlock_queue(home);
}

/* Its worker is another's to touch. */
static void ready_elsewhere(struct worker *worker, struct thread *thread, ring3_why_t why)
{
    ring3_self_t *const self = ring3_self();

    /* With a timer, its worker has to take it out. */
    if (ring3_unlikely(runtime.shared) && thread->timer_at == 0) {
        bool done;

        ring3_preempt_disable(self);
        done =
            enqueue_shared(worker, thread, thread->started ? why : RING3_ARRIVES, time_if_kept());
        ring3_preempt_enable(self);
        if (done)
            return;
    }
    post(worker, thread);
}

void thread_ready(struct thread *thread, ring3_why_t why)
{
    struct worker *const worker = thread->worker;

    load_add(worker, 1);
    if (worker != worker_here()) {
        ready_elsewhere(worker, thread, why);
        return;
    }
    worker_hold(worker);

    const int64_t now = time_if_kept();

    timer_remove(worker, thread);
    enqueue(worker, thread, thread->started ? why : RING3_ARRIVES, now);
    if (runtime.preemptive && worker->current && runtime.policy->check_preempt)
        check_preempt(worker, thread, now);
    if (ring3_unlikely(ring3_load(&runtime.idlers, RING3_RELAXED) > 0))
        balance_push(worker, now);
    worker_let_go(worker);
}

/* --- Waiting and waking ----------------------------------------------------------------------- */

void thread_wake(struct thread *thread)
{
    uint32_t seen = ring3_load(&thread->wake, RING3_RELAXED);

    /* Pairs with the compare-and-swap in published and the load in woken. */
    while (!ring3_cas_weak(&thread->wake, &seen, (seen | PARKED) + 1, RING3_ACQ_REL))
        continue;
    if (seen & PARKED)
        thread_ready(thread, RING3_WAKES);
}

/* The stack has been left: from now on others may wake it. */
static void published(void *at)
{
    struct thread *const thread = at;
    const uint32_t seen = thread->seen; /* once parked it may run, elsewhere */

    /* Pairs with the compare-and-swap in thread_wake: who came before us left it to us to make it
     * ready. */
    if (ring3_cas(&thread->wake, seen, seen | PARKED, RING3_ACQ_REL) != seen)
        thread_ready(thread, RING3_WAKES);
}

/* What woke it has done its work; whoever comes from now on will find another count. Pairs with the
 * compare-and-swap in thread_wake. */
static void woken(struct thread *self)
{
    self->seen = ring3_load(&self->wake, RING3_ACQUIRE);
}

/* --- Switching -------------------------------------------------------------------------------- */

bool thread_charge(struct worker *worker, struct thread *thread, int64_t now)
{
    const int64_t ran = now - worker->since;
    bool over = false;

    worker->since = now;
    count(&thread->rare->ran, ran);
    if (runtime.policy->tick && ran > 0) {
        struct worker *const home = home_of(worker, thread);

        lock_queue(home);
        over = runtime.policy->tick(home->queue, &thread->entity, ran, now);
        unlock_queue(home);
    }
    return over;
}

/* How many switches pass between looks at timers and descriptors of a worker that is never idle. */
#define LOOK_TURNS 64

struct thread *choose(struct worker *worker, int64_t now)
{
    struct thread *next;

    empty_inbox(worker, now);
    if (ring3_unlikely(runtime.options.virtual_clock))
        (void)timers_expire(worker, now);
    if (ring3_unlikely(worker->turns % LOOK_TURNS == 0)) {
        count(&worker->turns, 1);
        worker->cpu = (uint32_t)ring3_cpu();
        if (!ring3_rbtree_empty(&worker->timers))
            (void)timers_expire(worker, runtime_clock());
        poller_glance();
        balance_push(worker, now);
    }
    next = ring3_unlikely(runtime.replays) ? replay_pick(worker, now) : pick(worker, now);
    /* Without memory for a stack it has to wait until others give theirs back. */
    if (ring3_unlikely(next && !next->started && !bind_stack(worker, next))) {
        enqueue(worker, next, RING3_YIELDS, now);
        worker->starved = true;
        next = NULL;
    }
    return next;
}

ring3_context_t *go_where(struct worker *worker, struct thread *next, int64_t now)
{
    if (ring3_unlikely(next && next->carrier)) {
        worker->handing = next;
        next = NULL;
        /* Pairs with the release in stack_left. Who waited on a stack for another to be left could keep
         * a third from leaving that: so the wait is in the idle context. */
    } else if (next && ring3_unlikely(ring3_load(&next->on_stack, RING3_ACQUIRE))) {
        worker->awaited = next;
        next = NULL;
    }
    if (next) {
        start_running(worker, next, now);
        ring3_self_set(&next->self);
        return &next->context;
    }
    set_current(worker, NULL, now);
    if (ring3_unlikely(ring3_load(&runtime.masks, RING3_RELAXED)))
        mask_for(worker->carrier, NULL);
    ring3_self_set(worker->carrier->kernel_self);
    return &worker->carrier->idle;
}

void go(struct worker *worker, ring3_context_t *from, struct thread *next, int64_t now,
        void (*after)(void *), void *arg)
{
    ring3_context_switch(from, go_where(worker, next, now), after, arg);
}

void leave(struct thread *self)
{
    struct worker *const worker = self->worker;

    worker_let_go(worker);
    if (ring3_unlikely(ring3_load(&worker->preempt_asked, RING3_RELAXED)) && worker->busy == 0 &&
        self->self.no_preempt == 0 && waiting_for(worker) > 0) {
        ring3_store(&worker->preempt_asked, 0, RING3_RELAXED);
        thread_requeue(self, RING3_PREEMPTED);
    }
}

/*
 * The most frequent cases in a few instructions: one worker, a policy whose queue is a list, no clock,
 * nothing in the inbox. Who is first, taken out of the queue and ready to run; NULL: take the long way.
 */
__attribute__((always_inline)) static inline struct thread *pick_quickly(struct worker *worker)
{
    ring3_list_t *const ready = worker->queue, *first;
    struct thread *next;

    if (!ring3_load(&runtime.quick, RING3_RELAXED) || ring3_load(&worker->inbox, RING3_RELAXED) ||
        worker->turns % LOOK_TURNS == 0)
        return NULL;
    first = ready->next;
    next = ring3_container_of(first, struct thread, entity.link);
    if (first == ready || (!next->started && !bind_stack(worker, next)))
        return NULL;
    ring3_list_remove(first);
    set_queued(worker, worker->queued - 1);
    next->started = true;
    next->in_queue = false; /* thread_change relies on it */
    return next;
}

/* `next` runs from now on, and `self` is in that state. */
static inline void note_quickly(struct worker *worker, struct thread *self, uint32_t state,
                                struct thread *next)
{
    if (state != RING3_THREAD_ENDED) { /* that is noted when the stack has been left */
        set_state(self, state);
        count(&self->voluntary, 1);
    }
    set_state(next, RING3_THREAD_RUNNING);
    count(&worker->turns, 1);
    worker->current = next;
    ring3_self_set(&next->self);
}

/* To whoever is first; `self` is in that state meanwhile, READY or BLOCKED. */
__attribute__((always_inline)) static inline bool switch_quickly(struct thread *self,
                                                                 uint32_t state)
{
    struct worker *const worker = self->worker;
    const bool yields = state == RING3_THREAD_READY;
    const int saved = errno;
    struct thread *next;

    worker_hold(worker);
    next = pick_quickly(worker);
    if (next) {
        if (yields) {
            ring3_list_add_tail(worker->queue, &self->entity.link);
            set_queued(worker, worker->queued + 1);
            self->in_queue = true;
        }
        note_quickly(worker, self, state, next);
        ring3_context_switch(&self->context, &next->context, yields ? NULL : published, self);
        if (!yields)
            woken(self);
        errno_put(saved);
    }
    worker_let_go(worker);
    return next != NULL;
}

ring3_context_t *leave_quickly(struct worker *worker, struct thread *self)
{
    struct thread *const next = pick_quickly(worker);

    if (!next)
        return NULL;
    note_quickly(worker, self, RING3_THREAD_ENDED, next);
    return &next->context;
}

void thread_yield(struct thread *self)
{
    if (ring3_unlikely(self->self.reader) && ring3_rcu_reading(RING3_RCU_QSBR))
        ring3_qsbr_quiescent();
    if (!switch_quickly(self, RING3_THREAD_READY))
        thread_requeue(self, RING3_YIELDS);
}

/* From now on another worker may run it. */
static void stack_left(void *at)
{
    struct thread *const thread = at;

    /* Pairs with the acquires in go_where, idle.c and balance.c. */
    ring3_store(&thread->on_stack, 0, RING3_RELEASE);
}

void thread_requeue(struct thread *self, ring3_why_t why)
{
    struct worker *const worker = self->worker;
    const int saved = errno;
    struct thread *next;
    int64_t now;

    worker_hold(worker);
    now = time_if_kept();
    if (runtime.timed && thread_charge(worker, self, now) && why == RING3_PREEMPTED)
        why = RING3_EXPIRED;
    if (why == RING3_YIELDS && runtime.policy->yield) {
        struct worker *const home = home_of(worker, self);

        lock_queue(home);
        runtime.policy->yield(home->queue, &self->entity, now);
        unlock_queue(home);
    }
    ring3_store(&worker->preempt_asked, 0, RING3_RELAXED);
    empty_inbox(worker, now);
    if (ring3_unlikely(self->migrates))
        ring3_store(&self->on_stack, 1, RING3_RELAXED); /* the queue's lock publishes it */
    enqueue(worker, self, why, now);
    next = choose(worker, now);
    if (next == self) {
        ring3_store(&self->on_stack, 0, RING3_RELAXED);
        start_running(worker, self, now);
    } else {
        if (why == RING3_YIELDS)
            count(&self->voluntary, 1);
        else
            count(&self->involuntary, 1);
        go(worker, &self->context, next, now, self->migrates ? stack_left : NULL, self);
    }
    worker_let_go(ring3_load(&self->worker, RING3_RELAXED)); /* perhaps another one */
    errno_put(saved);
}

void thread_give_way(struct thread *self, bool lowered)
{
    struct worker *const worker = self->worker;

    if (runtime.preemptive && waiting_for(worker) > 0 &&
        (ring3_load(&worker->preempt_asked, RING3_RELAXED) ||
         (lowered && runtime.policy->check_preempt)))
        thread_requeue(self, RING3_PREEMPTED);
}

/* Is the turn of the thread that was interrupted over? */
static bool turn_is_over(struct worker *worker, struct thread *self, int64_t now)
{
    bool over;

    empty_inbox(worker, now);
    (void)timers_expire(worker, now);
    over = thread_charge(worker, self, now);
    /* Somebody more urgent may have come; the queue knows who is first. */
    if (ring3_load(&worker->preempt_asked, RING3_RELAXED) && runtime.policy->check_preempt)
        over = true;
    return over && waiting_for(worker) > 0;
}

void thread_interrupted(struct thread *self)
{
    struct worker *const worker = self->worker;

    if (!turn_is_over(worker, self, runtime_clock()))
        return;
    /* The handler's mark is this thread's, and must not stay while another runs. A signal in between
     * finds the program interrupted here, which is as good a place. */
    figures_preempted();
    worker->busy--;
    self->interrupted = true;
    thread_requeue(self, RING3_EXPIRED);
    self->interrupted = false;
    worker->busy++;
}

/* --- Threads that stay with their carriers ---------------------------------------------------- */

static void hold(struct worker *worker, struct thread *thread)
{
    struct thread **last = &worker->held;

    while (*last)
        last = &(*last)->next;
    thread->next = NULL;
    *last = thread;
}

static void unhold(struct worker *worker, const struct thread *thread)
{
    for (struct thread **at = &worker->held; *at; at = &(*at)->next)
        if (*at == thread) {
            *at = thread->next;
            return;
        }
}

/*
 * Without a spare the worker can only go to a thread that has a kernel thread of its own: the one that
 * has waited longest. So if threads wait inside a library for what a held one has locked there, that
 * one runs in the end, however few spares there are.
 */
static struct thread *next_held(struct worker *worker, int64_t now)
{
    struct thread *const next = worker->held;

    lock_queue(worker);
    runtime.policy->dequeue(worker->queue, &next->entity, now);
    next->in_queue = false;
    set_queued(worker, worker->queued - 1);
    unlock_queue(worker);
    return next;
}

void thread_interrupted_elsewhere(struct thread *self)
{
    struct worker *const worker = self->worker;
    struct carrier *const carrier = worker->carrier;
    const int64_t now = runtime_clock();
    struct thread *next = NULL;
    struct carrier *to;

    if (!turn_is_over(worker, self, now))
        return;
    to = spare_take();
    if (!to && !worker->held) {
        ring3_store(&worker->preempt_asked, 1, RING3_RELAXED);
        return;
    }
    ring3_store(&worker->preempt_asked, 0, RING3_RELAXED);
    if (!to) {
        next = next_held(worker, now);
        to = next->carrier;
    }
    figures_preempted();
    count(&self->involuntary, 1);
    self->carrier = carrier;
    hold(worker, self);
    enqueue(worker, self, RING3_EXPIRED, now);
    set_current(worker, NULL, now);
    worker->busy--; /* the handler's mark */
    worker_here_set(NULL);
    ring3_self_set(carrier->kernel_self);
    carrier_give(to, worker);
    carrier_wait(carrier);
    thread_resumed(worker, self);
}

void thread_resumed(struct worker *worker, struct thread *thread)
{
    unhold(worker, thread);
    thread->carrier = NULL;
    ring3_self_set(&thread->self);
    start_running(worker, thread, time_if_kept());
}

void thread_left_behind(struct worker *worker, struct thread *thread)
{
    const int64_t now = time_if_kept();

    stop_running(worker, thread, now);
    set_state(thread, RING3_THREAD_BLOCKED);
    count(&thread->voluntary, 1);
    note_current(worker, NULL, now);
}

int thread_wait(struct thread *self, int64_t at)
{
    const bool reads = ring3_unlikely(self->self.reader) && ring3_rcu_reading(RING3_RCU_QSBR);
    const int saved = errno;
    struct worker *worker;
    int64_t now;

    if (at == 0 && !reads && switch_quickly(self, RING3_THREAD_BLOCKED))
        return 0;
    /* It may sleep for long: nobody shall wait for it. */
    if (ring3_unlikely(reads))
        ring3_qsbr_offline();
    worker = self->worker;
    worker_hold(worker);
    now = time_if_kept();
    self->timed_out = false;
    if (at > 0)
        timer_add(worker, self, at);
    stop_running(worker, self, now);
    set_state(self, RING3_THREAD_BLOCKED);
    count(&self->voluntary, 1);
    go(worker, &self->context, choose(worker, now), now, published, self);
    woken(self);
    leave(self);
    if (ring3_unlikely(reads))
        ring3_qsbr_online();
    errno_put(saved);
    return self->timed_out ? -ETIMEDOUT : 0;
}
