/* SPDX-License-Identifier: MIT */
/*
 * The bounded buffer: producers wait for room, consumers for items, by two semaphores, and a mutex
 * keeps the buffer whole. The mutex comes after the semaphore: whoever slept with it in hand would
 * keep out the one who is to wake him.
 */
#include <ring3/mutex.h>
#include <ring3/sem.h>

#include <pthread.h>
#include <stdio.h>

enum { SLOTS = 8, WORKERS = 3, ITEMS = 1000 };

static int slots[SLOTS], next_in, next_out;
static ring3_mutex_t mutex = RING3_MUTEX_INIT;
static ring3_sem_t empty, full;
static long sum;

static void *produce(void *unused)
{
    for (int item = 1; item <= ITEMS; item++) {
        ring3_sem_wait(&empty);
        ring3_mutex_lock(&mutex);
        slots[next_in] = item;
        next_in = (next_in + 1) % SLOTS;
        ring3_mutex_unlock(&mutex);
        ring3_sem_post(&full);
    }
    return unused;
}

static void *consume(void *unused)
{
    for (int i = 0; i < ITEMS; i++) {
        ring3_sem_wait(&full);
        ring3_mutex_lock(&mutex);
        sum += slots[next_out];
        next_out = (next_out + 1) % SLOTS;
        ring3_mutex_unlock(&mutex);
        ring3_sem_post(&empty);
    }
    return unused;
}

int main(void)
{
    pthread_t thread[2 * WORKERS];

    ring3_sem_init(&empty, SLOTS, SLOTS, RING3_PRIVATE);
    ring3_sem_init(&full, 0, SLOTS, RING3_PRIVATE);
    for (int i = 0; i < 2 * WORKERS; i++)
        pthread_create(&thread[i], NULL, i % 2 ? produce : consume, NULL);
    for (int i = 0; i < 2 * WORKERS; i++)
        pthread_join(thread[i], NULL);
    printf("%d items went through %d slots, their sum is %ld\n", WORKERS * ITEMS, SLOTS, sum);
    return 0;
}
