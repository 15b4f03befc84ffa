/* SPDX-License-Identifier: MIT */
/* Deadlines, futexes, waiting policies, pauses, the machine, and the fence pair. */
#include "ring3_test.h"

#include "exclusion.h"
#include "ring3/mutex.h"
#include "ring3/wait.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
static const struct timespec past = {1, 0}, before_the_epoch = {-1, 999999999};
static uint32_t word;

/* --- Deadlines -------------------------------------------------------------------------------- */

TEST(deadline, in_carries_and_borrows)
{
    static const int64_t steps[] = {0,          1,          999999999,   1000000000, 1999999999,
                                    -1,         -999999999, -1000000001, 1500000000, 86400000000000,
                                    -2500000000};

    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct timespec before, after;

        clock_gettime(CLOCK_MONOTONIC, &before);
        const struct timespec when = ring3_deadline_in(CLOCK_MONOTONIC, steps[i]);
        clock_gettime(CLOCK_MONOTONIC, &after);

        const int64_t at = when.tv_sec * RING3_SECOND_NS + when.tv_nsec - steps[i];

        check_ge(when.tv_nsec, 0L, "%lld", (long long)steps[i]);
        check_lt(when.tv_nsec, RING3_SECOND_NS, "%lld", (long long)steps[i]);
        check_ge(at, before.tv_sec * RING3_SECOND_NS + before.tv_nsec, "%lld", (long long)steps[i]);
        check_le(at, after.tv_sec * RING3_SECOND_NS + after.tv_nsec, "%lld", (long long)steps[i]);
    }
}

TEST(deadline, check_knows_two_clocks_and_a_whole_second)
{
    const struct timespec good[] = {{0, 0}, {5, 999999999}, {-7, 5}};
    const struct timespec bad[] = {{0, -1}, {0, 1000000000}, {5, INT32_MAX}};

    for (int i = 0; i < 3; i++) {
        check_eq(ring3_deadline_check(CLOCK_MONOTONIC, &good[i]), 0);
        check_eq(ring3_deadline_check(CLOCK_REALTIME, &good[i]), 0);
        check_eq(ring3_deadline_check(CLOCK_MONOTONIC, &bad[i]), -EINVAL);
        check_eq(ring3_deadline_check(CLOCK_BOOTTIME, &good[i]), -EINVAL);
    }
    check_eq(ring3_deadline_check(CLOCK_REALTIME, NULL), 0);
    check_eq(ring3_deadline_check(CLOCK_THREAD_CPUTIME_ID, NULL), -EINVAL);
}

TEST(deadline, passed)
{
    for (int i = 0; i < 2; i++) {
        const struct timespec later = ring3_deadline_in(clocks[i], 60 * RING3_SECOND_NS);
        const struct timespec now = ring3_deadline_in(clocks[i], 0);

        check(ring3_deadline_passed(clocks[i], &past));
        check(ring3_deadline_passed(clocks[i], &before_the_epoch));
        check(ring3_deadline_passed(clocks[i], &now));
        check(!ring3_deadline_passed(clocks[i], &later));
        check(!ring3_deadline_passed(clocks[i], NULL));
    }
}

/* --- Futex ------------------------------------------------------------------------------------ */

TEST(futex, tells_why_it_did_not_sleep_and_leaves_errno)
{
    const struct timespec malformed = {5, 1000000000};

    errno = 77;
    for (int shared = RING3_PRIVATE; shared <= RING3_SHARED; shared++)
        for (int i = 0; i < 2; i++) {
            check_eq(ring3_futex_wait(&word, 1, shared, clocks[i], NULL), -EAGAIN);
            check_eq(ring3_futex_wait(&word, 1, shared, clocks[i], &before_the_epoch), -EAGAIN);
            check_eq(ring3_futex_wait(&word, 0, shared, clocks[i], &past), -ETIMEDOUT);
            check_eq(ring3_futex_wait(&word, 0, shared, clocks[i], &before_the_epoch), -ETIMEDOUT);
            check_eq(ring3_futex_wait(&word, 0, shared, clocks[i], &malformed), -EINVAL);
        }
    check_eq(ring3_futex_wake(&word, 1, RING3_PRIVATE), 0);
    check_eq(errno, 77);
}

