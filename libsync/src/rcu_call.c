/* SPDX-License-Identifier: MIT */
/* Callbacks after a grace period: ring3_rcu_call and ring3_rcu_barrier. */
#include "ring3/rcu.h"

#include "ring3/mutex.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* A queue of callbacks, in order. */
struct chain {
    ring3_rcu_head_t *first, **end;
};

/*
 * lock     guards `fresh`, `ripe` and `helper`; never held while waiting, so that fork can take it
 * fresh    given, and no period has begun for them yet
 * ripe     being called, or about to be: their period has begun
 * helper   the thread that calls them exists
 * pending  the word on which it sleeps; 1 after something became fresh
 * running  held by who waits for a period and calls; `caller` is its context
 */
static struct callbacks {
    ring3_mutex_t lock, running;
    struct chain fresh, ripe;
    ring3_self_t *caller;
    uint32_t pending;
    bool helper;
} domains[RING3_READER_DOMAINS];

static void append(struct chain *chain, ring3_rcu_head_t *first, ring3_rcu_head_t **end)
{
    *(chain->first ? chain->end : &chain->first) = first;
    chain->end = end;
}

/* All that is fresh becomes ripe. */
static void ripen(struct callbacks *domain)
{
    ring3_mutex_lock(&domain->lock);
    domain->ripe = domain->fresh;
    domain->fresh.first = NULL;
    ring3_mutex_unlock(&domain->lock);
}

static ring3_rcu_head_t *take_ripe(struct callbacks *domain)
{
    ring3_mutex_lock(&domain->lock);
    ring3_rcu_head_t *const head = domain->ripe.first;

    if (head)
        domain->ripe.first = head->next;
    ring3_mutex_unlock(&domain->lock);
    return head;
}

/* Wait for one period, and call all that was given before it. */
static int turn(ring3_rcu_domain_t number)
{
    struct callbacks *const domain = &domains[number];
    ring3_rcu_head_t *head;
    int result;

    ring3_mutex_lock(&domain->running);
    ring3_store(&domain->caller, ring3_self(), RING3_RELAXED);
    ripen(domain);
    result = ring3_rcu_synchronize_domain(number);
    while ((head = take_ripe(domain)) != NULL)
        head->done(head);
    ring3_store(&domain->caller, (ring3_self_t *)NULL, RING3_RELAXED);
    ring3_mutex_unlock(&domain->running);
    return result;
}

static void *help(void *number)
{
    const ring3_rcu_domain_t domain = (ring3_rcu_domain_t)(uintptr_t)number;
    uint32_t *const pending = &domains[domain].pending;

    (void)pthread_setname_np(pthread_self(), "ring3-rcu");
    for (;;) {
        /* Relaxed: callbacks are passed on under the lock. */
        while (ring3_exchange(pending, 0, RING3_RELAXED) == 0)
            (void)ring3_word_wait(pending, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
        (void)turn(domain);
    }
    return NULL;
}

/* False if there is no memory for a thread; then the next call tries again. */
static bool start_helper(ring3_rcu_domain_t domain)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int result;

    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&thread, &attributes, help, (void *)(uintptr_t)domain);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return result == 0;
}

void ring3_rcu_call_domain(ring3_rcu_domain_t number, ring3_rcu_head_t *head,
                           void (*done)(ring3_rcu_head_t *head))
{
    struct callbacks *const domain = &domains[number];

    head->next = NULL;
    head->done = done;
    ring3_mutex_lock(&domain->lock);
    const bool first = !domain->fresh.first, start = !domain->helper;

    append(&domain->fresh, head, &head->next);
    domain->helper = true;
    ring3_mutex_unlock(&domain->lock);

    if (ring3_unlikely(start) && !start_helper(number)) {
        ring3_mutex_lock(&domain->lock);
        domain->helper = false;
        ring3_mutex_unlock(&domain->lock);
    }
    if (first) {
        ring3_store(&domain->pending, 1, RING3_RELAXED);
        ring3_word_wake(&domain->pending, 1, RING3_PRIVATE);
    }
}

int ring3_rcu_barrier_domain(ring3_rcu_domain_t number)
{
    if (number >= RING3_READER_DOMAINS)
        return -EINVAL;
    if (ring3_load(&domains[number].caller, RING3_RELAXED) == ring3_self())
        return -EDEADLK;
    /* Somebody who calls `running` ones may wait for us. */
    if (number != RING3_RCU_QSBR && ring3_rcu_reading(number))
        return -EDEADLK;

    const bool online = number == RING3_RCU_QSBR && ring3_rcu_reading(number);
    int result;

    if (online)
        ring3_qsbr_offline();
    result = turn(number);
    if (online)
        ring3_qsbr_online();
    return result;
}

/* --- Fork ------------------------------------------------------------------------------------- */

static void hold_for_fork(void)
{
    for (int d = 0; d < RING3_READER_DOMAINS; d++)
        ring3_mutex_lock(&domains[d].lock);
}

static void release_after_fork(void)
{
    for (int d = 0; d < RING3_READER_DOMAINS; d++)
        ring3_mutex_unlock(&domains[d].lock);
}

/* The helpers are gone; what they had not called yet is fresh again. A callback that was running
 * is not called twice. */
static void fresh_after_fork(void)
{
    for (int d = 0; d < RING3_READER_DOMAINS; d++) {
        struct callbacks *const domain = &domains[d];

        if (domain->ripe.first) {
            if (domain->fresh.first)
                append(&domain->ripe, domain->fresh.first, domain->fresh.end);
            domain->fresh = domain->ripe;
            domain->ripe.first = NULL;
        }
        domain->helper = false;
        domain->caller = NULL;
        ring3_mutex_init(&domain->running);
        ring3_mutex_init(&domain->lock);
    }
}

__attribute__((constructor(RING3_START_FIRST))) static void rcu_call_start(void)
{
    (void)pthread_atfork(hold_for_fork, release_after_fork, fresh_after_fork);
}
