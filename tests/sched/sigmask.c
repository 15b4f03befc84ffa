/* SPDX-License-Identifier: MIT */
/* Signal masks of user threads. */
#include "threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

static volatile sig_atomic_t handled;

static void handle(int unused)
{
    (void)unused;
    handled++;
}

static bool blocks(int signal)
{
    sigset_t mask;

    check_eq(ring3_thread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, signal) == 1;
}

static bool kernel_blocks(int signal)
{
    sigset_t mask;

    check_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, signal) == 1;
}

static void *inherit_mask(void *unused)
{
    check(blocks(SIGUSR1));
    check(kernel_blocks(SIGUSR1));
    return unused;
}

static void *block_usr1(void *unused)
{
    sigset_t mask;

    check(!blocks(SIGUSR1));
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR1);
    (void)sigaddset(&mask, SIGSEGV);
    check_eq(ring3_thread_sigmask(-1, &mask, NULL), -EINVAL);
    check_eq(ring3_thread_sigmask(SIG_BLOCK, &mask, NULL), 0);
    check(blocks(SIGUSR1));
    check(!blocks(SIGSEGV), "faults stay open");
    check(kernel_blocks(SIGUSR1));
    check_eq(raise(SIGUSR1), 0);
    check_eq(handled, 0);
    (void)join(spawn(inherit_mask, NULL));
    ring3_thread_yield();
    check(kernel_blocks(SIGUSR1));
    check_eq(ring3_thread_sigmask(SIG_UNBLOCK, &mask, NULL), 0);
    check(!blocks(SIGUSR1));
    return unused;
}

TEST(sigmask, a_mask_is_the_threads_own)
{
    const struct sigaction action = {.sa_handler = handle};
    ring3_thread_t thread;

    check_eq(sigaction(SIGUSR1, &action, NULL), 0);
    start(&models[0]);
    thread = spawn(block_usr1, NULL);
    ring3_thread_yield();
    check(!kernel_blocks(SIGUSR1), "main does not mind");
    check_eq(handled, 1, "what was raised for the other comes to who lets it");
    (void)join(thread);
    check(!kernel_blocks(SIGUSR1));
    stop();
    check(!kernel_blocks(SIGUSR1));
}
