/* SPDX-License-Identifier: MIT */
/* How threads come to the gate and leave it; the handler of its signal; fork. */
#include "gate.h"

/* --- Beginning and end ------------------------------------------------------------------------ */

#define CHUNK_RECORDS 64

static pthread_key_t ending;

struct gated *gate_record(void)
{
    struct gated *thread = gate.spare;

    if (!thread) {
        thread = mmap(NULL, CHUNK_RECORDS * sizeof *thread, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (thread == MAP_FAILED)
            return NULL;
        for (int i = 1; i < CHUNK_RECORDS; i++)
            thread[i].next = i + 1 < CHUNK_RECORDS ? &thread[i + 1] : NULL;
        gate.spare = &thread[1];
    } else {
        gate.spare = thread->next;
    }
    *thread = (struct gated){
        .number = gate.last_number,
        .place = -1,
        .until = FOR_EVER,
        .entity = {.id = gate.last_number,
                   .priority = RING3_PRIORITY_DEFAULT,
                   .weight = 1,
                   .band = RING3_CLASS_FAIR},
    };
    (void)snprintf(thread->name, sizeof thread->name, gate.last_number ? "t%u" : "main",
                   gate.last_number);
    gate.last_number++;
    gate.alive++;
    ring3_list_add_tail(&gate.threads, &thread->all);
    return thread;
}

void gate_forget(struct gated *thread)
{
    ring3_list_remove(&thread->all);
    thread->next = gate.spare;
    gate.spare = thread;
}

void gate_admit(struct gated *thread)
{
    gate_become_ready(gated_self, thread, RING3_ARRIVES);
    gate_dispatch(gated_self);
}

struct gated *gate_find(pthread_t handle)
{
    struct gated *thread;

    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->handle && pthread_equal(thread->handle, handle))
            return thread;
    return NULL;
}

/* The caller runs on without a place. */
static void end(struct gated *me)
{
    gated_self = &gate_gone;
    gate_lock(NULL);

    const int64_t now = gate_now();

    gate_give_up_place(me, now);
    if (gate.policy->block)
        gate.policy->block(gate.queue, &me->entity, now);
    me->state = GATED_ENDED;
    me->ended = true;
    gate.alive--;
    gate_wake_all(NULL, me);
    if (me->detached)
        gate_forget(me);
    gate_dispatch(NULL);
    gate_unlock(NULL);
}

/* Destructors of other keys may still wait for something: leave in the last round. */
static void thread_ends(void *record)
{
    struct gated *const me = record;

    if (me->rounds++ < PTHREAD_DESTRUCTOR_ITERATIONS - 2)
        (void)pthread_setspecific(ending, me);
    else
        end(me);
}

void gate_starts(struct gated *me)
{
    gated_self = me;
    ring3_store(&me->kernel_id, (int)gettid(), RING3_RELAXED);
    (void)pthread_setspecific(ending, me);
}

static void on_signal(int number)
{
    struct gated *const me = gated_self;
    const int saved = errno;

    (void)number;
    if (me && me->inside == 0)
        gate_settle(me);
    errno = saved;
}

void gate_activate(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct gated *me;

    ring3_list_init(&gate.threads);
    for (int i = 0; i < GATE_BUCKETS; i++)
        ring3_list_init(&gate.waiting[i]);
    gate.queue = mmap(NULL, gate.policy->queue_size + 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (gate.queue == MAP_FAILED || pthread_key_create(&ending, thread_ends) != 0 ||
        !(me = gate_record()))
        return; /* it goes on without a gate */
    if (gate.policy->init)
        gate.policy->init(gate.queue, &gate.params);
    (void)sigfillset(&action.sa_mask);
    (void)sigaction(GATE_SIGNAL, &action, NULL);
    me->handle = pthread_self();
    gate_starts(me);
    gate.start = gate_now();
    gate_take_place(me, me, 0, gate.start);
    /* Pairs with the acquire in gate_call. */
    ring3_store(&gate.active, 1, RING3_RELEASE);
}

/* --- fork ------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    if (ring3_load(&gate.active, RING3_RELAXED))
        gate_lock(gated_self);
}

static void after_fork(void)
{
    if (ring3_load(&gate.active, RING3_RELAXED))
        gate_unlock(gated_self);
}

/* The child has one thread: it begins anew, and writes no charts over its parent's. */
static void in_child(void)
{
    kernel_lock_sleepers = 0;
    if (!ring3_load(&gate.active, RING3_RELAXED))
        return;
    gated_self = NULL;
    gate.active = 0;
    gate.lock.word = 0;
    gate.queue = NULL;
    gate.spare = NULL;
    gate.to_wake_count = 0;
    gate.ready = gate.outside = gate.alive = gate.last_number = 0;
    memset(gate.running, 0, sizeof gate.running);
    memset(gate.awaited, 0, sizeof gate.awaited);
    gate.monitor_runs = gate.reported = false;
    gate.slice_count = 0;
    gate.trace[0] = gate.svg[0] = gate.gantt[0] = '\0';
    (void)pthread_key_delete(ending);
    ring3_preempt_enable(ring3_self());
    if (gate.seeded)
        gate_activate();
}

__attribute__((constructor(102))) static void gate_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork, in_child);
}
