/* SPDX-License-Identifier: MIT */
/* Workers: the kernel threads below, and the beginning and end of the runtime. */
#include "runtime.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dump.h"
#include "figures.h"
#include "replay.h"

#include "ring3/env.h"

struct runtime runtime;

/* Kernel threads at most, by default: so many, and two for each worker. */
#define CARRIERS_MOST 64

/* Workers that are no more. Whoever makes a thread ready looks at its worker once more afterwards,
 * when the thread may have run and ended: so their memory stays what it is. */
static struct worker *spare;
static struct kernel_lock spare_lock;

struct worker *worker_new(unsigned index)
{
    struct worker *worker;

    kernel_lock(&spare_lock);
    worker = spare;
    if (worker)
        spare = worker->next_spare;
    kernel_unlock(&spare_lock);
    if (!worker) {
        worker = aligned_alloc(_Alignof(struct worker), sizeof *worker);
        if (!worker)
            return NULL;
        memset(worker, 0, sizeof *worker);
    }
    memset(worker, 0, offsetof(struct worker, inbox));
    ring3_store(&worker->inbox, NULL, RING3_RELAXED);
    ring3_store(&worker->sleeping, 0, RING3_RELAXED);
    ring3_store(&worker->load, 0, RING3_RELAXED);
    worker->index = index;
    worker->next_timer = INT64_MAX;
    worker->queue = calloc(1, runtime.policy->queue_size ? runtime.policy->queue_size : 1);
    if (!worker->queue) {
        worker_free(worker);
        return NULL;
    }
    if (runtime.policy->init)
        runtime.policy->init(worker->queue, &runtime.params);
    if (runtime.options.trace && !(worker->trace = trace_new(runtime.options.trace))) {
        worker_free(worker);
        return NULL;
    }
    return worker;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    while (worker->stacks) {
        ring3_stack_t *const stack = worker->stacks;

        worker->stacks = stack->next;
        (void)ring3_stack_put(stack);
    }
    free(worker->queue);
    worker->queue = NULL;
    trace_free(worker->trace);
    worker->trace = NULL;
    kernel_lock(&spare_lock);
    worker->next_spare = spare;
    spare = worker;
    kernel_unlock(&spare_lock);
}

/* --- The runtime ------------------------------------------------------------------------------ */

static unsigned usable_cpus(void)
{
    cpu_set_t mask;
    unsigned cpus = 1;
    const unsigned quota = size_own_quota();

    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        cpus = (unsigned)CPU_COUNT(&mask);
    cpus = quota && quota < cpus ? quota : cpus;
    return cpus < RING3_RUNTIME_WORKERS ? cpus : RING3_RUNTIME_WORKERS;
}

static int choose_policy(const char *text)
{
    const char *const variable = text ? NULL : ring3_env_get("RING3_SCHED");
    int err;

    err = ring3_policy_parse(variable ? "RING3_SCHED" : "ring3_runtime_start",
                             text       ? text
                             : variable ? variable
                                        : "rr",
                             &runtime.policy, &runtime.params);
    if (runtime.params.auto_quantum)
        ring3_policy_settle(&runtime.params, ring3_policy_preemption_cost());
    /* What the environment says is no reason to fail. */
    if (variable && !runtime.policy)
        runtime.policy = ring3_policy_find("rr");
    return variable ? 0 : err;
}

static void free_workers(void)
{
    if (runtime.first)
        carrier_free(runtime.first);
    runtime.first = NULL;
    for (unsigned i = 0; i < runtime.workers; i++) {
        worker_free(runtime.worker[i]);
        runtime.worker[i] = NULL;
    }
    worker_free(runtime.shared);
    runtime.shared = NULL;
    runtime.workers = 0;
    ring3_store(&runtime.running, 0, RING3_RELAXED);
}

static struct thread *main_thread(struct worker *worker)
{
    struct thread *const thread = table_take(NULL);

