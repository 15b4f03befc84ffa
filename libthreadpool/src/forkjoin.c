/* SPDX-License-Identifier: MIT */
/* Teams: members, spawning, stealing, leapfrogging waits. */
#include "ring3/forkjoin.h"

#include "ring3/mutex.h"
#include "ring3/pool.h"
#include "ring3/wait.h"

#include "core.h"
#include "eventcount.h"
#include "figures.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_MEMBERS 1024

struct ring3_team {
    struct eventcount work; /* condition: a deque is not empty, or `ending` */
    uint32_t ending;
    uint32_t forks;        /* pool_forks when the team was made */
    unsigned size;         /* members, with the caller of run */
    unsigned started;      /* threads */
    ring3_mutex_t running; /* held by the caller of run, who is member 0 */
    ring3_mutex_t tracing; /* of `trace`, while it is written to */
    uint32_t traced;       /* 1: there is one; written under that lock, read by all members */
    ring3_pooltrace_t *trace;
    ring3_member_t members[];
};

/* The member this thread is, to tell a nested run from a deadlock. */
static __thread ring3_member_t *current;

static bool inside(const ring3_team_t *team)
{
    return current && current->team == team;
}

/* --- Stealing --------------------------------------------------------------------------------- */

/* --- Traced ----------------------------------------------------------------------------------- */

/* Stealing and sleeping are rare, so that a look costs nothing that counts. */
static uint64_t begin_event(const ring3_team_t *team)
{
    return ring3_unlikely(ring3_load(&team->traced, RING3_RELAXED)) ? pool_now() : 0;
}

static void end_event(ring3_team_t *team, enum trace_kind kind, uint64_t begun, uint64_t what,
                      uint64_t from)
{
    if (ring3_likely(!begun))
        return;
    ring3_mutex_lock(&team->tracing);
    if (team->trace)
        pool_trace_add(team->trace, kind, begun, pool_now(), what, from);
    ring3_mutex_unlock(&team->tracing);
}

int ring3_team_trace(ring3_team_t *team, ring3_pooltrace_t *trace)
{
    if (team->forks != ring3_load(&pool_forks, RING3_RELAXED))
        return -ECHILD;
    ring3_mutex_lock(&team->tracing);
    team->trace = trace;
    ring3_store(&team->traced, trace != NULL, RING3_RELAXED);
    ring3_mutex_unlock(&team->tracing);
    return 0;
}

/* --- Running what was stolen ------------------------------------------------------------------ */

/* A thief runs what it stole on its own empty deque: since thieves take the oldest first, a fork
 * whose thief waits has nothing older left in its deque either. */
static void run_stolen(ring3_member_t *me, ring3_fork_t *fork, const ring3_member_t *from)
{
    const uint64_t what = (uint64_t)(uintptr_t)fork->run, begun = begin_event(me->team);

    ring3_deque_renew(&me->deque);
    /* Pairs with the acquire in wait_for_thief. */
    ring3_store(&fork->thief, me, RING3_RELEASE);
    fork->run(fork, me);
    /* Pairs with the acquires in help_thief and ring3_deque_steal. The fork may be gone after this. */
    ring3_store(&fork->done, 1, RING3_RELEASE);
    ring3_wait_wake(&fork->done);
    end_event(me->team, TRACE_STOLEN, begun, what, from->index);
}

/* xorshift (Marsaglia 2003): the thieves of one victim should not all go on to the same next one. */
static uint32_t draw(ring3_member_t *me)
{
    me->seed ^= me->seed << 13;
    me->seed ^= me->seed >> 17;
    me->seed ^= me->seed << 5;
    return me->seed;
}

/* One look at every other member, from a random one on. */
static ring3_fork_t *look_around(ring3_member_t *me, ring3_member_t **from)
{
    ring3_team_t *const team = me->team;
    const unsigned first = draw(me) % team->size;

    for (unsigned i = 0; i < team->size; i++) {
        ring3_member_t *const victim = &team->members[(first + i) % team->size];
        ring3_fork_t *const fork = victim == me ? NULL : ring3_deque_steal(&victim->deque, NULL);

        if (fork) {
            *from = victim;
            return fork;
        }
    }
    return NULL;
}