TEST(futex, sleeps_until_the_deadline_on_either_clock)
{
    for (int i = 0; i < 2; i++) {
        const struct timespec deadline = ring3_deadline_in(clocks[i], 15000000);

        check_eq(ring3_futex_wait(&word, 0, RING3_PRIVATE, clocks[i], &deadline), -ETIMEDOUT);
        check(ring3_deadline_passed(clocks[i], &deadline));
    }
}

static void *sleep_on_word(void *result)
{
    *(int *)result = ring3_futex_wait(&word, 0, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    return NULL;
}

TEST(futex, wake_tells_how_many)
{
    pthread_t thread[3];
    int result[3], woken = 0;

    for (int i = 0; i < 3; i++)
        check_eq(pthread_create(&thread[i], NULL, sleep_on_word, &result[i]), 0);
    while (woken < 3) {
        const int now = ring3_futex_wake(&word, 2, RING3_PRIVATE);

        check_le(now, 2);
        woken += now;
        sched_yield();
    }
    for (int i = 0; i < 3; i++) {
        check_eq(pthread_join(thread[i], NULL), 0);
        check_eq(result[i], 0);
    }
}

static void do_nothing(int signal)
{
    (void)signal;
}

TEST(futex, a_signal_ends_the_sleep)
{
    const struct sigaction action = {.sa_handler = do_nothing};
    pthread_t thread;
    int result = 1;

    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    check_eq(pthread_create(&thread, NULL, sleep_on_word, &result), 0);
    for (int i = 0; i < 100; i++) {
        sleep_ms(2);
        (void)pthread_kill(thread, SIGUSR1);
        if (i > 10 && pthread_tryjoin_np(thread, NULL) == 0) {
            check_eq(result, -EINTR);
            return;
        }
    }
    check(false, "asleep after 90 signals");
}

TEST(futex, shared_words_wake_other_processes)
{
    uint32_t *const shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    check(shared != MAP_FAILED);
    const pid_t child = fork();

    check_ge(child, 0);
    if (child == 0) {
        const int result = ring3_futex_wait(shared, 0, RING3_SHARED, CLOCK_MONOTONIC, NULL);

        _exit(result == 0 ? 0 : 1);
    }
    while (ring3_futex_wake(shared, 1, RING3_SHARED) == 0)
        sched_yield();
    check_child(child);
    munmap(shared, 4096);
}

/* --- Policies --------------------------------------------------------------------------------- */

static void *change_word_later(void *unused)
{
    (void)unused;
    sleep_ms(10);
    ring3_store(&word, 1, RING3_RELEASE);
    ring3_wait_wake(&word);
    return NULL;
}

TEST(wait, returns_when_the_word_changes)
{
    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++)
        for (int timed = 0; timed < 2; timed++) {
            const struct timespec deadline =
                ring3_deadline_in(CLOCK_MONOTONIC, 20 * RING3_SECOND_NS);
            pthread_t thread;

            word = 0;
            check_eq(ring3_wait_change(&word, 1, how, &past), 0, "it differs already");
            check_eq(pthread_create(&thread, NULL, change_word_later, NULL), 0);
            check_eq(ring3_wait_change(&word, 0, how, timed ? &deadline : NULL), 0, "%s",
                     ring3_wait_name(how));
            check_eq(ring3_load(&word, RING3_RELAXED), 1u, "%s", ring3_wait_name(how));
            check_eq(pthread_join(thread, NULL), 0);
        }
}

TEST(wait, gives_up_after_the_deadline_and_not_before)
{
    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++) {
        const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 15000000);

        check_eq(ring3_wait_change(&word, 0, how, &deadline), -ETIMEDOUT, "%s",
                 ring3_wait_name(how));
        check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "%s", ring3_wait_name(how));
        check_eq(ring3_wait_change(&word, 0, how, &past), -ETIMEDOUT);
        check_eq(ring3_wait_change(&word, 0, how, &before_the_epoch), -ETIMEDOUT);
    }
}

static uint32_t relay[2];
static ring3_wait_t relay_how;

