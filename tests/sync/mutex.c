/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "exclusion.h"
#include "ring3/mutex.h"
#include "ring3/self.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

static ring3_mutex_t mutex;
static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

/* --- Taking and giving back ------------------------------------------------------------------- */

TEST(mutex, is_four_bytes_and_free_when_zero)
{
    static const ring3_mutex_t zero;
    ring3_mutex_t other = RING3_MUTEX_INIT;

    check_eq(sizeof mutex, 4u);
    check_eq(mutex.word, zero.word);
    check_eq(ring3_mutex_trylock(&mutex), 0);
    check_eq(ring3_mutex_trylock(&mutex), -EBUSY);
    ring3_mutex_unlock(&mutex);
    ring3_mutex_lock(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), -EBUSY);
    ring3_mutex_init(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), 0);
    check_eq(ring3_mutex_trylock(&other), 0);
}

TEST(mutex, the_owner_field_is_never_zero)
{
    static const int strange[] = {-2, -1, 0, 1, 0x7ffe, 0x7fff, 0x8000, 0xffff, 0x10000, 1 << 30};

    for (unsigned i = 0; i < sizeof strange / sizeof *strange; i++) {
        check_ne(ring3_mutex_on(strange[i]), 0u, "CPU %d", strange[i]);
        check_eq(ring3_mutex_on(strange[i]) & ~RING3_MUTEX_OWNER, 0u, "CPU %d", strange[i]);
    }
}

static void acquire(int tid)
{
    (void)tid;
    ring3_mutex_lock(&mutex);
}
static void release(int tid)
{
    (void)tid;
    ring3_mutex_unlock(&mutex);
}

TEST(mutex, excludes_with_four_threads_per_cpu)
{
    const int threads = 4 * cpus(), each = rounds(100000);
    const struct exclusion_result got = run_exclusion(acquire, release, threads, each);

    check_eq(got.violations, 0);
    check_eq(got.acquisitions, (long)threads * each);
    check_eq(mutex.word, 0u, "owner or reservation left behind");
}

static void acquire_somehow(int tid)
{
    struct timespec deadline;

    if (tid % 4 == 0) {
        ring3_mutex_lock(&mutex);
    } else if (tid % 4 == 1) {
        while (ring3_mutex_trylock(&mutex) == -EBUSY)
            sched_yield();
    } else {
        do
            deadline = ring3_deadline_in(clocks[tid % 2], 10000);
        while (ring3_mutex_clocklock(&mutex, clocks[tid % 2], &deadline) == -ETIMEDOUT);
    }
}

TEST(mutex, excludes_when_waiting_polling_and_timed_threads_mix)
{
    const struct exclusion_result got =
        run_exclusion(acquire_somehow, release, 4 * cpus(), rounds(20000));

    check_eq(got.violations, 0);
    check_eq(mutex.word, 0u, "owner or reservation left behind");
}

/* --- Deadlines -------------------------------------------------------------------------------- */

TEST(mutex, timed_gives_up_after_the_deadline_and_not_before)
{
    ring3_mutex_lock(&mutex);
    for (int i = 0; i < 2; i++)
        for (int ms = 0; ms <= 20; ms += 5) {
            const struct timespec deadline = ring3_deadline_in(clocks[i], ms * 1000000L);

            check_eq(ring3_mutex_clocklock(&mutex, clocks[i], &deadline), -ETIMEDOUT);
            check(ring3_deadline_passed(clocks[i], &deadline), "%d ms on clock %d", ms, i);
        }
    ring3_mutex_unlock(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), 0);
}

static void *hold_for_10_ms(void *held)
{
    ring3_mutex_lock(&mutex);
    pthread_barrier_wait(held);
    sleep_ms(10);
    ring3_mutex_unlock(&mutex);
    return NULL;
}

TEST(mutex, timed_takes_a_mutex_that_is_released_in_time)
{
    pthread_barrier_t held;

    check_eq(pthread_barrier_init(&held, NULL, 2), 0);
    for (int i = 0; i < 3; i++) {
        const struct timespec deadline = ring3_deadline_in(clocks[i % 2], 20 * RING3_SECOND_NS);
        pthread_t holder;

        check_eq(pthread_create(&holder, NULL, hold_for_10_ms, &held), 0);
        pthread_barrier_wait(&held);
        check_eq(ring3_mutex_clocklock(&mutex, clocks[i % 2], i < 2 ? &deadline : NULL), 0);
        ring3_mutex_unlock(&mutex);
        check_eq(pthread_join(holder, NULL), 0);
    }
}