    if (!thread)
        return NULL;
    memset(thread, 0, offsetof(struct thread, holders));
    thread_date(thread);
    thread->self.parker = &thread_parker;
    thread->self.id = (UINT32_C(1) << 31) + thread->index;
    thread->name = "main";
    thread->main = thread->started = thread->pinned = true;
    thread->worker = worker;
    thread->entity = (ring3_entity_t){.priority = RING3_PRIORITY_DEFAULT, .weight = 1};
    thread->state = RING3_THREAD_RUNNING;
    return thread;
}

static void main_thread_gone(struct thread *thread)
{
    set_state(thread, RING3_THREAD_ENDED);
    table_give(NULL, thread);
}

int ring3_runtime_start(const ring3_runtime_options_t *options)
{
    static const ring3_runtime_options_t defaults;
    struct worker *first;
    struct thread *thread;
    unsigned workers;
    int err;

    if (ring3_load(&runtime.running, RING3_RELAXED))
        return -EALREADY;
    options = options ? options : &defaults;
    workers = options->workers ? options->workers : usable_cpus();
    if (options->virtual_clock || options->model == RING3_RUNTIME_BOUND)
        workers = options->workers > 1 && options->virtual_clock ? 0 : 1;
    if (workers == 0 || workers > RING3_RUNTIME_WORKERS ||
        (options->model == RING3_RUNTIME_BOUND &&
         (options->virtual_clock || options->global_queue)) ||
        (unsigned)options->balance > RING3_BALANCE_NONE || options->tick < 0)
        return -EINVAL;
    /* Choices are all that depends on time only where one makes them all, when threads say so. */
    if ((options->record || options->replay) &&
        (workers > 1 || options->preempt || options->model == RING3_RUNTIME_BOUND))
        return -EINVAL;
    err = choose_policy(options->policy);
    if (err)
        return err;
    runtime.options = *options;
    if (!options->dump_signal)
        runtime.options.dump_signal = runtime.params.dump_signal;
    if (runtime.options.dump_signal && !dump_may_be(runtime.options.dump_signal))
        return -EINVAL;
    runtime.carriers_most =
        options->kernel_threads ? options->kernel_threads : CARRIERS_MOST + 2 * workers;
    runtime.carriers = 0;
    runtime.handed_over = 0;
    runtime.masks = 0;
    runtime.timed = options->stats || options->cpu_times || options->preempt || options->trace ||
                    options->virtual_clock || (!runtime.policy->list && !runtime.policy->timeless);
    runtime.several = workers > 1 || options->model == RING3_RUNTIME_BOUND;
    runtime.preemptive = options->preempt || options->virtual_clock;
    runtime.quick = !runtime.several && !runtime.timed && options->model == RING3_RUNTIME_SHARED &&
                    runtime.policy->list && !options->record && !options->replay;
    err = replay_start();
    if (err)
        return err;
    runtime.ending = 0;
    runtime.last = NULL;
    runtime.alive = 1;
    runtime.idlers = 0;
    runtime.virtual_now = 0;
    table_reset();
    for (runtime.workers = 0; runtime.workers < workers; runtime.workers++) {
        runtime.worker[runtime.workers] = worker_new(runtime.workers);
        if (!runtime.worker[runtime.workers])
            goto out_of_memory;
    }
    if (options->global_queue && workers > 1 &&
        !(runtime.shared = worker_new(RING3_RUNTIME_WORKERS)))
        goto out_of_memory;
    first = runtime.worker[0];
    runtime.first = carrier_of_main(first);
    thread = runtime.first ? main_thread(first) : NULL;
    if (!thread) {
        worker_here_set(NULL);
        goto out_of_memory;
    }
    first->current = thread;
    first->load = 1;
    first->since = first->slice_from = runtime_clock();
    thread->rare->created = thread->rare->first_run = first->since;
    figures_publish();
    ring3_store(&runtime.running, 1, RING3_RELEASE);
    for (unsigned i = 1; i < workers; i++)
        if (carrier_start(runtime.worker[i]) != 0)
            goto no_threads;
    if (options->preempt && (monitor_start(true) != 0 || spares_start() != 0))
        goto no_threads;
    if (runtime.options.dump_signal && (err = dump_start(runtime.options.dump_signal)) != 0)
        goto no_threads;
    (void)ring3_self_switch(&thread->self);
    return 0;

no_threads:
    monitor_stop();
    carriers_end(thread);
    main_thread_gone(thread);
out_of_memory:
    replay_stop();
    free_workers();
    return err ? err : -EAGAIN;
}

