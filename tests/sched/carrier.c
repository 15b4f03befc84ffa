/* SPDX-License-Identifier: MIT */
/* Kernel threads that stay with a user thread, while another serves the worker. */
#include "threads.h"

#include "ring3/atomic.h"
#include "ring3/io.h"
#include "ring3/wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Under TSan, signals are not delivered where they came: there is no preemption. */
static bool cooperative_only(void)
{
#ifdef RING3_TSAN
    return true;
#else
    return under_qemu() || under_valgrind();
#endif
}

static uint32_t over, started;
static long rounds[64];

/* Nearly all of its time is libc's. */
static void *print_for_ever(void *place)
{
    char text[512];

    while (!ring3_load(&over, RING3_RELAXED)) {
        (void)snprintf(text, sizeof text, "%400ld %s %a", value_of(place), "words", 0.1);
        ring3_store(&rounds[value_of(place)], rounds[value_of(place)] + 1, RING3_RELAXED);
    }
    return NULL;
}

static void let_all_print(const ring3_runtime_options_t *options, int count)
{
    ring3_thread_t threads[64];
    bool all = false;

    memset(rounds, 0, sizeof rounds);
    ring3_store(&over, 0, RING3_RELAXED);
    start(options);
    for (int i = 0; i < count; i++)
        threads[i] = spawn(print_for_ever, number(i));
    while (!all) {
        check_eq(ring3_sleep_ns(1000000), 0);
        all = true;
        for (int i = 0; i < count; i++)
            all &= ring3_load(&rounds[i], RING3_RELAXED) > 0;
    }
    ring3_store(&over, 1, RING3_RELAXED);
    for (int i = 0; i < count; i++)
        (void)join(threads[i]);
}

TEST(carrier, threads_inside_libc_are_interrupted_and_go_on_there, 120)
{
    ring3_runtime_stats_t stats;
    const pthread_t here = pthread_self();

    if (cooperative_only())
        return;
    for (unsigned workers = 1; workers <= 2; workers++) {
        let_all_print(
            &(ring3_runtime_options_t){
                .workers = workers, .preempt = true, .policy = "rr,quantum=1", .tick = 300000},
            6);
        check_eq(ring3_runtime_stats(&stats), 0);
        check_eq(stats.workers, workers);
        check_eq(stats.threads, 1);
        check_gt(stats.handed_over, 0);
        check_gt(stats.kernel_threads, workers);
        stop();
        check(pthread_equal(pthread_self(), here), "main is back on its kernel thread");
    }
}

/* Fewer kernel threads than threads that would need one: all get their turns nevertheless. */
TEST(carrier, kernel_threads_are_limited, 120)
{
    ring3_runtime_stats_t stats;

    if (cooperative_only())
        return;
    let_all_print(
        &(ring3_runtime_options_t){
            .workers = 1, .preempt = true, .policy = "rr,quantum=1", .kernel_threads = 5},
        4);
    check_eq(ring3_runtime_stats(&stats), 0);
    check_le(stats.kernel_threads, 6);
    stop();
}

/* All of them want one lock of libc, and whoever is interrupted has it. */
static void *write_lines(void *file)
{
    for (long i = 0; i < scaled(3000, 100000); i++)
        (void)fprintf(file, "%s\n", "a line that must not be torn");
    return NULL;
}

TEST(carrier, a_lock_of_libc_is_released_by_who_has_it, 300)
{
    ring3_thread_t threads[12];
    char line[64];
    long lines = 0;

    if (cooperative_only())
        return;
    for (unsigned most = 4; most <= 64; most += 60) {
        FILE *const file = tmpfile();

        check(file != NULL);
        start(&(ring3_runtime_options_t){.workers = 2,
                                         .preempt = true,
                                         .policy = "rr,quantum=1",
                                         .tick = 200000,
                                         .kernel_threads = most});
        for (int i = 0; i < 12; i++)
            threads[i] = spawn(write_lines, file);
        for (int i = 0; i < 12; i++)
            (void)join(threads[i]);
        stop();
        rewind(file);
        for (lines = 0; fgets(line, sizeof line, file); lines++)
            check_str_eq(line, "a line that must not be torn\n");
        check_eq(lines, 12 * scaled(3000, 100000));
        (void)fclose(file);
    }
}

/* --- Addresses of the kernel thread's own variables ------------------------------------------- */

/* Where errno is by now. */
static int *(*volatile errno_place)(void) = __errno_location;

/* It keeps errno's address in a register all along. */
static void *use_errno(void *seed)
{
    int *const mine = &errno;
    long wrong = 0;

    for (int i = 0; !ring3_load(&over, RING3_RELAXED); i++) {
        *mine = i + (int)value_of(seed);
        for (volatile int spin = 0; spin < 50; spin++)
            continue;
        wrong += *errno_place() != i + (int)value_of(seed);
    }
    return number(wrong);
}

TEST(carrier, errno_stays_with_who_keeps_its_address, 120)
{
    ring3_thread_t printers[3], users[4];

    if (cooperative_only())
        return;
    memset(rounds, 0, sizeof rounds);
    ring3_store(&over, 0, RING3_RELAXED);
    start(&(ring3_runtime_options_t){
        .workers = 1, .preempt = true, .policy = "rr,quantum=1", .tick = 300000});
    for (int i = 0; i < 3; i++)
        printers[i] = spawn(print_for_ever, number(i));
    for (int i = 0; i < 4; i++)
        users[i] = spawn(use_errno, number(i * 1000000));
    for (int i = 0; i < 40; i++)
        check_eq(ring3_sleep_ns(1000000), 0);
    ring3_store(&over, 1, RING3_RELAXED);
    for (int i = 0; i < 3; i++)
        (void)join(printers[i]);
    for (int i = 0; i < 4; i++)
        check_eq(value_of(join(users[i])), 0, "wrong values of errno");
    stop();
}

