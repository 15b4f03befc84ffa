/* SPDX-License-Identifier: MIT */
/* Per-CPU counters: see ring3/counter.h. */
#include "ring3/counter.h"

#include "ring3/atomic.h"

#include <stdbool.h>
#include <sys/rseq.h>

/* Where a debugger steps, or signals rain, a restartable sequence may never come to its end. */
#define ATTEMPTS 8

/* True if it was added without an atomic operation. A part is added to in one way only: all threads
 * of the process have restartable sequences, or none. */
static bool add_on_cpu(ring3_counter_t *counter, uint64_t value)
{
#ifdef RING3_HAVE_RSEQ
    for (int i = 0; i < ATTEMPTS; i++) {
        const uint32_t cpu = (uint32_t)ring3_cpu();

        if (cpu >= RING3_COUNTER_PARTS)
            return false;
        if (ring3_likely(ring3_rseq_add(__rseq_offset, cpu, &counter->part[cpu].count, value)))
            return true;
    }
#else
    (void)counter;
    (void)value;
#endif
    return false;
}

void ring3_counter_add(ring3_counter_t *counter, int64_t value)
{
#ifdef RING3_HAVE_RSEQ
    const bool atomically = ring3_load(&ring3_arch.no_rseq, RING3_RELAXED);
#else
    const bool atomically = true;
#endif
    uint64_t *word = &counter->rest.count;

    if (ring3_unlikely(atomically)) {
        const uint32_t cpu = (uint32_t)ring3_cpu();

        if (cpu < RING3_COUNTER_PARTS)
            word = &counter->part[cpu].count;
    } else if (ring3_likely(add_on_cpu(counter, (uint64_t)value))) {
        return;
    }
    (void)ring3_fetch_add(word, (uint64_t)value, RING3_RELAXED);
}

int64_t ring3_counter_sum(const ring3_counter_t *counter)
{
    uint64_t sum = ring3_load(&counter->rest.count, RING3_RELAXED);

    for (int i = 0; i < RING3_COUNTER_PARTS; i++)
        sum += ring3_load(&counter->part[i].count, RING3_RELAXED);
    return (int64_t)sum;
}
