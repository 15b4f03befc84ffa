/* SPDX-License-Identifier: MIT */
/*
 * Takes and gives back a lock that nobody else wants, 100,000 times, or a block of memory, between
 * two system calls that mark the stretch in a trace: uncontended mutex|malloc|ALGORITHM
 */
#include "ring3/mutex.h"
#include "ring3/spinlock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 100000

static ring3_mutex_t mutex = RING3_MUTEX_INIT;
static ring3_spinlock_t spinlock;
static ring3_array_slot_t slots[4];

static void use_mutex(void)
{
    ring3_mutex_lock(&mutex);
    ring3_mutex_unlock(&mutex);
    if (ring3_mutex_trylock(&mutex) != 0)
        abort();
    ring3_mutex_unlock(&mutex);
}

static void use_spinlock(void)
{
    ring3_spinlock_lock(&spinlock);
    ring3_spinlock_unlock(&spinlock);
    if (ring3_spinlock_trylock(&spinlock) != 0)
        abort();
    ring3_spinlock_unlock(&spinlock);
}

/* Sixteen blocks of small sizes come and go. */
static void use_malloc(void)
{
    static void *volatile kept[16];
    static unsigned turn;
    const unsigned slot = turn++ % 16;

    free(kept[slot]);
    kept[slot] = malloc(16 + 24 * slot);
    if (!kept[slot])
        abort();
}

static void repeat(void (*use)(void))
{
    for (int i = 0; i < 1000; i++)
        use(); /* whatever is set up on first use */
    (void)getppid();
    for (int i = 0; i < ROUNDS; i++)
        use();
    (void)getppid();
}

int main(int argc, char **argv)
{
    const char *const what = argc == 2 ? argv[1] : "";
    const int algorithm = ring3_spinlock_find(what);

    if (strcmp(what, "list") == 0)
        for (int i = 0; i < RING3_SPINLOCK_ALGORITHMS; i++)
            puts(ring3_spinlock_name((ring3_spinlock_algorithm_t)i));
    else if (strcmp(what, "mutex") == 0)
        repeat(use_mutex);
    else if (strcmp(what, "malloc") == 0)
        repeat(use_malloc);
    else if (algorithm == RING3_SPINLOCK_ARRAY &&
             ring3_spinlock_init_array(&spinlock, slots, 4, RING3_WAIT_ADAPTIVE) == 0)
        repeat(use_spinlock);
    else if (algorithm >= 0 && ring3_spinlock_init(&spinlock, (ring3_spinlock_algorithm_t)algorithm,
                                                   RING3_WAIT_ADAPTIVE) == 0)
        repeat(use_spinlock);
    else
        return 2;
    return 0;
}