static void *pass_on(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < (uint32_t)rounds(5000); i++) {
        check_eq(ring3_wait_change(&relay[0], i, relay_how, NULL), 0);
        ring3_store(&relay[1], i + 1, RING3_RELEASE);
        ring3_wait_wake(&relay[1]);
    }
    return NULL;
}

TEST(wait, two_threads_call_each_other_in_turn)
{
    for (relay_how = 0; relay_how < RING3_WAIT_POLICIES; relay_how++) {
        pthread_t thread;

        relay[0] = relay[1] = 0;
        check_eq(pthread_create(&thread, NULL, pass_on, NULL), 0);
        for (uint32_t i = 0; i < (uint32_t)rounds(5000); i++) {
            ring3_store(&relay[0], i + 1, RING3_RELEASE);
            ring3_wait_wake(&relay[0]);
            check_eq(ring3_wait_change(&relay[1], i, relay_how, NULL), 0);
        }
        check_eq(pthread_join(thread, NULL), 0);
    }
}

TEST(wait, pauses_end_at_the_deadline)
{
    for (ring3_wait_t how = 0; how < RING3_WAIT_POLICIES; how++) {
        const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
        ring3_pause_t pause = {0};
        bool before;
        int got;

        do {
            before = !ring3_deadline_passed(CLOCK_MONOTONIC, &deadline);
            got = ring3_pause(&pause, how, &deadline);
        } while (got == 0 && before);
        check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline), "%s", ring3_wait_name(how));
        check_eq(got, -ETIMEDOUT, "%s: the deadline had passed", ring3_wait_name(how));
        pause = (ring3_pause_t){0};
        for (int i = 0; i < 90; i++)
            check_eq(ring3_pause(&pause, how, NULL), 0);
        check_eq(ring3_pause(&pause, how, &past), -ETIMEDOUT);
        check_eq(ring3_pause(&pause, how, &before_the_epoch), -ETIMEDOUT);
    }
}

/* A poller that naps gives the CPU away: a hundred naps take their time. */
TEST(wait, pauses_grow_into_naps)
{
    ring3_pause_t pause = {0};

    for (int i = 0; i < 90; i++)
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    const double start = seconds_now();

    for (int i = 0; i < 10; i++)
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    check_ge((long)((seconds_now() - start) * 1e6), 9000L, "ten naps of a millisecond, in us");
}

/* --- The machine ------------------------------------------------------------------------------ */

TEST(arch, knows_the_cpu)
{
    cpu_set_t all, one;

    check_eq(sched_getaffinity(0, sizeof all, &all), 0);
    check_eq(ring3_arch.cpus, cpus());
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        check_eq(sched_setaffinity(0, sizeof one, &one), 0);
        check_eq(ring3_cpu(), (int)cpu);
        check_eq(ring3_cpu_slow(), (int)cpu);
    }
}

TEST(arch, counts_cycles_forward)
{
    cpu_set_t one;
    uint64_t last = 0;

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    check_eq(sched_setaffinity(0, sizeof one, &one), 0);
    for (int i = 0; i < 1000; i++) {
        const uint64_t now = ring3_cycles();

        check_ge(now, last);
        last = now;
    }
    sleep_ms(1);
    check_gt(ring3_cycles(), last);
}

TEST(arch, disable_is_obeyed)
{
    const char *const disabled = getenv("RING3_DISABLE");

    if (!disabled)
        return;
    if (__builtin_strstr(disabled, "membarrier"))
        check_eq(ring3_arch.membarrier, (uint32_t)RING3_MEMBARRIER_NO);
    if (__builtin_strstr(disabled, "rseq"))
        check_eq(ring3_arch.no_rseq, 1u);
}

/* --- The fence pair --------------------------------------------------------------------------- */

#define LITMUS_ROUNDS 6000

/*
 * Store buffering: each side writes its own word and reads the other's. Without fences both may
 * read zero; with the pair at least one sees the other. Both start at an agreed time, give or take
 * a little, because the window is some tens of nanoseconds wide.
 */
static struct {
    struct {
        uint32_t wrote, saw, ready;
    } RING3_CACHE_ALIGNED side[2];
    uint64_t start RING3_CACHE_ALIGNED;
} litmus;

