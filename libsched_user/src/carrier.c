/* SPDX-License-Identifier: MIT */
/*
 * Carriers: the kernel threads below, and how a worker passes from one to another.
 *
 *     carrier K serves worker W, whose thread U was interrupted inside malloc
 *     K   queues U, gives W to a spare S, and sleeps in the signal handler, in the midst of malloc
 *     S   serves W: runs whoever is first in its queue
 *     S   finds that U is first: gives W to K, and is a spare again
 *     K   wakes up and returns from the handler: U goes on where it was
 *
 * So the locks and thread-local variables of a library stay with the kernel thread that uses them. A
 * thread that stops of its own accord is held by no carrier, and goes on in whichever serves its worker.
 *
 * Publication: who gives a worker away stores `given` with release, after all that it did as the
 * worker; who receives it loads it with acquire.
 *
 * Source: Shiina et al., "Lightweight preemptive user-level threads", PPoPP 2021 (KLT-switching).
 */
#include "schedule.h"

#include "ring3/io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The idle context of the first carrier runs policy code and little else. */
#define IDLE_STACK ((size_t)64 << 10)

/* A spare that has had nothing to do for so long ends, if it is not the only one, ns. */
#define SPARE_REST RING3_SECOND_NS

enum { NOTHING, WORKER, THE_END };

/* The carrier that this kernel thread is, or NULL. Used only outside of user threads, or by those that are held. */
static __thread struct carrier *carrier_here __attribute__((tls_model("initial-exec")));

static struct {
    struct kernel_lock lock;
    struct carrier *spares;
    uint32_t count;       /* written under the lock */
    uint32_t wanted;      /* 1: the maker shall make one; it sleeps on this word */
    uint32_t coming_home; /* 1: the main thread waits for the first carrier */
    struct thread *main;
    uint32_t maker; /* 1: it runs */
} all;

/* --- Giving and waiting ----------------------------------------------------------------------- */

static void give(struct carrier *carrier, uint32_t what)
{
    /* Pairs with the acquire in wait_given. */
    ring3_store(&carrier->given, what, RING3_RELEASE);
    (void)ring3_futex_wake(&carrier->given, 1, RING3_PRIVATE);
}

void carrier_give(struct carrier *carrier, struct worker *worker)
{
    (void)ring3_fetch_add(&runtime.handed_over, 1, RING3_RELAXED);
    carrier->worker = worker;
    give(carrier, WORKER);
}

/* What it was given; NOTHING when the time is over. */
static uint32_t wait_given(struct carrier *carrier, const struct timespec *deadline)
{
    uint32_t what;

    /* Pairs with the release in give. */
    while ((what = ring3_load(&carrier->given, RING3_ACQUIRE)) == NOTHING)
        if (ring3_futex_wait(&carrier->given, NOTHING, RING3_PRIVATE, CLOCK_MONOTONIC, deadline) ==
            -ETIMEDOUT)
            break;
    return what;
}

/* From now on the worker's signals and locks are those of this kernel thread. */
static void begin_to_serve(struct carrier *carrier, struct worker *worker)
{
    ring3_store(&carrier->given, NOTHING, RING3_RELAXED);
    worker_here_set(worker);
    worker->carrier = carrier;
    worker->cpu = (uint32_t)ring3_cpu();
    ring3_store(&worker->kernel_id, carrier->kernel_id, RING3_RELAXED);
}

void carrier_wait(struct carrier *carrier)
{
    (void)wait_given(carrier, NULL);
    carrier->worker->busy++;
    ring3_compiler_barrier();
    begin_to_serve(carrier, carrier->worker);
}

/* --- Spares ----------------------------------------------------------------------------------- */

struct carrier *spare_take(void)
{
    struct carrier *carrier;

    kernel_lock(&all.lock);
    carrier = all.spares;
    if (carrier) {
        all.spares = carrier->next_spare;
        ring3_store(&all.count, all.count - 1, RING3_RELAXED);
        carrier->spare = false;
    }
    kernel_unlock(&all.lock);
    return carrier;
}