/* --- Calls that block the kernel -------------------------------------------------------------- */

static void *read_in_brackets(void *fd)
{
    char byte = 0;
    ssize_t got;

    ring3_blocking_enter();
    ring3_store(&started, 1, RING3_RELEASE);
    got = read((int)value_of(fd), &byte, 1);
    errno = EILSEQ;
    ring3_blocking_leave();
    check_eq(errno, EILSEQ);
    check_eq(got, 1);
    check_ne(ring3_thread_self(), 0);
    return number(byte);
}

static void *write_later(void *fd)
{
    while (!ring3_load(&started, RING3_ACQUIRE))
        ring3_thread_yield();
    check_eq(ring3_sleep_ns(3000000), 0);
    check_eq(write((int)value_of(fd), "!", 1), 1);
    return NULL;
}

/* With one worker this would hang if the worker stayed with the reader. */
TEST(carrier, a_blocked_thread_leaves_its_worker_to_others, 60)
{
    for (int model = 0; model < MODELS; model++)
        for (int preempt = 0; preempt <= !cooperative_only(); preempt++) {
            ring3_runtime_options_t options = models[model];
            ring3_thread_t reader, writer;
            int ends[2];

            check_eq(pipe(ends), 0);
            ring3_store(&started, 0, RING3_RELAXED);
            options.preempt = preempt;
            start(&options);
            reader = spawn(read_in_brackets, number(ends[0]));
            writer = spawn(write_later, number(ends[1]));
            check_eq(value_of(join(reader)), '!', "model %d", model);
            (void)join(writer);
            stop();
            (void)close(ends[0]);
            (void)close(ends[1]);
        }
}

/* The worker goes away and comes back many times, and its first kernel thread is who blocks. */
TEST(carrier, the_first_kernel_thread_may_block_and_end_the_runtime, 60)
{
    const pthread_t here = pthread_self();

    for (int turn = 0; turn < 3; turn++) {
        ring3_thread_t writer;
        int ends[2];

        check_eq(pipe(ends), 0);
        start(&models[turn % 2]);
        for (int i = 0; i < 5; i++) {
            ring3_store(&started, 0, RING3_RELAXED);
            writer = spawn(write_later, number(ends[1]));
            check_eq(value_of(read_in_brackets(number(ends[0]))), '!');
            (void)join(writer);
        }
        stop();
        check(pthread_equal(pthread_self(), here));
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

static void *bracket_nothing(void *unused)
{
    for (long i = 0; i < scaled(2000, 1000000); i++) {
        ring3_blocking_enter();
        check_eq(ring3_thread_self(), 0, "a plain kernel thread in between");
        ring3_blocking_leave();
        if (i % 16 == 0)
            ring3_thread_yield();
    }
    return unused;
}

/* Monitor and threads reach for the worker at the same time. */
TEST(carrier, brackets_around_nothing_lose_nothing, 120)
{
    ring3_thread_t threads[8];

    for (int model = 0; model < 2; model++) {
        ring3_runtime_options_t options = models[model];

        options.tick = 20000;
        start(&options);
        for (int i = 0; i < 8; i++)
            threads[i] = spawn(bracket_nothing, NULL);
        for (int i = 0; i < 8; i++)
            (void)join(threads[i]);
        stop();
    }
    bracket_nothing(NULL);
}

static void *twice(void *arg)
{
    ring3_thread_yield();
    return number(2 * value_of(arg));
}

static void *fork_in_brackets(void *arg)
{
    pid_t pid;

    ring3_blocking_enter();
    pid = fork();
    if (pid == 0) {
        ring3_thread_t thread;
        void *result = NULL;

        ring3_blocking_leave();
        if (ring3_thread_create(&thread, NULL, twice, number(4)) != 0 ||
            ring3_thread_join(thread, &result) != 0)
            _exit(1);
        _exit(value_of(result) == 8 ? 0 : 2);
    }
    ring3_blocking_leave();
    check_child(pid);
    return arg;
}

TEST(carrier, a_child_of_fork_may_leave_the_brackets, 60)
{
#ifdef RING3_TSAN
    return; /* TSan loses its fibers in a forked child */
#endif
    start(&models[0]);
    (void)join(spawn(fork_in_brackets, NULL));
    stop();
}

/* Signals of the program are handled where they were before a thread went elsewhere. */
static volatile sig_atomic_t alarms;

static void on_alarm(int unused)
{
    (void)unused;
    alarms++;
}

TEST(carrier, signal_masks_stay_with_kernel_threads, 120)
{
    sigset_t before, after;
    struct sigaction action = {.sa_handler = on_alarm};

    if (cooperative_only())
        return;
    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    check_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    let_all_print(
        &(ring3_runtime_options_t){
            .workers = 1, .preempt = true, .policy = "rr,quantum=1", .tick = 300000},
        6);
    stop();
    check_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int signal = 1; signal < SIGRTMIN; signal++)
        check_eq(sigismember(&before, signal), sigismember(&after, signal), "signal %d", signal);
    check_eq(kill(getpid(), SIGUSR1), 0);
    while (!alarms)
        (void)usleep(1000);
}