/* True if there may be something to take. Where there is not, the owner's next push will wake who
 * sleeps; what is private now its owner runs or offers. A failed steal does not tell: another thief may have been
 * faster. */
static bool any_work(ring3_team_t *team)
{
    for (unsigned i = 0; i < team->size; i++) {
        /* Ordered by the fence of the eventcount. */
        if (!ring3_deque_is_barren(&team->members[i].deque))
            return true;
    }
    return false;
}

static void sleep_until_notified(ring3_team_t *team, uint32_t key)
{
    const uint64_t begun = begin_event(team);

    eventcount_wait(&team->work, key);
    end_event(team, TRACE_SLEEP, begun, 0, 0);
}

/*
 * Looks before a member prepares to sleep, which costs all others a fence, and itself some tens of
 * microseconds until it is awake again: between the first it spins, between the others it lets other
 * threads run. The next loop of a computation often comes soon.
 */
#define LOOKS  16
#define YIELDS 100

/* The next fork to run; NULL when the team ends. */
static ring3_fork_t *find_work(ring3_member_t *me, ring3_member_t **from)
{
    ring3_team_t *const team = me->team;
    ring3_fork_t *fork;
    bool woken = false;

    for (;;) {
        for (int i = 0; i < LOOKS + YIELDS; i++) {
            fork = look_around(me, from);
            if (fork) {
                if (woken)
                    eventcount_notify(&team->work); /* notifications were left to us */
                return fork;
            }
            if (i < LOOKS)
                ring3_cpu_relax();
            else
                (void)sched_yield();
        }
        const uint32_t key = eventcount_prepare(&team->work);

        /* Pairs with the release in ring3_team_destroy. */
        if (ring3_load(&team->ending, RING3_ACQUIRE)) {
            eventcount_cancel(&team->work);
            eventcount_notify(&team->work);
            return NULL;
        }
        woken = true;
        if (any_work(team))
            eventcount_cancel(&team->work);
        else
            sleep_until_notified(team, key);
    }
}

static void *member_main(void *argument)
{
    ring3_member_t *const me = argument;
    ring3_member_t *from = NULL;
    ring3_fork_t *fork;
    char name[16];

    (void)snprintf(name, sizeof name, "team/%u", me->index);
    (void)pthread_setname_np(pthread_self(), name);
    current = me;
    while ((fork = find_work(me, &from)))
        run_stolen(me, fork, from);
    return NULL;
}

/* --- Spawn and sync --------------------------------------------------------------------------- */

void ring3_fork_spawn_rare(ring3_member_t *me, ring3_fork_t *fork, bool pushed)
{
    if (!pushed) {
        fork->kept = 1;
        return;
    }
    ring3_deque_offer(&me->deque);
    eventcount_notify(&me->team->work);
}

void ring3_fork_spawn(ring3_member_t *me, ring3_fork_t *fork)
{
    RING3_SPAWN(me, fork);
}

/* A wait for a stolen fork looks at the thief's deque this often by spinning and yielding, and then
 * in naps, which the end of the fork cuts short. */
#define HELP_SPINS  100
#define HELP_YIELDS 100
#define HELP_NAP_NS 200000

/* The thief has taken the fork but may not have said so yet. */
static ring3_member_t *wait_for_thief(const ring3_fork_t *fork)
{
    ring3_pause_t pause = {0};
    ring3_member_t *thief;

    /* Pairs with the release in run_stolen. */
    while (!(thief = ring3_load(&fork->thief, RING3_ACQUIRE)))
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    return thief;
}

/*
 * Until `fork` is done, run parts of it. All that its thief has in its deque before `done` are parts
 * of it: the deque was empty when the thief began. ring3_deque_steal looks at `done` after it has found
 * an item, so that nothing is taken that the thief has spawned since.
 */
