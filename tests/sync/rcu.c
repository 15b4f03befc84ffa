/* SPDX-License-Identifier: MIT */
/* RCU: nothing is freed under a reader, and everything is freed in the end. */
#include "ring3_test.h"

#include "crew.h"
#include "exclusion.h"
#include "ring3/rcu.h"
#include "ring3/rcu_list.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Torture: readers look at an object twice, writers poison what they have replaced --------- */

enum { ALIVE = 0x600d, POISON = 0xdead, READERS = 3, OBJECTS = 64 };

struct object {
    ring3_rcu_head_t head;
    int state, copy; /* `copy` is plain, so that TSan sees a missing order */
    uint32_t busy;
};

/* A pool, so that reading a poisoned object is wrong but harmless. */
static struct object pool[OBJECTS];
static struct object *current;
static int stop;
static long poisoned, reused;

static struct object *get_object(void)
{
    for (unsigned i = 0;; i++) {
        struct object *const object = &pool[i % OBJECTS];

        /* Pairs with the release in `bury`. */
        if (ring3_exchange(&object->busy, 1, RING3_ACQUIRE) == 0) {
            object->copy = ALIVE;
            ring3_store(&object->state, ALIVE, RING3_RELAXED);
            return object;
        }
        if (i % OBJECTS == OBJECTS - 1)
            sched_yield();
    }
}

static void bury(struct object *object)
{
    ring3_store(&object->state, POISON, RING3_RELAXED);
    object->copy = POISON;
    ring3_fetch_add(&reused, 1, RING3_RELAXED);
    ring3_store(&object->busy, 0, RING3_RELEASE);
}

static void bury_head(ring3_rcu_head_t *head)
{
    bury(ring3_container_of(head, struct object, head));
}

/* One section; now and then a long one. */
static void look(int round, void enter(void), void leave(void), bool plain)
{
    enter();
    const struct object *const object = ring3_rcu_dereference(&current);

    if (round % 64 == 63)
        sched_yield();
    if (round % 512 == 511)
        nanosleep(&(struct timespec){0, 300000}, NULL);
    if (ring3_load(&object->state, RING3_RELAXED) != ALIVE || (plain && object->copy != ALIVE))
        ring3_fetch_add(&poisoned, 1, RING3_RELAXED);
    leave();
}

static void nothing(void) {}

static void memb_reader(int me)
{
    (void)me;
    for (int round = 0; !ring3_load(&stop, RING3_RELAXED); round++)
        look(round, ring3_rcu_read_lock, ring3_rcu_read_unlock, true);
}

static void nested_reader(int me)
{
    (void)me;
    for (int round = 0; !ring3_load(&stop, RING3_RELAXED); round++) {
        ring3_rcu_read_lock();
        look(round, ring3_rcu_read_lock, ring3_rcu_read_unlock, true);
        look(round, ring3_rcu_read_lock, ring3_rcu_read_unlock, true);
        ring3_rcu_read_unlock();
    }
}

static void qsbr_reader(int me)
{
    (void)me;
    ring3_qsbr_online();
    for (int round = 0; !ring3_load(&stop, RING3_RELAXED); round++) {
        look(round, ring3_qsbr_read_lock, ring3_qsbr_quiescent, true);
        if (round % 100 == 99) {
            ring3_qsbr_offline();
            ring3_qsbr_online();
        }
    }
    ring3_qsbr_offline();
}

static void unprotected_reader(int me)
{
    (void)me;
    for (int round = 0; !ring3_load(&stop, RING3_RELAXED); round++)
        look(round, nothing, nothing, false);
}

static struct object *replace(void)
{
    struct object *const fresh = get_object();

    return ring3_exchange(&current, fresh, RING3_ACQ_REL);
}

static void torture(void reader(int), void write(int round), long rounds)
{
    pthread_t readers[READERS];

    stop = 0;
    poisoned = reused = 0;
    ring3_store(&current, get_object(), RING3_RELEASE);
    for (int i = 0; i < READERS; i++)
        readers[i] = crew_start(reader, i);
    for (int round = 0; round < rounds; round++)
        write(round);
    ring3_store(&stop, 1, RING3_RELAXED);
    for (int i = 0; i < READERS; i++)
        crew_join(readers[i]);
}

