/* SPDX-License-Identifier: MIT */
/* Mutexes of user threads: who waits for whom, and who inherits what. */
#include "threads.h"

#include "ring3/atomic.h"
#include "ring3/thread_mutex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)

static ring3_thread_mutex_t locks[4];
static char order[64];

static void note(char what)
{
    const size_t length = strlen(order);

    if (length + 1 < sizeof order)
        order[length] = what;
}

static void begin(const ring3_runtime_options_t *options, uint32_t how)
{
    memset(order, 0, sizeof order);
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        check_eq(ring3_thread_mutex_init(&locks[i], how), 0);
    start(options);
}

/* --- Priority inversion ----------------------------------------------------------------------- */

/* Priorities 1, 2 and 3 of the notes: 3 has the lock that 1 wants, and 2 wants the CPU. */
static void *third(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    check_eq(ring3_work(10 * MS), 0);
    note('3');
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    check_eq(ring3_work(10 * MS), 0);
    return unused;
}

static void *second(void *unused)
{
    check_eq(ring3_work(100 * MS), 0);
    note('2');
    return unused;
}

static void *first(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    note('1');
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    return unused;
}

static int64_t invert(const char *policy, uint8_t band, uint32_t how)
{
    void *(*const bodies[])(void *) = {first, second, third};
    ring3_thread_t threads[3];
    ring3_thread_stats_t stats;

    begin(&(ring3_runtime_options_t){.workers = 1, .policy = policy, .virtual_clock = true}, how);
    for (int i = 0; i < 3; i++)
        check_eq(ring3_thread_create(&threads[i],
                                     &(ring3_thread_attr_t){.explicit_sched = true,
                                                            .band = band,
                                                            .priority = i + 1,
                                                            .start = (i == 0   ? 3
                                                                      : i == 1 ? 2
                                                                               : 1) *
                                                                     MS},
                                     bodies[i], NULL),
                 0);
    check_eq(ring3_sleep_ns(1000 * MS), 0);
    check_eq(ring3_thread_stats(threads[0], &stats), 0);
    for (int i = 0; i < 3; i++)
        (void)join(threads[i]);
    stop();
    return stats.turnaround;
}

TEST(thread_mutex, without_inheritance_the_second_keeps_the_first_waiting)
{
    /* 3 has worked 1 ms of its 10 when 2 comes and works for 100. */
    check_eq(invert("priority", 0, RING3_THREAD_MUTEX_PLAIN), 108 * MS);
    check_str_eq(order, "231");
}

TEST(thread_mutex, with_inheritance_the_second_waits_for_the_third)
{
    check_eq(invert("priority", 0, 0), 9 * MS);
    check_str_eq(order, "312");
    check_eq(invert("linux", RING3_CLASS_FIFO, 0), 9 * MS);
    check_str_eq(order, "312");
}

/* --- Chains ----------------------------------------------------------------------------------- */

/* Takes its first lock, then wants the one after it, which the thread before it in the chain has. */
static void *link_of_chain(void *place)
{
    const long i = value_of(place);

    check_eq(ring3_thread_mutex_lock(&locks[i]), 0);
    if (i > 0) {
        check_eq(ring3_thread_mutex_lock(&locks[i - 1]), 0);
        check_eq(ring3_thread_mutex_unlock(&locks[i - 1]), 0);
    } else {
        check_eq(ring3_work(20 * MS), 0);
    }
    note((char)('a' + i));
    check_eq(ring3_thread_mutex_unlock(&locks[i]), 0);
    return NULL;
}

/* The later a thread begins, the more urgent it is: each waits for the one before. The last of them
 * makes them all as urgent as itself, so a thread in between comes after all. */
