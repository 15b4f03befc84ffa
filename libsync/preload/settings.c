/* SPDX-License-Identifier: MIT */
/* RING3_LOCKS, libc's own functions, and what fork does to the settings. */
#include "locks.h"

#include "lockdep.h"

#include "ring3/env.h"
#include "ring3/rwlock.h"
#include "ring3/spinlock.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>

struct locks locks = {.plain = UINT64_MAX};

/* --- RING3_LOCKS ----------------------------------------------------------------------------- */

/* The algorithms whose state fits into a pthread_mutex_t beside its kind. */
static const char *const mutex_words[] = {"ttas", "tas", "backoff", "delay",          "cas",
                                          "clh",  "mcs", "ticket",  "ticket-backoff", "queued"};

static bool set_mutex(void *context, const char *value, size_t length)
{
    struct locks *const settings = context;

    if (ring3_env_is(value, length, "adaptive")) {
        settings->algorithm = -1;
        return true;
    }
    for (size_t i = 0; i < sizeof mutex_words / sizeof *mutex_words; i++)
        if (ring3_env_is(value, length, mutex_words[i])) {
            settings->algorithm = ring3_spinlock_find(mutex_words[i]);
            return true;
        }
    return false;
}

static bool set_rwlock(void *context, const char *value, size_t length)
{
    struct locks *const settings = context;

    if (ring3_env_is(value, length, "as-asked")) {
        settings->policy = RWLOCK_AS_ASKED;
        return true;
    }
    for (int i = 0; i < RING3_RWLOCK_POLICIES; i++)
        if (ring3_env_is(value, length, ring3_rwlock_name((ring3_rwlock_policy_t)i))) {
            settings->policy = i;
            return true;
        }
    return false;
}

static bool set_wait(void *context, const char *value, size_t length)
{
    struct locks *const settings = context;

    for (int i = 0; i < RING3_WAIT_POLICIES; i++)
        if (ring3_env_is(value, length, ring3_wait_name((ring3_wait_t)i))) {
            settings->wait = (ring3_wait_t)i;
            return true;
        }
    return false;
}

static bool set_lockdep(void *context, const char *value, size_t length)
{
    return ring3_env_bool(value, length, &((struct locks *)context)->lockdep);
}

static bool set_stat(void *context, const char *value, size_t length)
{
    return ring3_env_bool(value, length, &((struct locks *)context)->stat);
}

static bool set_report(void *context, const char *value, size_t length)
{
    struct locks *const settings = context;

    if (length == 0 || length >= sizeof settings->report)
        return false;
    memcpy(settings->report, value, length);
    settings->report[length] = '\0';
    return true;
}

static bool set_signal(void *context, const char *value, size_t length)
{
    struct locks *const settings = context;

    if (ring3_env_is(value, length, "usr1"))
        settings->signal = SIGUSR1;
    else if (ring3_env_is(value, length, "usr2"))
        settings->signal = SIGUSR2;
    else if (ring3_env_is(value, length, "quit"))
        settings->signal = SIGQUIT;
    else
        return false;
    return true;
}

static bool set_stall(void *context, const char *value, size_t length)
{
    return ring3_env_size(value, length, &((struct locks *)context)->stall);
}

/* `RING3_LOCKS=mcs` means mutex=mcs. */
#define MUTEX_ALLOWED                                                                              \
    "adaptive, ttas, tas, backoff, delay, cas, ticket, ticket-backoff, queued, mcs or clh"

static const ring3_env_key_t keys[] = {
    {"mutex", MUTEX_ALLOWED, set_mutex},
    {"policy", MUTEX_ALLOWED, set_mutex},
    {"rwlock", "phase-fair, prefer-readers, prefer-writers or as-asked", set_rwlock},
    {"wait", "adaptive, spin, yield or park", set_wait},
    {"lockdep", "on or off", set_lockdep},
    {"stat", "on or off", set_stat},
    {"report", "the name of a file, in which %p stands for the process", set_report},
    {"signal", "usr1, usr2 or quit", set_signal},
    {"stall", "a number of seconds", set_stall},
    {0},
};

