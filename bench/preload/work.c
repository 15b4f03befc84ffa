/* SPDX-License-Identifier: MIT */
/*
 * Work for pthread locks: preload-work PATTERN COUNT. Prints how many operations it did. Knows
 * nothing of ring3; the locks are those that are preloaded.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long count, turn;
static volatile long counter;

static void *alone(void *me)
{
    (void)me;
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

/* Two locks, one in the other: a chain for lockdep. */
static void *nested(void *me)
{
    (void)me;
    for (long i = 0; i < count; i += 2) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&inner);
        counter++;
        pthread_mutex_unlock(&inner);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *contended(void *me)
{
    (void)me;
    for (long i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        for (volatile int pause = 0; pause < 100; pause++)
            ;
    }
    return NULL;
}

static void *readers(void *me)
{
    for (long i = (long)me; i < count + (long)me; i++) {
        if (i % 100 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            counter++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void *turns(void *me)
{
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < count; i++) {
        while (turn % 2 != (long)me)
            pthread_cond_wait(&turned, &mutex);
        turn++;
        pthread_cond_signal(&turned);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static const struct {
    const char *name;
    void *(*body)(void *me);
    int threads;
} patterns[] = {
    {"alone", alone, 1},     {"nested", nested, 1}, {"contended", contended, 8},
    {"readers", readers, 8}, {"turns", turns, 2},
};

int main(int argc, char **argv)
{
    pthread_t thread[8];

    if (argc != 3)
        return 2;
    count = strtol(argv[2], NULL, 10);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (strcmp(patterns[i].name, argv[1]) != 0)
            continue;
        for (long me = 0; me < patterns[i].threads; me++)
            if (pthread_create(&thread[me], NULL, patterns[i].body, (void *)me) != 0)
                return 1;
        for (int me = 0; me < patterns[i].threads; me++)
            pthread_join(thread[me], NULL);
        printf("%ld\n", count * patterns[i].threads);
        return 0;
    }
    return 2;
}
