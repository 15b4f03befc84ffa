/* SPDX-License-Identifier: MIT */
/* What builds with DEBUG=1 stop at. In other builds these mistakes go unnoticed, and the tests end
 * early. */
#include "ring3_test.h"

#include "crew.h"
#include "ring3/cond.h"
#include "ring3/rcu.h"
#include "ring3/sem.h"
#include "ring3/spinlock.h"

#include <signal.h>
#include <sys/wait.h>

#ifdef RING3_DEBUG
#define DEBUGGING true
#else
#define DEBUGGING false
#endif

static ring3_spinlock_t lock;
static ring3_mutex_t mutex;
static ring3_cond_t cond;
static ring3_sem_t sem;

static void stops(void body(void), const char *message)
{
    char text[512];
    int status;

    if (!DEBUGGING)
        return;
    status = run_in_child(body, text, sizeof text);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d: %s", status, text);
    check_contains(text, message);
}

static void unlock_twice(void)
{
    ring3_spinlock_lock(&lock);
    ring3_spinlock_unlock(&lock);
    ring3_spinlock_unlock(&lock);
}

static void unlock(int me)
{
    (void)me;
    ring3_spinlock_unlock(&lock);
}

static void unlock_elsewhere(void)
{
    ring3_spinlock_lock(&lock);
    crew_join(crew_start(unlock, 0));
}

TEST(debug, a_spinlock_is_unlocked_by_its_holder_once)
{
    stops(unlock_twice, "unlocked by a context that does not hold it");
    stops(unlock_elsewhere, "unlocked by a context that does not hold it");
}

static void wait_for_semaphore(void)
{
    ring3_spinlock_lock(&lock);
    (void)ring3_sem_wait(&sem);
}

static void wait_for_condition(void)
{
    ring3_mutex_lock(&mutex);
    ring3_spinlock_lock(&lock);
    ring3_cond_wait(&cond, &mutex);
}

static void wait_for_readers(void)
{
    ring3_spinlock_lock(&lock);
    (void)ring3_rcu_synchronize();
}

TEST(debug, nobody_sleeps_under_a_spinlock)
{
    stops(wait_for_semaphore, "sleeping while a spinlock is held");
    stops(wait_for_condition, "sleeping while a spinlock is held");
    stops(wait_for_readers, "sleeping while a spinlock is held");
}

static void post_too_often(void)
{
    (void)ring3_sem_init(&sem, 1, 1, RING3_PRIVATE);
    (void)ring3_sem_post(&sem);
}

TEST(debug, a_semaphore_is_not_posted_above_its_maximum)
{
    stops(post_too_often, "posted above its maximum");
}
