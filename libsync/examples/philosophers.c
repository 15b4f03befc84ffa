/* SPDX-License-Identifier: MIT */
/*
 * Dining philosophers: a deadlock needs four conditions at once, and each remedy breaks one of them.
 * Last, nothing is prevented: the cycle is found when it closes, and one philosopher is told to put
 * down what he holds.
 */
#include <ring3/deadlock.h>
#include <ring3/lockset.h>
#include <ring3/monitor.h>
#include <ring3/sem.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { SEATS = 5, MEALS = 500 };

static ring3_mutex_t fork_of[SEATS];
static ring3_deadlock_mutex_t watched[SEATS];
static ring3_sem_t chairs;
static ring3_monitor_t table;
static int busy[SEATS];
static long meals;

static void eat(void)
{
    ring3_fetch_add(&meals, 1, RING3_RELAXED);
}

/* No circular wait: everybody takes the fork with the lower address first. */
static void in_order(int me)
{
    void *both[] = {&fork_of[me], &fork_of[(me + 1) % SEATS]};

    ring3_lockset_lock(&ring3_lockset_mutex, both, 2);
    eat();
    ring3_lockset_unlock(&ring3_lockset_mutex, both, 2);
}

/* Preemption of a kind: who does not get the second fork gives the first one back. */
static void backing_off(int me)
{
    void *both[] = {&fork_of[me], &fork_of[(me + 1) % SEATS]};

    ring3_lockset_lock_backoff(&ring3_lockset_mutex, both, 2, NULL);
    eat();
    ring3_lockset_unlock(&ring3_lockset_mutex, both, 2);
}

/* No circular wait again: with a chair too few, one fork at least is free. */
static void with_four_chairs(int me)
{
    ring3_sem_wait(&chairs);
    ring3_mutex_lock(&fork_of[me]);
    ring3_mutex_lock(&fork_of[(me + 1) % SEATS]);
    eat();
    ring3_mutex_unlock(&fork_of[(me + 1) % SEATS]);
    ring3_mutex_unlock(&fork_of[me]);
    ring3_sem_post(&chairs);
}

static bool both_are_free(const void *seat)
{
    const int me = *(const int *)seat;

    return !busy[me] && !busy[(me + 1) % SEATS];
}

/* No hold and wait: both forks at once, or none. */
static void in_a_monitor(int me)
{
    RING3_MONITOR(&table)
    {
        ring3_monitor_await(&table, both_are_free, &me);
        busy[me] = busy[(me + 1) % SEATS] = 1;
    }
    eat();
    RING3_MONITOR(&table)
    {
        busy[me] = busy[(me + 1) % SEATS] = 0;
    }
}

static void found_out(int me)
{
    for (bool eaten = false; !eaten;) {
        ring3_deadlock_lock(&watched[me], 1, NULL);
        if (ring3_deadlock_lock(&watched[(me + 1) % SEATS], 1, NULL) != -EDEADLK) {
            eat();
            eaten = true;
            ring3_deadlock_unlock(&watched[(me + 1) % SEATS]);
        }
        ring3_deadlock_unlock(&watched[me]);
    }
}

static void (*remedy)(int me);

static void *dine(void *seat)
{
    for (int i = 0; i < MEALS; i++)
        remedy((int)(intptr_t)seat);
    return NULL;
}

static void try_remedy(const char *name, void (*dining)(int me))
{
    pthread_t thread[SEATS];

    meals = 0;
    remedy = dining;
    for (int i = 0; i < SEATS; i++)
        pthread_create(&thread[i], NULL, dine, (void *)(intptr_t)i);
    for (int i = 0; i < SEATS; i++)
        pthread_join(thread[i], NULL);
    printf("%s: %ld meals\n", name, meals);
}

int main(void)
{
    ring3_sem_init(&chairs, SEATS - 1, SEATS - 1, RING3_PRIVATE);
    try_remedy("in order of the forks", in_order);
    try_remedy("giving back and trying again", backing_off);
    try_remedy("four chairs", with_four_chairs);
    try_remedy("both forks or none", in_a_monitor);
    try_remedy("found out and ended", found_out);
    return 0;
}
