/* SPDX-License-Identifier: MIT */
/* States and which may follow which, names and entries of the table, and switches as RCU sees them. */
#include "threads.h"

#include "ring3/atomic.h"
#include "ring3/rcu.h"
#include "ring3/sem.h"

#include "runtime.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(state, only_what_is_drawn_may_follow)
{
    enum { STATES = RING3_THREAD_ENDED + 2 };
    static const char allowed[STATES][STATES + 1] = {
        /* new, ready, running, blocked, ended, free */
        [RING3_THREAD_NEW] = "..x..x",     [RING3_THREAD_READY] = "..x...",
        [RING3_THREAD_RUNNING] = ".x.xx.", [RING3_THREAD_BLOCKED] = ".x....",
        [RING3_THREAD_ENDED] = ".....x",   [STATES - 1] = "x.....",
    };

    for (uint32_t from = 0; from < STATES; from++)
        for (uint32_t to = 0; to < STATES; to++)
            check_eq(state_may_follow(from < STATES - 1 ? from : FREE, to < STATES - 1 ? to : FREE),
                     allowed[from][to] == 'x', "from %u to %u", from, to);
}

TEST(state, a_forbidden_change_aborts)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        struct thread thread = {.state = RING3_THREAD_BLOCKED};

        (void)close(STDERR_FILENO);
        state_check(&thread, RING3_THREAD_RUNNING); /* without having been queued */
        _exit(0);
    }
    check_eq(waitpid(child, &status, 0), child);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST(state, builds_with_debug_check_every_change)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        struct thread thread = {.state = RING3_THREAD_READY};

        (void)close(STDERR_FILENO);
        set_state(&thread, RING3_THREAD_BLOCKED); /* interrupted, then asleep without having run */
        _exit(0);
    }
    check_eq(waitpid(child, &status, 0), child);
#ifdef RING3_DEBUG
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#else
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

/* --- Names ------------------------------------------------------------------------------------ */

static void *nothing(void *unused)
{
    return unused;
}

static uint32_t entry_of(ring3_thread_t name)
{
    return (uint32_t)name;
}

TEST(state, an_entry_that_somebody_has_found_is_not_used_again)
{
    enum { NEXT = 600 }; /* more than one slab of the table */

    for (int model = 0; model < MODELS; model++) {
        ring3_runtime_options_t options = models[model];
        struct thread *found;
        ring3_thread_t first;

        options.preempt = model == 0; /* or nothing comes between on the only worker */
        start(&options);
        first = spawn(nothing, NULL);
        found = table_find(first);
        check_ne(found, NULL);
        (void)join(first);
        check_eq(table_find(first), NULL);
        for (int i = 0; i < NEXT; i++) {
            const ring3_thread_t next = spawn(nothing, NULL);

            check_ne(entry_of(next), entry_of(first));
            (void)join(next);
        }
        table_drop(found);
        /* Then it comes back, at the head of the common list. */
        check_eq(found->holders, 0);
        check_eq(found->state, FREE);
        stop();
    }
}

static uint32_t done;
static ring3_thread_t last_name;

/* Asks the thread to end that was made last: by now that may be over, and its entry another's. */
static void *cancel_for_ever(void *unused)
{
    while (!ring3_load(&done, RING3_ACQUIRE))
        (void)ring3_thread_cancel(ring3_load(&last_name, RING3_ACQUIRE));
    return unused;
}

static void *am_i_asked(void *wrongly)
{
    if (ring3_thread_cancelled())
        (void)ring3_fetch_add((uint32_t *)wrongly, 1, RING3_RELAXED);
    return NULL;
}

TEST(state, a_late_cancellation_never_meets_another_thread, 60)
{
    const long rounds = scaled(3000, 200000);

    for (int model = 0; model < 2; model++) {
        static uint32_t wrongly;
        pthread_t outside;

        ring3_store(&done, 0, RING3_RELAXED);
        ring3_store(&wrongly, 0, RING3_RELAXED);
        ring3_store(&last_name, 0, RING3_RELAXED);
        start(&models[model]);
        check_eq(pthread_create(&outside, NULL, cancel_for_ever, NULL), 0);
        for (long i = 0; i < rounds; i++) {
            const ring3_thread_t named = spawn(nothing, NULL);

            ring3_store(&last_name, named, RING3_RELEASE);
            (void)join(named);
            (void)join(spawn(am_i_asked, &wrongly)); /* its name is not told */
        }
        ring3_store(&done, 1, RING3_RELEASE);
        check_eq(pthread_join(outside, NULL), 0);
        check_eq(ring3_load(&wrongly, RING3_RELAXED), 0);
        stop();
    }
}

/* --- RCU -------------------------------------------------------------------------------------- */

static uint32_t online;
static ring3_sem_t gate;

static void *yield_online(void *unused)
{
    ring3_qsbr_online();
    ring3_store(&online, 1, RING3_RELEASE);
    while (!ring3_load(&done, RING3_ACQUIRE))
        ring3_thread_yield();
    ring3_qsbr_offline();
    return unused;
}

static void *wait_online(void *still)
{
    ring3_qsbr_online();
    ring3_store(&online, 1, RING3_RELEASE);
    check_eq(ring3_sem_wait(&gate), 0);
    *(bool *)still = ring3_rcu_reading(RING3_RCU_QSBR);
    ring3_qsbr_offline();
    return NULL;
}

static void *wait_for_readers(void *unused)
{
    while (!ring3_load(&online, RING3_ACQUIRE))
        (void)sched_yield();
    check_eq(ring3_rcu_synchronize_domain(RING3_RCU_QSBR), 0);
    ring3_store(&done, 1, RING3_RELEASE);
    return unused;
}

TEST(state, yielding_is_a_quiescent_state)
{
    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t reader;
        pthread_t outside;

        ring3_store(&done, 0, RING3_RELAXED);
        ring3_store(&online, 0, RING3_RELAXED);
        start(&models[model]);
        check_eq(pthread_create(&outside, NULL, wait_for_readers, NULL), 0);
        reader = spawn(yield_online, NULL);
        (void)join(reader);
        check_eq(pthread_join(outside, NULL), 0);
        stop();
    }
}

TEST(state, a_thread_that_waits_keeps_nobody_waiting)
{
    for (int model = 0; model < MODELS; model++) {
        bool still = false;
        ring3_thread_t reader;
        pthread_t outside;

        ring3_store(&done, 0, RING3_RELAXED);
        ring3_store(&online, 0, RING3_RELAXED);
        check_eq(ring3_sem_init(&gate, 0, 1, RING3_PRIVATE), 0);
        start(&models[model]);
        check_eq(pthread_create(&outside, NULL, wait_for_readers, NULL), 0);
        reader = spawn(wait_online, &still);
        while (!ring3_load(&done, RING3_ACQUIRE)) /* the reader waits all the while */
            ring3_thread_yield();
        check_eq(ring3_sem_post(&gate), 0);
        (void)join(reader);
        check(still);
        check_eq(pthread_join(outside, NULL), 0);
        stop();
    }
}