static void write_and_wait(int round)
{
    struct object *const old = replace();

    (void)round;
    check_eq(ring3_rcu_synchronize(), 0);
    bury(old);
}

static void write_and_call(int round)
{
    struct object *const old = replace();

    (void)round;
    ring3_rcu_call(&old->head, bury_head);
}

static void write_qsbr(int round)
{
    struct object *const old = replace();

    if (round % 2) {
        ring3_rcu_call_domain(RING3_RCU_QSBR, &old->head, bury_head);
    } else {
        check_eq(ring3_rcu_synchronize_domain(RING3_RCU_QSBR), 0);
        bury(old);
    }
}

static void write_at_once(int round)
{
    (void)round;
    bury(replace());
    sched_yield();
}

TEST(rcu, synchronize_lets_no_reader_see_poison, 60)
{
    torture(memb_reader, write_and_wait, scaled(1500, 100000));
    check_eq(poisoned, 0);
    torture(nested_reader, write_and_wait, scaled(500, 50000));
    check_eq(poisoned, 0);
}

TEST(rcu, call_lets_no_reader_see_poison_and_calls_all, 60)
{
    const long rounds = scaled(3000, 200000);

    torture(memb_reader, write_and_call, rounds);
    check_eq(ring3_rcu_barrier(), 0);
    check_eq(poisoned, 0);
    check_eq(reused, rounds);
}

TEST(rcu, qsbr_readers_see_no_poison, 60)
{
    const long rounds = scaled(1000, 50000);

    torture(qsbr_reader, write_qsbr, rounds);
    check_eq(ring3_rcu_barrier_domain(RING3_RCU_QSBR), 0);
    check_eq(poisoned, 0);
    check_eq(reused, rounds);
}

/* The oracle of the tests above works: without a grace period it sees poison. */
TEST(rcu, the_torture_sees_a_missing_grace_period, 60)
{
    for (int i = 0; i < 1000 && ring3_load(&poisoned, RING3_RELAXED) == 0; i++)
        torture(unprotected_reader, write_at_once, 1000);
    check_gt(poisoned, 0L);
}

/* --- What is promised, one by one ------------------------------------------------------------- */

static ring3_rcu_domain_t where;
static uint32_t inside, go_on, returned;

static void stay_inside(int me)
{
    (void)me;
    ring3_rcu_enter(where);
    ring3_store(&inside, 1, RING3_RELEASE);
    crew_until_quietly(ring3_load(&go_on, RING3_ACQUIRE));
    ring3_rcu_leave(where);
}

static void synchronize(int me)
{
    check_eq(ring3_rcu_synchronize_domain((ring3_rcu_domain_t)me), 0);
    ring3_store(&returned, 1, RING3_RELEASE);
}

TEST(rcu, waits_for_a_sleeping_reader_of_its_domain_only)
{
    ring3_rcu_domain_t other;

    check_eq(ring3_rcu_open(&where), 0);
    check_eq(ring3_rcu_open(&other), 0);
    check_ne(where, other);

    const pthread_t reader = crew_start(stay_inside, 0);

    crew_until(ring3_load(&inside, RING3_ACQUIRE));
    check_eq(ring3_rcu_synchronize_domain(other), 0);
    check_eq(ring3_rcu_synchronize(), 0);

    const pthread_t writer = crew_start(synchronize, (int)where);

    sleep_ms(50);
    check_eq(ring3_load(&returned, RING3_ACQUIRE), 0u, "it did not wait for the reader");
    ring3_store(&go_on, 1, RING3_RELEASE);
    crew_join(writer);
    crew_join(reader);
    ring3_rcu_close(where);
    ring3_rcu_close(other);
}

