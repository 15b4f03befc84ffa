/* SPDX-License-Identifier: MIT */
/* Fork while other threads allocate: the child allocates, starts threads, and they allocate. (Not
 * the threads under TSan, which refuses them in a child.) */
#include "policies.h"

#include "ring3/atomic.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3 };

static bool under_tsan(void)
{
#ifdef __SANITIZE_THREAD__
    return true;
#elif defined(__has_feature)
    return __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

static bool stop;
static uint32_t churning; /* threads that have begun */

static void *churn(void *seed_)
{
    unsigned seed = (unsigned)(uintptr_t)seed_;
    void *blocks[64] = {0};

    (void)ring3_fetch_add(&churning, 1, RING3_RELAXED);
    while (!ring3_load(&stop, RING3_RELAXED)) {
        const int i = rand_r(&seed) % 64;

        ring3_free(blocks[i]);
        blocks[i] = ring3_malloc((size_t)rand_r(&seed) % 5000);
        if (!blocks[i])
            _exit(20);
    }
    for (int i = 0; i < 64; i++)
        ring3_free(blocks[i]);
    return NULL;
}

/* Start threads that allocate all the time. A fork while a thread is being born would leave the
 * sanitizers' own locks held in the child, so wait until all are alive. */
static void start_churn(pthread_t *threads, uint32_t count)
{
    for (uintptr_t i = 0; i < count; i++)
        check_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    while (ring3_load(&churning, RING3_RELAXED) < count)
        sched_yield();
}

static void *allocate_once(void *result)
{
    char *const block = ring3_malloc(1000);

    if (block)
        memset(block, 1, 1000);
    ring3_free(block);
    *(bool *)result = block != NULL;
    return NULL;
}

static int child(void)
{
    pthread_t threads[2];
    bool good[2] = {false, false};

    ring3_free(ring3_malloc(100000));
    if (under_tsan())
        return 0;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, allocate_once, &good[i]) != 0)
            return 21;
    for (int i = 0; i < 2; i++)
        if (pthread_join(threads[i], NULL) != 0)
            return 22;
    return good[0] && good[1] ? 0 : 23;
}

TEST_POLICIES(fork, under_churn_leaves_a_working_child, 120)
{
    pthread_t threads[THREADS];
    const long forks = scaled(200, 10000);

    start_churn(threads, THREADS);
    for (long i = 0; i < forks; i++) {
        const pid_t pid = fork();

        check_ge(pid, 0);
        if (pid == 0)
            _exit(child());
        check_child(pid);
    }
    ring3_store(&stop, true, RING3_RELAXED);
    for (int i = 0; i < THREADS; i++)
        check_eq(pthread_join(threads[i], NULL), 0);
}

/* A fork handler of the program's that allocates, registered before the heap's own, and so called
 * while the heap is locked for fork. */
static bool handler_on;
static int calls;

static void allocating_handler(void)
{
    void *block;

    if (!handler_on)
        return;
    block = ring3_malloc(5000);
    calls += block != NULL;
    ring3_free(block);
}

static void register_early(void)
{
    (void)pthread_atfork(allocating_handler, allocating_handler, allocating_handler);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = register_early;

TEST_POLICIES(fork, lets_other_handlers_allocate, 30)
{
    pthread_t thread;

    handler_on = true;
    start_churn(&thread, 1);
    for (int i = 0; i < 20; i++) {
        calls = 0;

        const pid_t pid = fork();

        if (pid == 0)
            _exit(calls == 2 ? child() : 24);
        check_child(pid);
        check_eq(calls, 2);
    }
    ring3_store(&stop, true, RING3_RELAXED);
    check_eq(pthread_join(thread, NULL), 0);
}

/* The first allocation of all, in one thread, while another forks. */
static void *allocate_first(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        ring3_free(ring3_malloc((size_t)i));
    return NULL;
}

static int fork_while_starting(void)
{
    pthread_t thread;
    int status = 0;

    alarm(20);
    if (pthread_create(&thread, NULL, allocate_first, NULL) != 0)
        return 26;

    const pid_t pid = fork();

    if (pid == 0) {
        alarm(10);
        _exit(child());
    }
    if (waitpid(pid, &status, 0) != pid || status != 0 || pthread_join(thread, NULL) != 0)
        return 27;
    return 0;
}

TEST_POLICIES(fork, may_meet_the_first_allocation, 120)
{
    /* TSan takes the parent's thread for one that the child forgot to join; ASan holds locks of its
     * own while a thread is born, and they would stay held in the child. */
    if (slow_machine())
        return;
    for (long i = scaled(100, 3000); i > 0; i--) {
        const pid_t pid = fork();

        if (pid == 0)
            _exit(fork_while_starting());
        check_child(pid);
    }
}

TEST_POLICIES(fork, gives_each_process_a_heap_of_its_own, 30)
{
    char *const block = ring3_malloc(100);
    pid_t pid;

    strcpy(block, "parent");
    pid = fork();
    if (pid == 0) {
        strcpy(block, "child");
        ring3_free(block);
        _exit(ring3_malloc(100) ? 0 : 25);
    }
    check_child(pid);
    check_str_eq(block, "parent");
    ring3_free(block);
}