TEST(thread_mutex, urgency_goes_along_the_chain)
{
    ring3_thread_t threads[4], between;

    begin(&(ring3_runtime_options_t){.workers = 1, .policy = "priority", .virtual_clock = true}, 0);
    for (int i = 0; i < 4; i++)
        check_eq(ring3_thread_create(&threads[i],
                                     &(ring3_thread_attr_t){.explicit_sched = true,
                                                            .priority = 100 - 20 * i,
                                                            .start = (i + 1) * MS},
                                     link_of_chain, number(i)),
                 0);
    check_eq(ring3_thread_create(
                 &between,
                 &(ring3_thread_attr_t){.explicit_sched = true, .priority = 50, .start = 6 * MS},
                 second, NULL),
             0);
    check_eq(ring3_sleep_ns(1000 * MS), 0);
    for (int i = 0; i < 4; i++)
        (void)join(threads[i]);
    (void)join(between);
    check_str_eq(order, "abcd2");
    stop();
}

static void *hold_two(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    check_eq(ring3_thread_mutex_lock(&locks[1]), 0);
    check_eq(ring3_work(10 * MS), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[1]), 0); /* the most urgent waited for this one */
    check_eq(ring3_work(10 * MS), 0);
    note('l');
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    check_eq(ring3_work(10 * MS), 0);
    note('e');
    return unused;
}

static void *want(void *place)
{
    const long i = value_of(place);

    check_eq(ring3_thread_mutex_lock(&locks[i]), 0);
    note((char)('0' + i));
    check_eq(ring3_thread_mutex_unlock(&locks[i]), 0);
    return NULL;
}

static void *work_at_55(void *unused)
{
    check_eq(ring3_work(5 * MS), 0);
    note('m');
    return unused;
}

/* The owner of two falls from 10 to 50 and then to its own 90: a thread of 55 comes after the first
 * unlock, and before the end. */
TEST(thread_mutex, an_owner_of_several_falls_back_to_who_still_waits)
{
    static const struct {
        void *(*body)(void *);
        long arg;
        int32_t priority;
        int64_t start;
    } cast[] = {{hold_two, 0, 90, MS},
                {want, 0, 50, 2 * MS},
                {want, 1, 10, 3 * MS},
                {work_at_55, 0, 55, 4 * MS}};
    ring3_thread_t threads[4];

    begin(&(ring3_runtime_options_t){.workers = 1, .policy = "priority", .virtual_clock = true}, 0);
    for (int i = 0; i < 4; i++)
        check_eq(ring3_thread_create(&threads[i],
                                     &(ring3_thread_attr_t){.explicit_sched = true,
                                                            .priority = cast[i].priority,
                                                            .start = cast[i].start},
                                     cast[i].body, number(cast[i].arg)),
                 0);
    check_eq(ring3_sleep_ns(1000 * MS), 0);
    for (int i = 0; i < 4; i++)
        (void)join(threads[i]);
    check_str_eq(order, "1l0me");
    stop();
}

/* --- Giving up -------------------------------------------------------------------------------- */

static void *want_for_a_while(void *unused)
{
    const int64_t until = ring3_runtime_now() + 5 * MS;
    const struct timespec deadline = {until / 1000000000, until % 1000000000};

    (void)unused;
    check_eq(ring3_thread_mutex_trylock(&locks[0]), -EBUSY);
    return number(ring3_thread_mutex_lock_until(&locks[0], &deadline));
}

static void *hold_long(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    for (int i = 0; i < 20; i++) {
        check_eq(ring3_work(MS), 0);
        ring3_thread_yield(); /* to who is as urgent */
    }
    note('h');
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    return unused;
}

/* Who gives up takes its urgency back: the thread in between comes before the owner's end. */
TEST(thread_mutex, who_gives_up_takes_its_urgency_back)
{
    ring3_thread_t owner, waiter, between;

    begin(&(ring3_runtime_options_t){.workers = 1, .policy = "priority", .virtual_clock = true}, 0);
    check_eq(ring3_thread_create(
                 &owner,
                 &(ring3_thread_attr_t){.explicit_sched = true, .priority = 90, .start = MS},
                 hold_long, NULL),
             0);
    check_eq(ring3_thread_create(
                 &waiter,
                 &(ring3_thread_attr_t){.explicit_sched = true, .priority = 10, .start = 2 * MS},
                 want_for_a_while, NULL),
             0);
    check_eq(ring3_thread_create(
                 &between,
                 &(ring3_thread_attr_t){.explicit_sched = true, .priority = 50, .start = 3 * MS},
                 work_at_55, NULL),
             0);
    check_eq(ring3_sleep_ns(1000 * MS), 0);
    check_eq(value_of(join(waiter)), -ETIMEDOUT);
    (void)join(between);
    (void)join(owner);
    check_str_eq(order, "mh");
    stop();
}

