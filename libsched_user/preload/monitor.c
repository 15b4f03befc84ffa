/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a kernel thread that charges those who run while others wait for a place, and
 * interrupts those whose turn is over. It sleeps as long as nobody waits.
 *
 * With a seed turns end at calls only. Somebody who makes none while others wait would keep his
 * place for ever; after PATIENCE_NS he is interrupted all the same, and we say that the run is not
 * what the seed says any more.
 */
#include "gate.h"

#define PATIENCE_NS (RING3_SECOND_NS / 5)
#define STACK_BYTES ((size_t)64 << 10)

void gate_interrupt(struct gated *thread)
{
    const int kernel_id = ring3_load(&thread->kernel_id, RING3_RELAXED);

    if (kernel_id && !gate.seeded)
        (void)tgkill(getpid(), kernel_id, GATE_SIGNAL);
}

void monitor_look(void)
{
    /* Pairs with the exchange in sleep_until. */
    if (!ring3_load(&gate.monitor_kick, RING3_RELAXED) &&
        !ring3_exchange(&gate.monitor_kick, 1, RING3_RELEASE))
        (void)ring3_futex_wake(&gate.monitor_kick, 1, RING3_PRIVATE);
}

/* Interrupt those whose turn is over; when to look again. Under the lock. */
static int64_t look(int64_t now)
{
    int64_t next = FOR_EVER;

    for (unsigned i = 0; i < gate.places; i++) {
        struct gated *const running = gate.running[i];
        int64_t budget = FOR_EVER;

        if (!running)
            continue;
        if (gate_charge(running, now)) {
            ring3_store(&running->expired, 1 + RING3_EXPIRED, RING3_RELAXED);
            gate_interrupt(running);
        }
        if (gate.policy->budget)
            budget = gate.policy->budget(gate.queue, &running->entity, now);
        if (budget < next - now)
            next = now + budget;
    }
    return next;
}

/* The same with a seed. Under the lock. */
static int64_t look_for_silence(int64_t now)
{
    static const struct gated *seen;
    static uint64_t calls;
    static int64_t since;
    struct gated *const running = gate.running[0];

    if (!running || running != seen || ring3_load(&running->calls, RING3_RELAXED) != calls) {
        seen = running;
        calls = running ? ring3_load(&running->calls, RING3_RELAXED) : 0;
        since = now;
        return now + PATIENCE_NS;
    }
    if (now - since < PATIENCE_NS)
        return since + PATIENCE_NS;
    since = now;
    if (!gate.warned) {
        char line[160];
        const int length =
            snprintf(line, sizeof line,
                     "ring3 gate: thread %s makes no calls while others wait: it is interrupted "
                     "now, and the run does not depend on the seed alone any more\n",
                     running->name);

        gate.warned = true;
        (void)!write(STDERR_FILENO, line, (size_t)length);
    }
    ring3_store(&running->expired, 1 + RING3_EXPIRED, RING3_RELAXED);
    (void)tgkill(getpid(), running->kernel_id, GATE_SIGNAL);
    return now + PATIENCE_NS;
}

static void sleep_until(int64_t next)
{
    const struct timespec at = {next / RING3_SECOND_NS, next % RING3_SECOND_NS};

    if (next == FOR_EVER) {
        while (ring3_load(&gate.monitor_kick, RING3_ACQUIRE) == 0)
            (void)ring3_futex_wait(&gate.monitor_kick, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
        return;
    }
    (void)ring3_word_wait(&gate.monitor_kick, 1, RING3_PRIVATE, CLOCK_MONOTONIC, &at);
}

static void *watch(void *unused)
{
    (void)unused;
    gated_self = &gate_gone;
    for (;;) {
        struct timespec clock;
        int64_t next = FOR_EVER;

        (void)real()->clock_gettime(CLOCK_MONOTONIC, &clock);
        gate_lock(NULL);
        /* Who waits from now on, wakes us. */
        if (gate.ready == 0)
            ring3_store(&gate.monitor_kick, 0, RING3_RELAXED);
        else
            next = gate.seeded ? look_for_silence(ns_of(&clock)) : look(ns_of(&clock));
        gate_unlock(NULL);
        sleep_until(next);
    }
    return NULL;
}

void monitor_begin(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    if (gate.monitor_runs || pthread_attr_init(&attr) != 0)
        return;
    (void)sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)real()->pthread_sigmask(SIG_SETMASK, &all, &before);
    gate.monitor_kick = 1;
    gate.monitor_runs = real()->pthread_create(&thread, &attr, watch, NULL) == 0;
    (void)real()->pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
}
