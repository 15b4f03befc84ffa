/* SPDX-License-Identifier: MIT */
/* Peterson, bakery, and spinlocks that signal handlers take. */
#include "crew.h"

#include "ring3/bakery.h"
#include "ring3/peterson.h"
#include "ring3/self.h"
#include "ring3/spinlock.h"

#include <errno.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static long counter, rounds;

/* --- Peterson and bakery ------------------------------------------------------------------------ */

static ring3_peterson_t peterson;
static ring3_wait_t how;

/* A plain counter: lost increments and TSan tell. */
static void count_with_peterson(int me)
{
    for (long i = 0; i < rounds; i++) {
        ring3_peterson_lock(&peterson, (uint32_t)me, how);
        counter++;
        ring3_peterson_unlock(&peterson, (uint32_t)me);
    }
}

TEST(peterson, excludes_two)
{
    for (how = RING3_WAIT_ADAPTIVE; how <= RING3_WAIT_PARK; how++) {
        counter = 0;
        rounds = crew_count(20000) / (how == RING3_WAIT_PARK ? 20 : 1);
        crew_run(2, count_with_peterson);
        check_eq(counter, 2 * rounds, "%s", ring3_wait_name(how));
    }
}

/* Bounded waiting: who has set its flag last lets the other pass first. */
TEST(peterson, lets_the_one_pass_that_came_first)
{
    peterson.wants[1] = 1;
    ring3_store(&peterson.turn, 0u, RING3_RELAXED);
    peterson.wants[0] = 1;
    check(peterson.wants[1] && peterson.turn != 1, "1 waits, because 0 has the turn");
    ring3_peterson_unlock(&peterson, 1);
    ring3_peterson_lock(&peterson, 0, RING3_WAIT_SPIN);
    check_eq(peterson.turn, 1u, "and the turn goes to the other");
    ring3_peterson_unlock(&peterson, 0);
}

#define BAKERS 6
static ring3_bakery_slot_t slots[BAKERS];
static ring3_bakery_t bakery = {slots, BAKERS};

static void count_with_bakery(int me)
{
    for (long i = 0; i < rounds; i++) {
        ring3_bakery_lock(&bakery, (uint32_t)me, how);
        counter++;
        ring3_bakery_unlock(&bakery, (uint32_t)me);
    }
}

TEST(bakery, excludes_many, 60)
{
    for (how = RING3_WAIT_ADAPTIVE; how <= RING3_WAIT_PARK; how++) {
        counter = 0;
        rounds = crew_count(2000) / (how == RING3_WAIT_PARK || how == RING3_WAIT_SPIN ? 20 : 1);
        crew_run(BAKERS, count_with_bakery);
        check_eq(counter, BAKERS * rounds, "%s", ring3_wait_name(how));
    }
    for (int i = 0; i < BAKERS; i++)
        check_eq(slots[i].number, UINT64_C(0));
}

static int order[BAKERS], served;

static void be_served(int me)
{
    ring3_bakery_lock(&bakery, (uint32_t)me, RING3_WAIT_ADAPTIVE);
    order[served++] = me;
    ring3_bakery_unlock(&bakery, (uint32_t)me);
}

TEST(bakery, serves_in_order_of_arrival)
{
    pthread_t threads[BAKERS];

    ring3_bakery_lock(&bakery, 0, RING3_WAIT_ADAPTIVE);
    for (int i = BAKERS - 1; i > 0; i--) {
        threads[i] = crew_start(be_served, i);
        crew_until(ring3_load(&slots[i].number, RING3_SEQ_CST) != 0 &&
                   !ring3_load(&slots[i].choosing, RING3_SEQ_CST));
    }
    ring3_bakery_unlock(&bakery, 0);
    for (int i = BAKERS - 1; i > 0; i--)
        crew_join(threads[i]);
    for (int i = 0; i < BAKERS - 1; i++)
        check_eq(order[i], BAKERS - 1 - i);
}

/* --- Signals ------------------------------------------------------------------------------------ */

static ring3_spinlock_t spinlock;
static volatile sig_atomic_t handled;

static void lock_in_handler(int signal)
{
    sigset_t saved;

    (void)signal;
    ring3_spinlock_lock_sigsave(&spinlock, &saved);
    counter++;
    ring3_spinlock_unlock_sigrestore(&spinlock, &saved);
    handled = 1;
}

static void catch_alarms(void)
{
    const struct sigaction action = {.sa_handler = lock_in_handler, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 500}, {0, 500}};

    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

TEST(sigsave, keeps_a_handler_out_while_its_thread_holds_the_lock, 60)
{
    for (ring3_spinlock_algorithm_t a = 0; a < RING3_SPINLOCK_ALGORITHMS; a++) {
        long mine = 0;

        crew_spinlock(&spinlock, a, RING3_WAIT_ADAPTIVE);
        handled = 0;
        counter = 0;
        catch_alarms();
        while (!handled || mine < 1000) {
            sigset_t saved;

            ring3_spinlock_lock_sigsave(&spinlock, &saved);
            mine++;
            counter++;
            counter--;
            ring3_spinlock_unlock_sigrestore(&spinlock, &saved);
        }
        check_eq(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
        check_gt(counter, 0L, "%s", ring3_spinlock_name(a));
    }
}

static void hang_with_the_plain_lock(void)
{
    ring3_spinlock_lock(&spinlock); /* before the first alarm, or its handler could still have it */
    catch_alarms();
    while (!handled)
        ;
    _exit(0); /* not reached: the handler waits for us, and we for it */
}

/* What it is for: with the plain lock the handler waits for the thread it interrupted. */
TEST(sigsave, is_needed_because_the_plain_lock_hangs)
{
    int status = 0;
    const pid_t child = crew_fork(hang_with_the_plain_lock);

    for (int i = 0; i < 100; i++) {
        check_eq(waitpid(child, &status, WNOHANG), 0, "it ended");
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    kill(child, SIGKILL);
    check_eq(waitpid(child, &status, 0), child);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(sigsave, restores_the_exact_mask_when_nested)
{
    static ring3_spinlock_t inner;
    sigset_t mask, outer_saved, inner_saved, now;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    ring3_spinlock_lock_sigsave(&spinlock, &outer_saved);
    ring3_spinlock_lock_sigsave(&inner, &inner_saved);
    ring3_spinlock_unlock_sigrestore(&inner, &inner_saved);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check_eq(sigismember(&now, SIGUSR2), 1, "the inner unlock unblocks nothing");
    ring3_spinlock_unlock_sigrestore(&spinlock, &outer_saved);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check_eq(sigismember(&now, SIGUSR1), 1, "blocked before, blocked after");
    check_eq(sigismember(&now, SIGUSR2), 0);
    check_eq(ring3_self()->no_preempt, 0u);
}