TEST(rcu, a_later_reader_is_not_waited_for)
{
    where = RING3_RCU_DEFAULT;
    for (int i = 0; i < 100; i++)
        check_eq(ring3_rcu_synchronize(), 0);
    const uint64_t period = ring3_load(&ring3_rcu_periods[0].period, RING3_RELAXED);

    ring3_rcu_read_lock();
    const pthread_t early = crew_start(synchronize, RING3_RCU_DEFAULT);

    /* The period we are in is over when somebody waits: those who begin now are of the next. */
    crew_until_quietly(ring3_load(&ring3_rcu_periods[0].period, RING3_RELAXED) > period);
    const pthread_t late = crew_start(stay_inside, 0);

    crew_until(ring3_load(&inside, RING3_ACQUIRE));
    ring3_rcu_read_unlock();
    crew_join(early);
    ring3_store(&go_on, 1, RING3_RELEASE);
    crew_join(late);
}

TEST(rcu, misuse_is_refused)
{
    ring3_rcu_domain_t domain, opened[RING3_READER_DOMAINS];
    int count = 0;

    ring3_rcu_read_lock();
    check(ring3_rcu_reading(RING3_RCU_DEFAULT));
    check_eq(ring3_rcu_synchronize(), -EDEADLK);
    check_eq(ring3_rcu_barrier(), -EDEADLK);
    ring3_rcu_read_unlock();
    check(!ring3_rcu_reading(RING3_RCU_DEFAULT));
    check_eq(ring3_rcu_synchronize(), 0);
    check_eq(ring3_rcu_synchronize_domain(RING3_READER_DOMAINS), -EINVAL);
    check_eq(ring3_rcu_synchronize_domain(5), -EINVAL);
    while (ring3_rcu_open(&domain) == 0)
        opened[count++] = domain;
    check_eq(count, RING3_READER_DOMAINS - 2);
    check_eq(ring3_rcu_open(&domain), -ENOSPC);
    while (count > 0)
        ring3_rcu_close(opened[--count]);
}

static ring3_rcu_head_t heads[100];
static int called, out_of_order, barrier_result;

static void note(ring3_rcu_head_t *head)
{
    out_of_order += head != &heads[called];
    called++;
}

static void wait_inside(ring3_rcu_head_t *head)
{
    (void)head;
    barrier_result = ring3_rcu_barrier();
}

TEST(rcu, callbacks_come_in_order_and_all_before_the_barrier_ends)
{
    ring3_rcu_head_t head;

    for (int i = 0; i < 100; i++)
        ring3_rcu_call(&heads[i], note);
    check_eq(ring3_rcu_barrier(), 0);
    check_eq(called, 100);
    check_eq(out_of_order, 0);
    ring3_rcu_call(&head, wait_inside);
    check_eq(ring3_rcu_barrier(), 0);
    check_eq(barrier_result, -EDEADLK);
}

static void count_call(ring3_rcu_head_t *head)
{
    (void)head;
    ring3_fetch_add(&returned, 1, RING3_RELEASE);
}

TEST(rcu, callbacks_come_without_anybody_waiting)
{
    ring3_rcu_head_t first, second;

    ring3_rcu_call(&first, count_call);
    crew_until_quietly(ring3_load(&returned, RING3_ACQUIRE) == 1);
    ring3_rcu_call(&second, count_call);
    crew_until_quietly(ring3_load(&returned, RING3_ACQUIRE) == 2);
}

static void leave_while_reading(int me)
{
    (void)me;
    ring3_rcu_read_lock();
    ring3_qsbr_online();
}

TEST(rcu, a_thread_that_ends_reads_no_more_and_its_record_is_used_again)
{
    ring3_reader_t *const before = ring3_reader();

    for (int i = 0; i < 1000; i++)
        crew_join(crew_start(leave_while_reading, i));
    check_eq(ring3_rcu_synchronize(), 0);
    check_eq(ring3_rcu_synchronize_domain(RING3_RCU_QSBR), 0);
    check(ring3_reader() == before);
}

static void read_with_many(int me)
{
    (void)me;
    ring3_rcu_read_lock();
    ring3_fetch_add(&inside, 1, RING3_RELAXED);
    crew_until_quietly(ring3_load(&go_on, RING3_ACQUIRE));
    ring3_rcu_read_unlock();
}