static ring3_mutex_t starting;

/* Only an adaptive mutex that nobody watches is plain. */
static void set_plain(void)
{
    if (!locks.watched && locks.algorithm < 0)
        ring3_store(&locks.plain, (uint64_t)locks.stamp << 32, RING3_RELAXED);
}

const struct locks *locks_start(void)
{
    struct locks found = {.plain = UINT64_MAX,
                          .algorithm = -1,
                          .policy = RWLOCK_AS_ASKED,
                          .wait = RING3_WAIT_ADAPTIVE,
                          .stall = 10};

    ring3_mutex_lock(&starting);
    if (!locks.stamp) {
        (void)ring3_env_read("RING3_LOCKS", keys, &found);
        found.watched = found.lockdep || found.stat;
        locks = found;
        /* Pairs with the acquire in locks_get. */
        ring3_store(&locks.stamp, 1, RING3_RELEASE);
        set_plain();
    }
    ring3_mutex_unlock(&starting);
    return &locks;
}

/* --- Adoption -------------------------------------------------------------------------------- */

static ring3_mutex_t adopting;

void locks_adopt_begin(void)
{
    ring3_mutex_lock(&adopting);
}

void locks_adopt_end(void)
{
    ring3_mutex_unlock(&adopting);
}

/* Every object that the child meets has to be put in order: those who waited for it are gone. */
static void new_stamp_after_fork(void)
{
    ring3_mutex_init(&starting);
    ring3_mutex_init(&adopting);
    if (!locks.stamp)
        return;
    locks.stamp++;
    set_plain();
}

/* --- Identity -------------------------------------------------------------------------------- */

__thread uint32_t locks_my_id;
static uint32_t last_id;

uint32_t locks_new_id(void)
{
    do
        locks_my_id = ring3_fetch_add(&last_id, 1, RING3_RELAXED) + 1;
    while (locks_my_id == 0);
    return locks_my_id;
}

/* --- libc's own ------------------------------------------------------------------------------ */

/* The versions that are not a name's first on x86-64; elsewhere there is only one. */
#define NEWER_COND "GLIBC_2.3.2"

static struct real reals;
static uint32_t reals_found;

static void *find_real(const char *name)
{
    void *found = NULL;

    if (strncmp(name, "pthread_cond_", 13) == 0)
        found = dlvsym(RTLD_NEXT, name, NEWER_COND);
    return found ? found : dlsym(RTLD_NEXT, name);
}

/* Two threads may do this at once: they find the same. */
const struct real *real(void)
{
    if (ring3_unlikely(!ring3_load(&reals_found, RING3_ACQUIRE))) {
#define X(name) ring3_store((void **)&reals.name, find_real(#name), RING3_RELAXED);
        REAL_FUNCTIONS(X)
#undef X
        ring3_store(&reals_found, 1, RING3_RELEASE);
    }
    return &reals;
}

/* --- Time ------------------------------------------------------------------------------------ */

struct timespec monotonic(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;

    if (clock == CLOCK_MONOTONIC)
        return *deadline;
    clock_gettime(clock, &now);
    if (deadline->tv_sec - now.tv_sec > INT32_MAX) /* in decades, and beyond what the sum holds */
        return ring3_deadline_in(CLOCK_MONOTONIC, INT32_MAX * RING3_SECOND_NS);
    if (now.tv_sec - deadline->tv_sec > INT32_MAX)
        return (struct timespec){0, 0};
    return ring3_deadline_in(CLOCK_MONOTONIC, (deadline->tv_sec - now.tv_sec) * RING3_SECOND_NS +
                                                  (deadline->tv_nsec - now.tv_nsec));
}

__attribute__((constructor(RING3_START_FIRST))) static void locks_constructor(void)
{
    (void)pthread_atfork(NULL, NULL, new_stamp_after_fork);
    (void)locks_start();
    (void)real();
    if (locks.watched)
        watch_start();
    watcher_start();
}

/* The last of all destructors: we were the first to start. */
__attribute__((destructor(RING3_START_FIRST))) static void locks_destructor(void)
{
    if (locks.watched)
        watch_report();
}