bool spare_put(struct carrier *carrier)
{
    bool more;

    kernel_lock(&all.lock);
    /* carriers_end sets it before it takes the lock and ends all spares. */
    more = !ring3_load(&runtime.ending, RING3_SEQ_CST);
    if (more) {
        carrier->next_spare = all.spares;
        all.spares = carrier;
        ring3_store(&all.count, all.count + 1, RING3_RELAXED);
        carrier->spare = true;
    }
    kernel_unlock(&all.lock);
    return more;
}

/* Nobody needed it for long. False if it has just been taken, or is the last one. */
static bool retire(struct carrier *carrier)
{
    bool done = false;

    kernel_lock(&all.lock);
    if (carrier->spare && all.count > 1 && carrier != runtime.first) {
        struct carrier **at = &all.spares;

        while (*at != carrier)
            at = &(*at)->next_spare;
        *at = carrier->next_spare;
        ring3_store(&all.count, all.count - 1, RING3_RELAXED);
        done = true;
    }
    kernel_unlock(&all.lock);
    return done;
}

/* The next worker to serve; NULL: it shall end. */
static struct worker *wait_as_spare(struct carrier *carrier)
{
    /* Pairs with the release in give, after which the memory is ours to free. */
    while (ring3_load(&carrier->given, RING3_ACQUIRE) != THE_END) {
        const struct timespec limit = ring3_deadline_in(CLOCK_MONOTONIC, SPARE_REST);

        if (wait_given(carrier, &limit) == WORKER)
            return carrier->worker;
        if (ring3_load(&carrier->given, RING3_RELAXED) == NOTHING && retire(carrier))
            return NULL;
    }
    return NULL;
}

void spare_wanted(void)
{
    if (ring3_load(&all.wanted, RING3_RELAXED) || ring3_load(&all.count, RING3_RELAXED) > 0)
        return;
    /* Pairs with the acquire in make_spares. */
    ring3_store(&all.wanted, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&all.wanted, 1, RING3_PRIVATE);
}

/* --- Serving ---------------------------------------------------------------------------------- */

/* Serve it until another carrier should, and wait for the next; NULL: the end. */
static struct worker *serve(struct carrier *carrier, struct worker *worker)
{
    struct thread *next;

    begin_to_serve(carrier, worker);
    if (!worker_idle(worker)) {
        worker_here_set(NULL);
        return NULL;
    }
    next = worker->handing;
    worker->handing = NULL;
    worker_here_set(NULL);
    /* Before the worker goes: it may soon need us. */
    if (!spare_put(carrier))
        return NULL;
    carrier_give(next->carrier, worker);
    return wait_as_spare(carrier);
}

static void enter(struct carrier *carrier)
{
    carrier_here = carrier;
    carrier->kernel_self = ring3_self();
    carrier->kernel_id = (int)syscall(SYS_gettid);
    mask_of_carrier(carrier);
    (void)ring3_stack_watch(); /* without it, overflows are not told */
}

static void *carrier_main(void *at)
{
    struct carrier *const carrier = at;
    struct worker *worker = carrier->worker;
    struct worker *const bound = worker && worker->bound ? worker : NULL;

    enter(carrier);
    if (!worker && spare_put(carrier))
        worker = wait_as_spare(carrier);
    while (worker)
        worker = serve(carrier, worker);
    if (bound)
        worker_free(bound);
    carrier_free(carrier);
    /* Pairs with the acquire in carriers_end. */
    if (ring3_fetch_sub(&runtime.carriers, 1, RING3_RELEASE) == 1)
        (void)ring3_futex_wake(&runtime.carriers, 1, RING3_PRIVATE);
    return NULL;
}

void carrier_free(struct carrier *carrier)
{
    if (carrier->idle_stack) {
        ring3_context_fini(&carrier->idle);
        (void)ring3_stack_put(carrier->idle_stack);
    }
    free(carrier);
}

