/* SPDX-License-Identifier: MIT */
/* What a burst leaves behind, once everybody sleeps. */
#include "work.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, KEPT = 1024 };

static pthread_barrier_t emptied, over;

struct burst {
    uint64_t random, turns;
};

/* Objects of 16 to 527 bytes, all but one in KEPT freed again. Then the thread sleeps. */
static void *burst(void *argument)
{
    struct burst *const mine = argument;
    struct work_object **const object = malloc(mine->turns * sizeof *object);

    if (!object)
        exit(1);
    for (uint64_t i = 0; i < mine->turns; i++) {
        object[i] = work_new(16 + work_random(&mine->random) % 512);
        for (uint64_t at = sizeof **object; at + 1 < object[i]->size; at += 64)
            ((volatile char *)object[i])[at] = 1;
    }
    for (uint64_t i = 0; i < mine->turns; i++)
        if (i % KEPT)
            work_free(object[i]);
    pthread_barrier_wait(&emptied);
    pthread_barrier_wait(&over);
    for (uint64_t i = 0; i < mine->turns; i += KEPT)
        work_free(object[i]);
    free(object);
    return NULL;
}

static long resident_kb(void)
{
    FILE *const file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

uint64_t work_idle(uint64_t turns)
{
    const struct timespec second = {1, 0};
    struct burst bursts[THREADS];
    pthread_t thread[THREADS];

    pthread_barrier_init(&emptied, NULL, THREADS + 1);
    pthread_barrier_init(&over, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        bursts[i] = (struct burst){0x9e3779b97f4a7c15 * (uint64_t)(i + 1), turns / THREADS};
        if (pthread_create(&thread[i], NULL, burst, &bursts[i]) != 0)
            exit(1);
    }
    pthread_barrier_wait(&emptied);
    nanosleep(&second, NULL);
    fprintf(stderr, "metric idle_rss_kb %ld\n", resident_kb());
    pthread_barrier_wait(&over);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return turns / THREADS * THREADS;
}