TEST(mutex, odd_deadlines_and_clocks)
{
    const struct timespec past = {1, 0}, before_the_epoch = {-3, 0}, far = {1L << 40, 0};
    const struct timespec malformed[] = {{5, -1}, {5, 1000000000}};

    check_eq(ring3_mutex_timedlock(&mutex, &past), 0, "what is free is had");
    check_eq(ring3_mutex_timedlock(&mutex, &past), -ETIMEDOUT);
    check_eq(ring3_mutex_timedlock(&mutex, &before_the_epoch), -ETIMEDOUT);
    check_eq(ring3_mutex_clocklock(&mutex, CLOCK_REALTIME, &before_the_epoch), -ETIMEDOUT);
    ring3_mutex_unlock(&mutex);
    check_eq(ring3_mutex_timedlock(&mutex, &far), 0);
    ring3_mutex_unlock(&mutex);
    for (int i = 0; i < 2; i++) {
        check_eq(ring3_mutex_timedlock(&mutex, &malformed[i]), -EINVAL);
        check_eq(ring3_mutex_clocklock(&mutex, CLOCK_REALTIME, &malformed[i]), -EINVAL);
    }
    check_eq(ring3_mutex_clocklock(&mutex, CLOCK_BOOTTIME, &far), -EINVAL);
    check_eq(ring3_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, NULL), -EINVAL);
    check_eq(ring3_mutex_trylock(&mutex), 0, "a refusal takes nothing");
}

/* --- Fairness --------------------------------------------------------------------------------- */

/*
 * A context whose parker is a script: instead of sleeping it plays the other threads, so that each
 * crossing of theirs happens exactly here.
 */
static struct {
    void (*scene[8])(void);
    int parks;
} script;

static int play_scene(ring3_self_t *self, const uint32_t *word, uint32_t expected, clockid_t clock,
                      const struct timespec *deadline)
{
    (void)self, (void)word, (void)expected, (void)clock, (void)deadline;
    check_lt(script.parks, 8);
    check(script.scene[script.parks] != NULL, "parked once more than the script has scenes");
    script.scene[script.parks++]();
    return 0;
}

static void (*at_claim)(void);

static void *scripted_claim(ring3_self_t *self, uint32_t *word)
{
    (void)word;
    if (at_claim)
        at_claim();
    return self;
}
static void scripted_unpark(void *claimed)
{
    (void)claimed;
}
static void scripted_yield(ring3_self_t *self)
{
    (void)self;
}

static const ring3_parker_t scripted = {play_scene, scripted_claim, scripted_unpark,
                                        scripted_yield};

static void pass_it_over_for_2_ms(void)
{
    sleep_ms(2);
    ring3_mutex_unlock(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), 0, "within the slice a newcomer may pass");
}

static ring3_self_t *newcomer;

static void be_kept_out(void)
{
    const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, 3000000);
    ring3_self_t *const waiter = ring3_self_switch(newcomer);

    check(mutex.word & RING3_MUTEX_RESERVED,
          "passed over for more than 1 ms, and nothing reserved");
    ring3_mutex_unlock(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), -EBUSY, "a newcomer passed a reservation");
    check_eq(ring3_mutex_timedlock(&mutex, &soon), -ETIMEDOUT, "a newcomer waited and passed");
    (void)ring3_self_switch(waiter);
}

TEST(mutex, a_waiter_passed_over_for_a_millisecond_keeps_newcomers_out)
{
    ring3_self_t waiter = {.parker = &scripted, .id = 1};

    ring3_mutex_lock(&mutex);
    script.scene[0] = pass_it_over_for_2_ms;
    script.scene[1] = be_kept_out;
    newcomer = ring3_self_switch(&waiter);
    ring3_mutex_lock(&mutex);
    check_eq(script.parks, 2);
    check_eq(mutex.word & ~RING3_MUTEX_OWNER, 0u, "whoever takes it clears the reservation");
    ring3_mutex_unlock(&mutex);
    (void)ring3_self_switch(newcomer);
    check_eq(ring3_mutex_trylock(&mutex), 0);
}

static void pass_it_over_until_late(void)
{
    check(mutex.word & RING3_MUTEX_RESERVED);
    sleep_ms(20);
}

static int play_scene_or_time_out(ring3_self_t *self, const uint32_t *word, uint32_t expected,
                                  clockid_t clock, const struct timespec *deadline)
{
    (void)play_scene(self, word, expected, clock, deadline);
    return ring3_deadline_passed(clock, deadline) ? -ETIMEDOUT : 0;
}

