/* SPDX-License-Identifier: MIT */
#include "exclusion.h"

#include "ring3_test.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define THREADS_MAX 256

/* One run at a time, so its state may be global; plain words, so that TSan sees a missing order. */
static struct {
    void (*acquire)(int tid), (*release)(int tid);
    int rounds;
    pthread_barrier_t start;
    long count, intruders;
    int inside;
} run;

static void *contend(void *number)
{
    const int tid = (int)(intptr_t)number;

    pthread_barrier_wait(&run.start);
    for (int i = 0; i < run.rounds; i++) {
        run.acquire(tid);
        run.inside = tid;
        run.count++;
        /* Now and then the holder loses its CPU. */
        if (i % 64 == 63)
            sched_yield();
        if (run.inside != tid)
            run.intruders++;
        run.release(tid);
    }
    return NULL;
}

struct exclusion_result run_exclusion(void (*acquire)(int tid), void (*release)(int tid),
                                      int threads, int rounds)
{
    pthread_t thread[THREADS_MAX];

    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    run.acquire = acquire;
    run.release = release;
    run.rounds = rounds;
    run.count = run.intruders = 0;
    check_eq(pthread_barrier_init(&run.start, NULL, (unsigned)threads), 0);
    for (int i = 0; i < threads; i++)
        check_eq(pthread_create(&thread[i], NULL, contend, (void *)(intptr_t)i), 0);
    for (int i = 0; i < threads; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    pthread_barrier_destroy(&run.start);
    return (struct exclusion_result){run.count,
                                     run.intruders + ((long)threads * rounds - run.count)};
}

void sleep_ms(int milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* What this process may use; a thread's own set is narrower once it was kept on a CPU. */
static cpu_set_t allowed;

__attribute__((constructor)) static void note_allowed(void)
{
    (void)sched_getaffinity(0, sizeof allowed, &allowed);
}

void stay_on_cpu(int n)
{
    int left = n % CPU_COUNT(&allowed);
    cpu_set_t one;

    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && left-- == 0)
            CPU_SET(cpu, &one);
    check_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

int rounds(int count)
{
    return slow_machine() ? (count + 3) / 4 : count;
}