TEST(rcu, more_readers_than_the_first_records, 60)
{
    enum { MANY = 150 };
    pthread_t threads[MANY];

    for (int i = 0; i < MANY; i++)
        threads[i] = crew_start(read_with_many, i);
    crew_until_quietly(ring3_load(&inside, RING3_RELAXED) == MANY);
    const pthread_t writer = crew_start(synchronize, RING3_RCU_DEFAULT);

    sleep_ms(20);
    check_eq(ring3_load(&returned, RING3_ACQUIRE), 0u);
    ring3_store(&go_on, 1, RING3_RELEASE);
    crew_join(writer);
    for (int i = 0; i < MANY; i++)
        crew_join(threads[i]);
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void read_in_handler(int signal)
{
    (void)signal;
    const int saved = errno;

    look(0, ring3_rcu_read_lock, ring3_rcu_read_unlock, false);
    errno = saved;
}

static void pelt_readers(int round)
{
    write_and_wait(round);
    check_eq(kill(getpid(), SIGUSR1), 0);
}

TEST(rcu, sections_in_signal_handlers_hold_too, 60)
{
    const struct sigaction action = {.sa_handler = read_in_handler};

    ring3_store(&current, get_object(), RING3_RELEASE);
    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    torture(memb_reader, pelt_readers, scaled(500, 50000));
    check_eq(poisoned, 0);
    check(!ring3_rcu_reading(RING3_RCU_DEFAULT));
}

/* --- Stalls ----------------------------------------------------------------------------------- */

static void stall(void)
{
    ring3_rcu_stall_after(1);
    const pthread_t reader = crew_start(stay_inside, 0);

    check_eq(pthread_setname_np(reader, "slowcoach"), 0);
    crew_until_quietly(ring3_load(&inside, RING3_ACQUIRE));
    const pthread_t writer = crew_start(synchronize, RING3_RCU_DEFAULT);

    sleep_ms(1500);
    ring3_store(&go_on, 1, RING3_RELEASE);
    crew_join(writer);
    crew_join(reader);
}

TEST(rcu, a_stalled_reader_is_called_by_its_name)
{
    char text[512];

    where = RING3_RCU_DEFAULT;
    check_eq(run_in_child(stall, text, sizeof text), 0);
    check_contains(text, "ring3: rcu: thread ");
    check_contains(text, " has been reading in domain 0 for 1 seconds");
    if (!under_qemu())
        check_contains(text, "(slowcoach)");
}

/* --- Fork ------------------------------------------------------------------------------------- */

static ring3_rcu_head_t pending[3];

static void in_the_child(void)
{
    /* The thread that was reading is not here, and we still are. */
    check(ring3_rcu_reading(RING3_RCU_DEFAULT));
    check_eq(ring3_rcu_synchronize(), -EDEADLK);
    ring3_rcu_read_unlock();
    check_eq(ring3_rcu_synchronize(), 0);
    /* What waited for it is called now. */
    check_eq(ring3_rcu_barrier(), 0);
    check_eq(ring3_load(&returned, RING3_ACQUIRE), 3u);
}

TEST(rcu, a_child_of_fork_goes_on_alone)
{
    if (under_qemu())
        return;
    where = RING3_RCU_DEFAULT;
    const pthread_t reader = crew_start(stay_inside, 0);

    crew_until_quietly(ring3_load(&inside, RING3_ACQUIRE));
    for (int i = 0; i < 3; i++)
        ring3_rcu_call(&pending[i], count_call);
    sleep_ms(20);
    ring3_rcu_read_lock();
    const pid_t child = crew_fork(in_the_child);

    check_child(child);
    ring3_rcu_read_unlock();
    check_eq(ring3_load(&returned, RING3_ACQUIRE), 0u);
    ring3_store(&go_on, 1, RING3_RELEASE);
    crew_join(reader);
    check_eq(ring3_rcu_barrier(), 0);
    check_eq(ring3_load(&returned, RING3_ACQUIRE), 3u);
}