/* --- Misuse ----------------------------------------------------------------------------------- */

static void *take_second_then_first(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[1]), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[0]), -EPERM, "somebody else's");
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[1]), 0);
    return unused;
}

static void *end_with_it(void *unused)
{
    check_eq(ring3_thread_mutex_lock(&locks[2]), 0);
    ring3_thread_yield();
    return unused;
}

TEST(thread_mutex, misuse_is_told)
{
    ring3_thread_t other;

    check_eq(ring3_thread_mutex_lock(&locks[0]), -EPERM, "a kernel thread");
    check_eq(ring3_thread_mutex_init(&locks[0], 8), -EINVAL);
    begin(&models[0], 0);
    check_eq(ring3_thread_mutex_lock(&locks[0]), 0);
    check_eq(ring3_thread_mutex_lock(&locks[0]), -EDEADLK);
    check_eq(ring3_thread_mutex_destroy(&locks[0]), -EBUSY);
    other = spawn(take_second_then_first, NULL);
    ring3_thread_yield();
    check_eq(ring3_thread_mutex_lock(&locks[1]), -EDEADLK, "a circle of two");
    check_eq(ring3_thread_mutex_unlock(&locks[0]), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[0]), -EPERM);
    (void)join(other);
    check_eq(ring3_thread_mutex_destroy(&locks[0]), 0);
    /* Who ends with one leaves it to who waits. */
    other = spawn(end_with_it, NULL);
    ring3_thread_yield();
    check_eq(ring3_thread_mutex_lock(&locks[2]), 0);
    check_eq(ring3_thread_mutex_unlock(&locks[2]), 0);
    (void)join(other);
    stop();
}

/* --- Many ------------------------------------------------------------------------------------- */

static long guarded[4];

static void *add(void *seed)
{
    unsigned state = (unsigned)value_of(seed) * 7919 + 1;

    for (long i = 0; i < scaled(2000, 200000); i++) {
        const int which = (int)((state = state * 1103515245 + 12345) >> 16 & 1);

        check_eq(ring3_thread_mutex_lock(&locks[which]), 0);
        guarded[which]++;
        check_eq(ring3_thread_mutex_lock(&locks[2 + which]), 0);
        if (i % 8 == 0)
            ring3_thread_yield();
        guarded[2 + which]++;
        check_eq(ring3_thread_mutex_unlock(&locks[2 + which]), 0);
        check_eq(ring3_thread_mutex_unlock(&locks[which]), 0);
        if (i % 64 == 0)
            check_eq(ring3_thread_set_priority(ring3_thread_self(), (int32_t)(state >> 20 & 63)),
                     0);
    }
    return NULL;
}

TEST(thread_mutex, nothing_is_lost_among_many, 120)
{
    static const char *const policies[] = {"priority", "linux", "o1", "edf"};

    for (int model = 0; model < MODELS; model++)
        for (size_t policy = 0; policy < sizeof policies / sizeof *policies; policy++) {
            ring3_runtime_options_t options = models[model];
            ring3_thread_t threads[12];

            options.policy = policies[policy];
            options.preempt = model < 2;
            memset(guarded, 0, sizeof guarded);
            begin(&options, 0);
            for (int i = 0; i < 12; i++)
                threads[i] = spawn(add, number(i));
            for (int i = 0; i < 12; i++)
                (void)join(threads[i]);
            check_eq(guarded[0] + guarded[1], 12 * scaled(2000, 200000));
            check_eq(guarded[0], guarded[2]);
            check_eq(guarded[1], guarded[3]);
            stop();
        }
}
