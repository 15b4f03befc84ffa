/* SPDX-License-Identifier: MIT */
/*
 * Programs that hang: two threads that wait for each other, and one that nobody tells. They end by
 * an alarm. Knows nothing of ring3.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;

static void *lock_both(void *first)
{
    pthread_mutex_lock(first);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(first == &a ? &b : &a);
    return NULL;
}

static void *wait_for_ever(void *unused)
{
    pthread_mutex_lock(&a);
    for (;;)
        pthread_cond_wait(&cond, &a);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread[2];

    alarm(argc > 2 ? (unsigned)atoi(argv[2]) : 60);
    pthread_barrier_init(&both, NULL, 2);
    if (argc > 1 && strcmp(argv[1], "circle") == 0) {
        pthread_create(&thread[0], NULL, lock_both, &a);
        pthread_create(&thread[1], NULL, lock_both, &b);
        pthread_join(thread[0], NULL);
    } else {
        pthread_create(&thread[0], NULL, wait_for_ever, NULL);
        pthread_join(thread[0], NULL);
    }
    return 0;
}