#define START_AHEAD 3000 /* cycles until the start, enough for the news to arrive */

static void await_other(int me, uint32_t step)
{
    for (int i = 0; ring3_load(&litmus.side[!me].ready, RING3_ACQUIRE) < step; i++)
        if (i > 1000)
            sched_yield();
}

static void arrive(int me, uint32_t step)
{
    ring3_store(&litmus.side[me].ready, step, RING3_RELEASE);
}

static void await_start(uint64_t offset)
{
    while (ring3_cycles() < litmus.start + offset)
        ;
}

static void *frequent_side(void *rounds)
{
    stay_on_cpu(1);
    for (uint32_t i = 1; i <= *(uint32_t *)rounds; i++) {
        arrive(0, 2 * i - 1);
        await_other(0, 2 * i - 1);
        await_start(i % 53 * 8);
        ring3_store(&litmus.side[0].wrote, i, RING3_RELAXED);
        ring3_fence_light();
        litmus.side[0].saw = ring3_load(&litmus.side[1].wrote, RING3_RELAXED);
        arrive(0, 2 * i);
        await_other(0, 2 * i);
    }
    return NULL;
}

TEST(fence, light_and_heavy_never_let_both_sides_miss, 60)
{
    uint32_t often = (uint32_t)rounds(LITMUS_ROUNDS);
    pthread_t thread;

    stay_on_cpu(0);
    check_eq(pthread_create(&thread, NULL, frequent_side, &often), 0);
    for (uint32_t i = 1; i <= often; i++) {
        await_other(1, 2 * i - 1);
        litmus.start = ring3_cycles() + START_AHEAD;
        arrive(1, 2 * i - 1);
        await_start(i % 47 * 8);
        ring3_store(&litmus.side[1].wrote, i, RING3_RELAXED);
        check(ring3_fence_heavy(), "the kernel refused");
        const uint32_t saw = ring3_load(&litmus.side[0].wrote, RING3_RELAXED);

        await_other(1, 2 * i);
        check(saw == i || litmus.side[0].saw == i, "both sides missed in round %u", i);
        arrive(1, 2 * i);
    }
    check_eq(pthread_join(thread, NULL), 0);
}

/* --- A sandbox entered on the way ------------------------------------------------------------- */

/* From here on membarrier is refused, for the rest of the process's life. */
static void refuse_membarrier(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof program / sizeof *program, program};

    check_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    check_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

static ring3_mutex_t mutex;
static ring3_wait_t how;

static void acquire(int tid)
{
    if (tid % 2)
        ring3_mutex_lock(&mutex);
    else
        while (ring3_mutex_trylock(&mutex) != 0) {
            const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 300000);

            if (ring3_mutex_timedlock(&mutex, &deadline) == 0)
                return;
        }
}
static void release(int tid)
{
    (void)tid;
    ring3_mutex_unlock(&mutex);
}

TEST(fence, a_refusal_after_consent_costs_speed_and_no_wake_up, 60)
{
    const struct timespec deadline = ring3_deadline_in(CLOCK_MONOTONIC, 20000000);

    if (under_qemu())
        return;
    refuse_membarrier();
    errno = 77;
    check_eq(ring3_fence_heavy(), ring3_arch.membarrier != RING3_MEMBARRIER_YES);
    check_eq(errno, 77);
    how = RING3_WAIT_PARK;
    check_eq(ring3_wait_change(&word, 0, how, &deadline), -ETIMEDOUT);
    check(ring3_deadline_passed(CLOCK_MONOTONIC, &deadline));
    check_eq(run_exclusion(acquire, release, 8, rounds(20000)).violations, 0);
    relay_how = RING3_WAIT_PARK;
    pthread_t thread;

    check_eq(pthread_create(&thread, NULL, pass_on, NULL), 0);
    for (uint32_t i = 0; i < (uint32_t)rounds(5000); i++) {
        ring3_store(&relay[0], i + 1, RING3_RELEASE);
        ring3_wait_wake(&relay[0]);
        check_eq(ring3_wait_change(&relay[1], i, relay_how, NULL), 0);
    }
    check_eq(pthread_join(thread, NULL), 0);
}
