/* SPDX-License-Identifier: MIT */
/*
 * One fast path, many times, for counting its instructions: instructions OPERATION TURNS
 * Without arguments it lists the operations. A new one is a function and a line in the table.
 */
#include "bodies.h"

#include "ring3/mutex.h"
#include "ring3/spinlock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void mutex(long turns)
{
    static ring3_mutex_t lock = RING3_MUTEX_INIT;

    while (turns-- > 0) {
        ring3_mutex_lock(&lock);
        ring3_mutex_unlock(&lock);
    }
}

static void spinlock(ring3_spinlock_algorithm_t algorithm, long turns)
{
    static ring3_spinlock_t lock;

    ring3_spinlock_init(&lock, algorithm, RING3_WAIT_ADAPTIVE);
    while (turns-- > 0) {
        ring3_spinlock_lock(&lock);
        ring3_spinlock_unlock(&lock);
    }
}

static void spinlock_tas(long turns)
{
    spinlock(RING3_SPINLOCK_TAS, turns);
}
static void spinlock_ttas(long turns)
{
    spinlock(RING3_SPINLOCK_TTAS, turns);
}
static void spinlock_backoff(long turns)
{
    spinlock(RING3_SPINLOCK_BACKOFF, turns);
}
static void spinlock_ticket(long turns)
{
    spinlock(RING3_SPINLOCK_TICKET, turns);
}
static void spinlock_mcs(long turns)
{
    spinlock(RING3_SPINLOCK_MCS, turns);
}

/* --- User-level threads, on one worker --------------------------------------------------------- */

static void begin(void)
{
    if (ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1, .policy = "rr"}))
        abort();
}

static ring3_thread_t start(void *(*body)(void *))
{
    ring3_thread_t thread;

    if (ring3_thread_create(&thread, NULL, body, NULL))
        abort();
    return thread;
}

static void end(ring3_thread_t thread)
{
    if (ring3_thread_join(thread, NULL))
        abort();
}

/* There and back. */
static void thread_yield(long turns)
{
    begin();
    const ring3_thread_t other = start(yield_until_over);

    while (turns-- > 0)
        ring3_thread_yield();
    ring3_store(&over, 1, RING3_RELAXED);
    end(other);
}

static void thread_create(long turns)
{
    begin();
    while (turns-- > 0)
        end(start(nothing));
}

static void chan_round_trip(long turns)
{
    long item = 0;

    begin();
    (void)ring3_chan_init(&there, sizeof item, 0, NULL);
    (void)ring3_chan_init(&back, sizeof item, 0, NULL);
    const ring3_thread_t other = start(echo);

    while (turns-- > 0) {
        (void)ring3_chan_send(&there, &item, NULL);
        (void)ring3_chan_receive(&back, &item, NULL);
    }
    (void)ring3_chan_close(&there);
    end(other);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void malloc_of(size_t size, long turns)
{
    while (turns-- > 0)
        free(malloc(size));
}

static void malloc_64(long turns)
{
    malloc_of(64, turns);
}
static void malloc_4096(long turns)
{
    malloc_of(4096, turns);
}

static const struct operation {
    const char *name;
    void (*run)(long turns);
} operations[] = {
    {"mutex", mutex},
    {"spinlock-tas", spinlock_tas},
    {"spinlock-ttas", spinlock_ttas},
    {"spinlock-backoff", spinlock_backoff},
    {"spinlock-ticket", spinlock_ticket},
    {"spinlock-mcs", spinlock_mcs},
    {"thread-yield", thread_yield},
    {"thread-create", thread_create},
    {"chan-round-trip", chan_round_trip},
    {"malloc-64", malloc_64}, /* names with malloc are counted under libring3-malloc.so */
    {"malloc-4096", malloc_4096},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (argc == 1)
            puts(operations[i].name);
        else if (argc == 3 && strcmp(argv[1], operations[i].name) == 0) {
            operations[i].run(atol(argv[2]));
            return 0;
        }
    return argc == 1 ? 0 : 2;
}