TEST(mutex, a_reservation_ends_when_its_waiter_gives_up)
{
    static const ring3_parker_t timed = {play_scene_or_time_out, scripted_claim, scripted_unpark,
                                         scripted_yield};
    const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 15 * 1000000);
    ring3_self_t waiter = {.parker = &timed, .id = 1};
    ring3_self_t *before;

    ring3_mutex_lock(&mutex);
    script.scene[0] = pass_it_over_for_2_ms;
    script.scene[1] = pass_it_over_until_late;
    before = ring3_self_switch(&waiter);
    check_eq(ring3_mutex_timedlock(&mutex, &deadline), -ETIMEDOUT);
    (void)ring3_self_switch(before);
    check_eq(mutex.word & RING3_MUTEX_RESERVED, 0u);
    ring3_mutex_unlock(&mutex);
    check_eq(ring3_mutex_trylock(&mutex), 0);
}

static void hand_it_over(void)
{
    const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, 3000000);
    ring3_self_t *const waiter = ring3_self_switch(newcomer);

    ring3_mutex_unlock_fair(&mutex);
    check_eq(mutex.word, RING3_MUTEX_RESERVED, "it is kept for the waiter at once");
    check_eq(ring3_mutex_trylock(&mutex), -EBUSY, "a newcomer passed");
    check_eq(ring3_mutex_timedlock(&mutex, &soon), -ETIMEDOUT, "a newcomer waited and passed");
    check_eq(mutex.word, RING3_MUTEX_RESERVED, "who was not first takes no reservation back");
    (void)ring3_self_switch(waiter);
}

TEST(mutex, a_fair_unlock_is_for_the_first_waiter)
{
    ring3_self_t waiter = {.parker = &scripted, .id = 1};

    ring3_mutex_lock(&mutex);
    script.scene[0] = hand_it_over;
    newcomer = ring3_self_switch(&waiter);
    ring3_mutex_lock(&mutex);
    check_eq(script.parks, 1);
    check_eq(mutex.word & ~RING3_MUTEX_OWNER, 0u);
    ring3_mutex_unlock_fair(&mutex);
    (void)ring3_self_switch(newcomer);
    check_eq(mutex.word, 0u, "nobody waits: it is free for all");
}

static void hand_it_over_too_late(void)
{
    ring3_mutex_unlock_fair(&mutex);
    sleep_ms(20);
}

static int play_scene_and_time_out(ring3_self_t *self, const uint32_t *word, uint32_t expected,
                                   clockid_t clock, const struct timespec *deadline)
{
    (void)play_scene(self, word, expected, clock, deadline);
    return -ETIMEDOUT;
}

TEST(mutex, a_fair_unlock_leaves_no_reservation_for_nobody)
{
    static const ring3_parker_t timed = {play_scene_and_time_out, scripted_claim, scripted_unpark,
                                         scripted_yield};
    const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 15 * 1000000);
    ring3_self_t waiter = {.parker = &timed, .id = 1};
    ring3_self_t *before;

    ring3_mutex_lock(&mutex);
    script.scene[0] = hand_it_over_too_late;
    before = ring3_self_switch(&waiter);
    const int got = ring3_mutex_timedlock(&mutex, &deadline);

    (void)ring3_self_switch(before);
    /* Called at the deadline it may have taken the mutex after all. */
    if (got == 0)
        ring3_mutex_unlock(&mutex);
    else
        check_eq(got, -ETIMEDOUT);
    check_eq(mutex.word, 0u, "a reservation that is for nobody");
    check_eq(ring3_mutex_trylock(&mutex), 0);
}

static void acquire_fair(int tid)
{
    (void)tid;
    ring3_mutex_lock(&mutex);
}

static void release_some_way(int tid)
{
    if (tid % 2)
        ring3_mutex_unlock_fair(&mutex);
    else
        ring3_mutex_unlock(&mutex);
}

TEST(mutex, excludes_when_fair_and_other_unlocks_mix, 60)
{
    check_eq(run_exclusion(acquire_fair, release_some_way, 4 * cpus(), rounds(2000)).violations, 0);
    check_eq(mutex.word, 0u);
}

static struct {
    bool stop;
    long turns;
} hammer;

static void *hold_again_and_again(void *unused)
{
    (void)unused;
    while (!ring3_load(&hammer.stop, RING3_RELAXED)) {
        ring3_mutex_lock(&mutex);
        for (volatile int i = 0; i < 3000; i = i + 1)
            ;
        ring3_fetch_add(&hammer.turns, 1, RING3_RELAXED);
        ring3_mutex_unlock(&mutex);
    }
    return NULL;
}

/* Progress on both sides, on one CPU and on all of them. */
TEST(mutex, a_hammering_thread_does_not_starve_a_waiter)
{
    for (int alone = 0; alone < 2; alone++) {
        pthread_t thread;

        if (alone)
            stay_on_cpu(0);
        hammer.stop = false;
        hammer.turns = 0;
        check_eq(pthread_create(&thread, NULL, hold_again_and_again, NULL), 0);
        for (int i = 0; i < 100; i++) {
            const long before = ring3_load(&hammer.turns, RING3_RELAXED);

            ring3_mutex_lock(&mutex);
            ring3_mutex_unlock(&mutex);
            while (ring3_load(&hammer.turns, RING3_RELAXED) == before)
                sched_yield();
        }
        ring3_store(&hammer.stop, true, RING3_RELAXED);
        check_eq(pthread_join(thread, NULL), 0);
    }
}

