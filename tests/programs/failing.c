/* SPDX-License-Identifier: MIT */
/*
 * A suite in which `good` passes and every test of `bad` fails in a way of its own. What the
 * runners make of it is tested by tests/scripts/harness.sh. The names say what happens.
 */
#include "ring3_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *fail_unless_told(void *told)
{
    check(told, "said in a thread");
    return NULL;
}

static void run_threads(int count)
{
    pthread_t threads[4];

    for (int i = 0; i < count; i++)
        check_eq(pthread_create(&threads[i], NULL, fail_unless_told, NULL), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

TEST(good, passes)
{
    check_eq(2, 2);
}

TEST(good, has_a_child_that_ends_well)
{
    const pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    check_child(pid);
}

TEST(bad, fails)
{
    check_eq(1, 2, "said by %s", "the test");
}

TEST(bad, fails_in_a_thread)
{
    run_threads(1);
}

TEST(bad, fails_in_four_threads)
{
    run_threads(4);
}

TEST(bad, fails_in_a_child)
{
    const pid_t pid = fork();

    if (pid == 0) {
        check(pid != 0);
        _exit(0);
    }
    check_child(pid);
}

TEST(bad, crashes)
{
    raise(SIGSEGV);
}

TEST(bad, aborts_in_a_child)
{
    const pid_t pid = fork();

    if (pid == 0)
        abort();
    check_child(pid);
}

TEST(bad, hangs, 1)
{
    for (;;)
        pause();
}

TEST(bad, hangs_deaf, 1)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        sleep(1);
}

TEST(bad, waits_for_a_child_that_hangs, 1)
{
    const pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    check_child(pid);
}

TEST(bad, has_a_child_that_returns)
{
    const pid_t pid = fork();

    if (pid == 0)
        return;
    check_child(pid);
}

TEST(bad, exits)
{
    exit(0);
}

TEST(bad, exits_at_once)
{
    _exit(0);
}

TEST(bad, fails_at_exit)
{
    /* Its end is reached; what it registered spoils it. */
    static void (*const spoil)(void) = abort;

    check_eq(atexit(spoil), 0);
}