static struct carrier *carrier_new(struct worker *worker)
{
    struct carrier *const carrier = calloc(1, sizeof *carrier);

    if (carrier)
        carrier->worker = worker;
    return carrier;
}

static int start_kernel_thread(void *(*body)(void *), void *arg)
{
    pthread_t kernel_thread;
    pthread_attr_t attr;
    sigset_t every, old;
    int err;

    if (pthread_attr_init(&attr) != 0)
        return -EAGAIN;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    /* The program's handlers run in the threads that it made itself. */
    (void)sigfillset(&every);
    (void)sigdelset(&every, SIGURG);
    (void)sigdelset(&every, SIGSEGV);
    (void)sigdelset(&every, SIGBUS);
    (void)ring3_fetch_add(&runtime.carriers, 1, RING3_RELAXED);
    if (runtime.options.dump_signal)
        (void)sigdelset(&every, runtime.options.dump_signal);
    (void)pthread_sigmask(SIG_BLOCK, &every, &old);
    err = pthread_create(&kernel_thread, &attr, body, arg);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    if (err)
        (void)ring3_fetch_sub(&runtime.carriers, 1, RING3_RELAXED);
    return err ? -EAGAIN : 0;
}

int carrier_start(struct worker *worker)
{
    struct carrier *const carrier = carrier_new(worker);
    int err;

    if (!carrier)
        return -EAGAIN;
    err = start_kernel_thread(carrier_main, carrier);
    if (err)
        free(carrier);
    return err;
}

/* --- The first -------------------------------------------------------------------------------- */