/* --- After the store that frees it ------------------------------------------------------------ */

#define PAGE 4096
static ring3_mutex_t *in_page;

static ring3_mutex_t *map_page(void)
{
    void *const page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(page != MAP_FAILED);
    return page;
}

static void lose_the_page(void)
{
    check_eq(mprotect(in_page, PAGE, PROT_NONE), 0);
}

/* The waiter's claim is the first thing a release runs that the test can see: the page goes then.
 */
static void unlock_a_vanishing_mutex(void)
{
    at_claim = lose_the_page;
    ring3_mutex_unlock(in_page);
    at_claim = NULL;
    check_eq(mprotect(in_page, PAGE, PROT_READ | PROT_WRITE), 0);
}

TEST(mutex, waking_touches_only_the_table)
{
    ring3_self_t waiter = {.parker = &scripted, .id = 1};
    ring3_self_t *before;

    in_page = map_page();
    ring3_mutex_lock(in_page);
    script.scene[0] = unlock_a_vanishing_mutex;
    before = ring3_self_switch(&waiter);
    ring3_mutex_lock(in_page);
    ring3_mutex_unlock(in_page);
    (void)ring3_self_switch(before);
    check_eq(script.parks, 1);
}

static ring3_mutex_t *handed;
static bool asking;

static void *take_and_unmap(void *unused)
{
    ring3_mutex_t *mine;

    (void)unused;
    stay_on_cpu(1);
    for (;;) {
        while (!(mine = ring3_exchange(&handed, (ring3_mutex_t *)NULL, RING3_ACQ_REL)))
            sched_yield();
        if (mine == &mutex)
            return NULL;
        ring3_store(&asking, true, RING3_RELEASE);
        ring3_mutex_lock(mine);
        munmap(mine, PAGE);
    }
}

/* The next owner frees the memory, whether it was spinning, about to sleep, or asleep. */
TEST(mutex, unlock_touches_nothing_after_its_store)
{
    pthread_t thread;

    stay_on_cpu(0);
    check_eq(pthread_create(&thread, NULL, take_and_unmap, NULL), 0);
    for (int i = 0; i < rounds(6000); i++) {
        ring3_mutex_t *const mine = map_page();

        ring3_mutex_lock(mine);
        ring3_store(&handed, mine, RING3_RELEASE);
        while (!ring3_load(&asking, RING3_ACQUIRE))
            sched_yield();
        ring3_store(&asking, false, RING3_RELAXED);
        for (volatile int j = 0; j < i * 7 % 5000; j = j + 1)
            ;
        ring3_mutex_unlock(mine);
        while (ring3_load(&handed, RING3_RELAXED))
            sched_yield();
    }
    ring3_store(&handed, &mutex, RING3_RELEASE);
    check_eq(pthread_join(thread, NULL), 0);
}

/* --- The end of threads ----------------------------------------------------------------------- */

static pthread_key_t key;
static long destructors;

static void lock_in_destructor(void *value)
{
    ring3_mutex_lock(&mutex);
    sched_yield();
    destructors++;
    /* Once more in the next round of destructors. */
    if (value == &key)
        pthread_setspecific(key, &destructors);
    ring3_mutex_unlock(&mutex);
}

static void *end_with_a_destructor(void *unused)
{
    (void)unused;
    pthread_setspecific(key, &key);
    return NULL;
}

TEST(mutex, destructors_of_ending_threads_may_lock)
{
    pthread_t thread[8];

    check_eq(pthread_key_create(&key, lock_in_destructor), 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 8; i++)
            check_eq(pthread_create(&thread[i], NULL, end_with_a_destructor, NULL), 0);
        for (int i = 0; i < 8; i++)
            check_eq(pthread_join(thread[i], NULL), 0);
    }
    check_eq(destructors, 20 * 8 * 2);
}

/* --- What the compiler may assume ------------------------------------------------------------- */

/* A static that does not escape: only the lock tells the compiler that others change it. */
static int guarded;

static void *raise_guarded(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        ring3_mutex_lock(&mutex);
        guarded++;
        ring3_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(mutex, guards_a_static_that_never_escapes)
{
    pthread_t thread[4];

    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&thread[i], NULL, raise_guarded, NULL), 0);
    for (int i = 0; i < 4; i++)
        check_eq(pthread_join(thread[i], NULL), 0);
    check_eq(guarded, 40000);
}