static void help_thief(ring3_member_t *me, ring3_fork_t *fork)
{
    ring3_member_t *const thief = wait_for_thief(fork);
    int looks = 0;

    /* Pairs with the release in run_stolen. */
    while (!ring3_load(&fork->done, RING3_ACQUIRE)) {
        ring3_fork_t *const part = ring3_deque_steal(&thief->deque, &fork->done);

        if (part) {
            run_stolen(me, part, thief);
            looks = 0;
        } else if (++looks < HELP_SPINS) {
            ring3_cpu_relax();
        } else if (looks < HELP_SPINS + HELP_YIELDS) {
            (void)sched_yield();
        } else {
            const struct timespec nap = ring3_deadline_in(CLOCK_MONOTONIC, HELP_NAP_NS);

            (void)ring3_wait_change(&fork->done, 0, RING3_WAIT_PARK, &nap);
        }
    }
}

static void wait_for_stolen(ring3_member_t *me, ring3_fork_t *fork)
{
    help_thief(me, fork);
    ring3_deque_drop(&me->deque);
    /* As new: relaxed, for the thief has done with it. */
    ring3_store(&fork->thief, NULL, RING3_RELAXED);
    ring3_store(&fork->done, 0, RING3_RELAXED);
}

__attribute__((noreturn, cold)) static void misused(void)
{
    (void)fputs("ring3_fork_sync: not the last fork that was spawned\n", stderr);
    abort();
}

void ring3_fork_sync_rare(ring3_member_t *me, ring3_fork_t *fork)
{
    ring3_fork_t *const last = fork->kept ? fork : ring3_deque_pop(&me->deque);

    if (ring3_likely(last == fork)) {
        fork->kept = 0;
        fork->run(fork, me);
    } else if (!last) {
        wait_for_stolen(me, fork);
    } else {
        misused();
    }
}

void ring3_fork_sync(ring3_member_t *me, ring3_fork_t *fork)
{
    RING3_SYNC(me, fork, fork->run);
}

/* --- Teams ------------------------------------------------------------------------------------ */

unsigned ring3_team_size(const ring3_member_t *me)
{
    return me->team->size;
}

unsigned ring3_member_index(const ring3_member_t *me)
{
    return me->index;
}

static int start_member(ring3_member_t *member)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int err = pthread_create(&member->thread, NULL, member_main, member);

    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

static ring3_team_t *allocate(unsigned size)
{
    const size_t bytes = sizeof(ring3_team_t) + size * sizeof(ring3_member_t);
    ring3_team_t *const team =
        aligned_alloc(RING3_CACHE_LINE, (bytes + RING3_CACHE_LINE - 1) & -(size_t)RING3_CACHE_LINE);

    if (!team)
        return NULL;
    *team = (ring3_team_t){.size = size, .forks = ring3_load(&pool_forks, RING3_RELAXED)};
    for (unsigned i = 0; i < size; i++) {
        team->members[i] = (ring3_member_t){.team = team, .index = i, .seed = i + 1};
        ring3_deque_init(&team->members[i].deque);
    }
    return team;
}

int ring3_team_create(ring3_team_t **team, unsigned size)
{
    const unsigned members = size ? size : ring3_pool_default_size();
    int err = 0;

    if (members > MOST_MEMBERS)
        return -EINVAL;
    ring3_team_t *const new = allocate(members);

    if (!new)
        return -ENOMEM;
    while (new->started + 1 < members && !err) {
        err = start_member(&new->members[new->started + 1]);
        if (!err)
            new->started++;
    }
    if (err) {
        (void)ring3_team_destroy(new);
        return err;
    }
    *team = new;
    return 0;
}

int ring3_team_destroy(ring3_team_t *team)
{
    if (team->forks == ring3_load(&pool_forks, RING3_RELAXED)) {
        if (inside(team))
            return -EDEADLK;
        /* Pairs with the acquire in find_work. One is woken, and each wakes the next. */
        ring3_store(&team->ending, 1, RING3_RELEASE);
        eventcount_notify(&team->work);
        for (unsigned i = 1; i <= team->started; i++)
            (void)pthread_join(team->members[i].thread, NULL);
    }
    free(team);
    return 0;
}

int ring3_team_run(ring3_team_t *team, ring3_fork_t *root)
{
    ring3_member_t *const outer = current;

    if (team->forks != ring3_load(&pool_forks, RING3_RELAXED))
        return -ECHILD;
    if (inside(team))
        return -EDEADLK;
    ring3_mutex_lock(&team->running);
    current = &team->members[0];
    root->run(root, current);
    current = outer;
    ring3_mutex_unlock(&team->running);
    return 0;
}
