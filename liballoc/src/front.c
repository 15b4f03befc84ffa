/* SPDX-License-Identifier: MIT */
/*
 * Choice of the policy, once per process, and fork.
 *
 * Whoever allocates first chooses. That may be the dynamic linker, before any constructor and before
 * libc has an environment: ring3_env_read finds it on the initial stack then, and nothing else here
 * needs libc to have started.
 *
 * Orders: `ring3_serving` is written once, with release, under `choice`, and read with acquire.
 */
#include "front.h"

#include "figures.h"
#include "guard.h"
#include "layers.h"
#include "reclaim.h"
#include "spans.h"

#include "ring3/arch.h"
#include "ring3/env.h"
#include "ring3/mutex.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The first is the default. */
static const struct ring3_policy *const policies[] = {
    &ring3_policy_slab,     &ring3_policy_best_fit,  &ring3_policy_first_fit,
    &ring3_policy_next_fit, &ring3_policy_worst_fit, &ring3_policy_buddy,
    &ring3_policy_debug,
};

#define POLICIES_ALLOWED "default, slab, first-fit, next-fit, best-fit, worst-fit, buddy or debug"

/* One malloc per process, hence file scope. */
const struct ring3_policy *ring3_serving;
ring3_pages_t ring3_heap_pages;

static ring3_mutex_t choice;
static struct ring3_settings chosen; /* under choice */

static bool set_policy(void *context, const char *value, size_t length)
{
    const struct ring3_policy **const choose = &((struct ring3_settings *)context)->policy;

    if (ring3_env_is(value, length, "default")) {
        *choose = policies[0];
        return true;
    }
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (ring3_env_is(value, length, policies[i]->name)) {
            *choose = policies[i];
            return true;
        }
    return false;
}

static bool set_reclaim(void *context, const char *value, size_t length)
{
    bool on;

    (void)context;
    if (!ring3_env_bool(value, length, &on))
        return false;
    ring3_reclaim_off = !on;
    return true;
}

static bool set_huge(void *context, const char *value, size_t length)
{
    bool on;

    (void)context;
    if (!ring3_env_bool(value, length, &on))
        return false;
    ring3_spans_huge_off = !on;
    return true;
}

static const ring3_env_key_t keys[] = {
    {"policy", POLICIES_ALLOWED, set_policy},
    {"reclaim", "on or off", set_reclaim},
    {"huge", "on or off", set_huge},
    RING3_LAYERS_KEYS,
    {0},
};

int ring3_malloc_choose(const char *settings)
{
    int err = 0;

    ring3_mutex_lock(&choice);
    if (ring3_front())
        err = -EBUSY;
    else if (ring3_env_parse("ring3_malloc_choose", settings, keys, &chosen) != 0)
        err = -EINVAL;
    ring3_mutex_unlock(&choice);
    return err;
}

/* The policy that fork's handlers have locked, or NULL: there was none yet. Under choice. */
static const struct ring3_policy *locked;

static void lock_for_fork(const struct ring3_policy *policy)
{
    policy->lock(policy->heap);
    locked = policy;
}

const struct ring3_policy *ring3_front_start(void)
{
    const bool held = guard_enter(&choice);
    const struct ring3_policy *policy = ring3_front();

    if (!policy) {
        ring3_env_read("RING3_MALLOC", keys, &chosen);
        policy = chosen.policy ? chosen.policy : policies[0];
        ring3_layers_prepare(&chosen);
        if (policy->start)
            policy->start();
        ring3_figures_publish(policy);
        policy = ring3_layers_over(policy, &chosen);
        /* Another fork handler allocates, the first to do so: others must not follow it in. */
        if (!held)
            lock_for_fork(policy);
        /* Pairs with the acquire in ring3_front. */
        ring3_store(&ring3_serving, policy, RING3_RELEASE);
    }
    guard_leave(&choice, held);
    return policy;
}

const char *const *ring3_malloc_policies(void)
{
    enum { COUNT = sizeof policies / sizeof policies[0] };
    static const char *names[COUNT + 1];

    /* Relaxed: every thread that comes here writes the same. */
    for (size_t i = 0; i < COUNT; i++)
        ring3_store(&names[i], policies[i]->name, RING3_RELAXED);
    return names;
}

const char *ring3_malloc_policy(void)
{
    const struct ring3_policy *policy = ring3_front();

    if (!policy)
        policy = ring3_front_start();
    return policy->name;
}

/* --- Fork ------------------------------------------------------------------------------------ */

static void before_fork(void)
{
    const struct ring3_policy *policy;

    ring3_mutex_lock(&choice);
    policy = ring3_front();
    locked = NULL;
    if (policy)
        lock_for_fork(policy);
    guard_passes(true);
}

static void after_fork_in_parent(void)
{
    guard_passes(false);
    if (locked)
        locked->unlock(locked->heap);
    ring3_mutex_unlock(&choice);
}

/* Those who waited for a lock do not exist in the child: locks start anew instead of being
 * unlocked. */
static void after_fork_in_child(void)
{
    guard_passes(false);
    if (locked)
        locked->after_fork(locked->heap);
    ring3_mutex_init(&choice);
}

/* Before there are threads, so that no fork can miss the handlers. In the preload object this is
 * the first constructor of all: our handlers lock last and unlock first, and those of others may
 * allocate without a thought. */
__attribute__((constructor(RING3_START_FIRST))) static void front_start(void)
{
    const char *const settings = ring3_env_get("RING3_MALLOC");

    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    /* A signal may come before the first allocation. */
    if (settings && strstr(settings, "profile-signal="))
        (void)ring3_front_start();
}