int ring3_runtime_stop(void)
{
    struct thread *const self = thread_here();

    if (!ring3_load(&runtime.running, RING3_ACQUIRE) || !self || !self->main)
        return -EPERM;
    if (ring3_load(&runtime.alive, RING3_ACQUIRE) > 1)
        return -EBUSY;
    dump_stop();
    monitor_stop();
    keys_destroy(self);
    ring3_self_retire(&self->self);
    carriers_end(self);
    main_thread_gone(self);
    poller_forget();
    replay_stop();
    free_workers();
    return 0;
}

unsigned ring3_runtime_workers(void)
{
    return ring3_load(&runtime.running, RING3_ACQUIRE) ? runtime.workers : 0;
}

int ring3_runtime_stats(ring3_runtime_stats_t *stats)
{
    if (!ring3_load(&runtime.running, RING3_ACQUIRE))
        return -EINVAL;
    *stats = (ring3_runtime_stats_t){
        .workers = runtime.workers,
        .threads = ring3_load(&runtime.alive, RING3_RELAXED),
        .kernel_threads = ring3_load(&runtime.carriers, RING3_RELAXED) + 1,
        .handed_over = ring3_load(&runtime.handed_over, RING3_RELAXED),
        .choices = runtime.replays ? replay_choices() : 0,
        .diverged = runtime.replays ? replay_diverged() : 0,
    };
    return 0;
}

int64_t ring3_runtime_now(void)
{
    return runtime_clock();
}

/* --- Fork ------------------------------------------------------------------------------------- */

/* The child has this kernel thread alone, and of the user threads the one that forked: as on a
 * fresh worker 0. What the others had is lost, not freed. */
static void start_over_after_fork(void)
{
    struct worker *worker;
    struct thread *self;

    kernel_lock_sleepers = 0;
    if (!ring3_load(&runtime.running, RING3_RELAXED))
        return;
    self = carriers_forked();
    runtime.table_lock.word = 0;
    spare_lock.word = 0;
    spare = NULL;
    poller_forget();
    monitor_forked();
    dump_forked();
    replay_forked();
    if (!self) {
        runtime.running = 0;
        return;
    }
    worker = self->worker;
    memset(worker->queue, 0, runtime.policy->queue_size);
    if (runtime.policy->init)
        runtime.policy->init(worker->queue, &runtime.params);
    worker->lock.word = 0;
    worker->inbox = NULL;
    worker->queued = 0;
    worker->load = 1;
    worker->sleeping = 0;
    worker->timers = (ring3_rbtree_t){.root = NULL};
    worker->next_timer = INT64_MAX;
    worker->free = NULL;
    worker->carrier->kernel_id = worker->kernel_id = (int)syscall(SYS_gettid);
    worker->held = worker->handing = worker->awaited = NULL;
    worker->bound = false;
    runtime.worker[0] = worker;
    worker->index = 0;
    runtime.workers = 1;
    runtime.shared = NULL;
    runtime.idlers = 0;
    self->shared = self->migrates = false;
    runtime.several = false;
    runtime.quick = false;
    runtime.alive = 1;
    runtime.options.preempt = false; /* its monitor is not here */
    self->main = true;
    self->joiner = JOINER_DETACHED; /* who waited for it is not here */
    table_forked(self);
}

__attribute__((constructor)) static void runtime_prepare(void)
{
    (void)pthread_atfork(NULL, NULL, start_over_after_fork);
}
