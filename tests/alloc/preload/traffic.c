/* SPDX-License-Identifier: MIT */
/* 64 threads that swap blocks through shelves, so that most are freed by another thread than the one
 * that allocated them. What is in a block tells whether it was touched meanwhile. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 64, SHELVES = 256 };

struct parcel {
    size_t size;
    unsigned char content, text[];
};

static struct parcel *shelves[SHELVES];
static long rounds;
static int damaged;

static struct parcel *pack(unsigned *seed)
{
    const size_t size = (size_t)rand_r(seed) % (rand_r(seed) % 50 ? 600 : 100000);
    struct parcel *const parcel = malloc(sizeof *parcel + size);

    if (!parcel)
        abort();
    parcel->size = size;
    parcel->content = (unsigned char)rand_r(seed);
    memset(parcel->text, parcel->content, size);
    return parcel;
}

static void unpack(struct parcel *parcel)
{
    for (size_t i = 0; parcel && i < parcel->size; i++)
        if (parcel->text[i] != parcel->content)
            __atomic_store_n(&damaged, 1, __ATOMIC_RELAXED);
    free(parcel);
}

static void *live(void *number)
{
    unsigned seed = (unsigned)(uintptr_t)number;

    for (long i = 0; i < rounds; i++) {
        struct parcel *const mine = pack(&seed);

        unpack(__atomic_exchange_n(&shelves[rand_r(&seed) % SHELVES], mine, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];

    rounds = argc > 1 ? atol(argv[1]) : 500;
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, live, (void *)(i + 1)) != 0)
            return 2;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SHELVES; i++)
        unpack(shelves[i]);
    puts(damaged ? "damaged" : "whole");
    return damaged;
}