static void idle_of_first(void *at)
{
    struct carrier *const carrier = at;
    struct worker *worker = carrier->worker;

    worker->busy--; /* of the thread that switched here */
    while (worker)
        worker = serve(carrier, worker);
    /* The runtime ends: the main thread comes back to the kernel thread that it began on. */
    while (!ring3_load(&all.coming_home, RING3_ACQUIRE)) /* pairs with the release in come_home */
        (void)ring3_futex_wait(&all.coming_home, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    ring3_context_switch(&carrier->idle, &all.main->context, NULL, NULL);
    abort(); /* nobody switches back */
}

struct carrier *carrier_of_main(struct worker *worker)
{
    struct carrier *const carrier = carrier_new(worker);

    if (!carrier)
        return NULL;
    if (ring3_stack_get(IDLE_STACK, "the idle context", &carrier->idle_stack) != 0) {
        free(carrier);
        return NULL;
    }
    (void)ring3_context_init(&carrier->idle, carrier->idle_stack->base, carrier->idle_stack->size,
                             idle_of_first, carrier, 0);
    enter(carrier);
    begin_to_serve(carrier, worker);
    return carrier;
}

/* On the stack of the carrier that served the main thread so far. */
static void come_home(void *at)
{
    all.main = at;
    ring3_store(&all.coming_home, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&all.coming_home, 1, RING3_PRIVATE);
}

void carriers_end(struct thread *self)
{
    struct worker *const worker = self->worker;
    struct carrier *spare;
    uint32_t left;

    (void)ring3_exchange(&runtime.ending, 1, RING3_SEQ_CST);
    ring3_store(&all.wanted, THE_END, RING3_RELEASE);
    (void)ring3_futex_wake(&all.wanted, 1, RING3_PRIVATE);
    for (unsigned i = 0; i < runtime.workers; i++)
        if (runtime.worker[i])
            worker_kick(runtime.worker[i]);
    while ((spare = spare_take()))
        give(spare, THE_END);
    if (worker->carrier != runtime.first) {
        worker->busy++;
        ring3_self_set(worker->carrier->kernel_self);
        ring3_context_switch(&self->context, &worker->carrier->idle, come_home, self);
        ring3_store(&all.coming_home, 0, RING3_RELAXED);
    }
    /* This is the first carrier. */
    mask_for(runtime.first, NULL);
    (void)ring3_self_switch(runtime.first->kernel_self);
    worker_here_set(NULL);
    carrier_here = NULL;
    /* Pairs with the release in carrier_main. */
    while ((left = ring3_load(&runtime.carriers, RING3_ACQUIRE)) > 0)
        (void)ring3_futex_wait(&runtime.carriers, left, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    ring3_store(&all.maker, 0, RING3_RELAXED);
    ring3_store(&all.wanted, 0, RING3_RELAXED);
}

/* --- The maker of spares ---------------------------------------------------------------------- */

/*
 * Making a kernel thread takes locks of libc, which a held thread may have: so neither the monitor nor
 * a worker does it, but a kernel thread that nobody waits for.
 */
static void *make_spares(void *unused)
{
    for (;;) {
        /* Pairs with the release in spare_wanted. */
        const uint32_t wanted = ring3_load(&all.wanted, RING3_ACQUIRE);

        if (wanted == THE_END)
            break;
        if (wanted == 0) {
            (void)ring3_futex_wait(&all.wanted, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
            continue;
        }
        if (ring3_load(&runtime.carriers, RING3_RELAXED) < runtime.carriers_most)
            (void)carrier_start(NULL);
        (void)ring3_cas(&all.wanted, 1, 0, RING3_RELAXED);
    }
    if (ring3_fetch_sub(&runtime.carriers, 1, RING3_RELEASE) == 1)
        (void)ring3_futex_wake(&runtime.carriers, 1, RING3_PRIVATE);
    return unused;
}

int spares_start(void)
{
    int err;

    if (ring3_likely(ring3_load(&all.maker, RING3_RELAXED)) ||
        ring3_exchange(&all.maker, 1, RING3_RELAXED))
        return 0;
    err = start_kernel_thread(make_spares, NULL);
    if (err)
        ring3_store(&all.maker, 0, RING3_RELAXED);
    return err;
}

/* --- Blocking calls --------------------------------------------------------------------------- */

void ring3_blocking_enter(void)
{
    struct thread *const self = thread_here();
    struct worker *const worker = self ? self->worker : NULL;
    struct carrier *const carrier = self ? worker->carrier : NULL;

    if (!self || worker->bound || runtime.options.virtual_clock)
        return;
    worker_hold(worker);
    if (monitor_start(false) != 0 || spares_start() != 0) {
        worker->busy--;
        return; /* then the worker blocks */
    }
    carrier->blocking = self;
    worker_here_set(NULL);
    ring3_self_set(carrier->kernel_self);
    /* Pairs with the compare-and-swap of the monitor, which may have the worker from now on; and with
     * its look before it sleeps. */
    (void)ring3_exchange(&worker->blocked, self, RING3_SEQ_CST);
    monitor_wake();
}

void ring3_blocking_leave(void)
{
    struct carrier *const carrier = carrier_here;
    struct thread *const self = carrier ? carrier->blocking : NULL;
    struct worker *const worker = self ? self->worker : NULL;
    struct thread *seen = self;
    const int saved = errno;

    if (!self)
        return;
    carrier->blocking = NULL;
    /* Pairs with the compare-and-swap of the monitor. */
    if (ring3_cas_try(&worker->blocked, &seen, NULL, RING3_ACQ_REL)) {
        worker_here_set(worker);
        ring3_self_set(&self->self);
    } else {
        self->carrier = carrier;
        thread_ready(self, RING3_WAKES);
        carrier_wait(carrier);
        thread_resumed(worker, self);
    }
    leave(self);
    errno_put(saved);
}

/* --- Fork ------------------------------------------------------------------------------------- */

struct thread *carriers_forked(void)
{
    struct carrier *const carrier = carrier_here;
    struct thread *self = thread_here();

    memset(&all, 0, sizeof all);
    runtime.carriers = 0;
    runtime.first = carrier;
    if (carrier && carrier->blocking) {
        /* It forked between ring3_blocking_enter and _leave: here nobody has its worker. */
        self = carrier->blocking;
        self->worker->blocked = self;
        self->worker->carrier = carrier;
        self->worker->busy = 1;
    }
    return self;
}
