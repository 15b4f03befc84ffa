/* SPDX-License-Identifier: MIT */
/* Stacks: sizes, reuse, guards of each kind, and what is said of an overflow. */
#include "ring3_test.h"

#include "ring3/atomic.h"
#include "ring3/context.h"
#include "ring3/env.h"
#include "ring3/stack.h"
#include "watchers.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB ((size_t)1024)

static ring3_stack_t *get(size_t size)
{
    ring3_stack_t *stack = NULL;

    check_eq(ring3_stack_get(size, "a test", &stack), 0);
    return stack;
}

/* The library's counts as long, which compares with anything. */
struct counts {
    long reserved, used, warm, cold, guards[RING3_STACK_GUARDS];
};

static struct counts stats_now(void)
{
    ring3_stack_stats_t stats;
    struct counts counts;

    ring3_stack_stats(&stats);
    counts = (struct counts){.reserved = (long)stats.reserved,
                             .used = (long)stats.used,
                             .warm = (long)stats.warm,
                             .cold = (long)stats.cold};
    for (int i = 0; i < RING3_STACK_GUARDS; i++)
        counts.guards[i] = (long)stats.guards[i];
    return counts;
}

static long high_water(const ring3_stack_t *stack)
{
    return (long)ring3_stack_high_water(stack);
}

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

TEST(stack, takes_the_smallest_class_that_has_the_size)
{
    static const struct {
        size_t wanted, got;
    } sizes[] = {{0, 16 * KIB},
                 {1, 16 * KIB},
                 {16 * KIB, 16 * KIB},
                 {16 * KIB + 1, 64 * KIB},
                 {256 * KIB, 256 * KIB},
                 {300 * KIB, 1024 * KIB},
                 {1024 * KIB, 1024 * KIB},
                 {4096 * KIB, 4096 * KIB}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ring3_stack_t *const stack = get(sizes[i].wanted);

        check_eq(stack->size, sizes[i].got - page(), "for %zu", sizes[i].wanted);
        memset(stack->base, 1, stack->size);
        check_eq(ring3_stack_put(stack), 0);
    }
}

TEST(stack, refuses_a_size_beyond_the_largest_class)
{
    ring3_stack_t *stack;

    check_eq(ring3_stack_get(RING3_STACK_MAX + 1, NULL, &stack), -EINVAL);
    check_eq(stats_now().used, 0);
}

TEST(stack, never_gives_two_users_the_same_memory)
{
    enum { MANY = 300 }; /* more than the first two slabs */
    static ring3_stack_t *stacks[MANY];

    for (int i = 0; i < MANY; i++) {
        stacks[i] = get(0);
        memset(stacks[i]->base, i % 251, stacks[i]->size);
    }
    for (int i = 0; i < MANY; i++)
        for (size_t at = 0; at < stacks[i]->size; at += 512)
            check_eq(stacks[i]->base[at], (char)(i % 251), "stack %d at %zu", i, at);
    check_eq(stats_now().used, MANY);
    for (int i = 0; i < MANY; i++)
        check_eq(ring3_stack_put(stacks[i]), 0);
    check_eq(stats_now().used, 0);
}

TEST(stack, uses_the_last_one_again_first)
{
    ring3_stack_t *const first = get(0), *const second = get(0);

    ring3_stack_put(first);
    ring3_stack_put(second);
    check(get(0) == second);
    check(get(0) == first);
}

TEST(stack, keeps_so_many_pages_and_returns_the_others)
{
    const size_t size = 1024 * KIB;
    const long warm = (long)(RING3_STACK_WARM / size);
    ring3_stack_t *stacks[8];
    struct counts stats;

    for (int i = 0; i < 8; i++) {
        stacks[i] = get(size);
        memset(stacks[i]->base, 1, stacks[i]->size);
    }
    for (int i = 0; i < 8; i++)
        ring3_stack_put(stacks[i]);
    stats = stats_now();
    check_eq(stats.warm, warm);
    check_eq(stats.cold, 8 - warm);
    check_eq(high_water(stacks[0]), (long)stacks[0]->size, "a warm stack lost its pages");
    check_eq(high_water(stacks[7]), 0, "a cold stack has pages");
    ring3_stack_reap();
    stats = stats_now();
    check_eq(stats.warm, 0);
    check_eq(stats.cold, 8);
    check_eq(high_water(stacks[0]), 0, "a reaped stack has pages");
    check_eq(stacks[0]->base[0], 0, "a page that went back is new");
}

TEST(stack, knows_how_deep_it_was_used)
{
    ring3_stack_t *const stack = get(1024 * KIB);
    char *const top = stack->base + stack->size;

    check_eq(high_water(stack), 0);
    top[-1] = 1;
    check_eq(high_water(stack), (long)page());
    top[-(ptrdiff_t)(100 * page())] = 1;
    check_eq(high_water(stack), 100 * (long)page());
    stack->base[0] = 1;
    check_eq(high_water(stack), (long)stack->size);
    ring3_stack_put(stack);
}

TEST(stack, binds_memory_only_where_it_is_touched)
{
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 60; i++)
        get(4096 * KIB)->base[0] = 1;
    getrusage(RUSAGE_SELF, &after);
    check_lt(after.ru_maxrss - before.ru_maxrss, 60000, "KiB for 60 stacks of 4 MiB");
    check_ge(stats_now().reserved, 60L * 4096 * 1024);
}

TEST(stack, says_again_when_address_space_runs_out)
{
#if !defined(WATCH_ASAN) && !defined(WATCH_TSAN) /* which have taken all of it */
    const struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    ring3_stack_t *stack = NULL, *got[1000];
    int count = 0, err = 0;

    check_eq(setrlimit(RLIMIT_AS, &limit), 0);
    /* Emulators and valgrind let it be. */
    if (mmap(NULL, (size_t)2 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0) != MAP_FAILED)
        return;
    while (count < 1000 && (err = ring3_stack_get(RING3_STACK_MAX, NULL, &stack)) == 0)
        got[count++] = stack;
    check_eq(err, -EAGAIN, "after %d stacks", count);
    check_ge(count, 100, "smaller slabs fit the last of the address space");
    check_eq(stats_now().used, count, "a failure is not counted");
    for (int i = 0; i < count; i++)
        check_eq(ring3_stack_put(got[i]), 0);
    check_eq(ring3_stack_get(RING3_STACK_MAX, NULL, &stack), 0);
#endif
}

static void take_and_give(int i)
{
    ring3_stack_t *const one = get(0), *const two = get(64 * KIB);

    memset(one->base, i, 64);
    memset(two->base, i + 1, 64);
    check_eq(one->base[63], (char)i, "somebody else has my stack");
    check_eq(two->base[63], (char)(i + 1), "somebody else has my stack");
    ring3_stack_put(two);
    ring3_stack_put(one);
    if (i % 64 == 0)
        ring3_stack_reap();
}

static void *take_and_give_often(void *unused)
{
    for (int i = (int)scaled(2000, 200000); i > 0; i--)
        take_and_give(i);
    return unused;
}

static void *take_and_give_until(void *stop)
{
    for (int i = 0; !ring3_load((uint32_t *)stop, RING3_RELAXED); i++)
        take_and_give(i % 1000);
    return NULL;
}

TEST(stack, serves_many_threads, 60)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&threads[i], NULL, take_and_give_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_eq(stats_now().used, 0);
    check_le(stats_now().warm + stats_now().cold, 8);
}

TEST(stack, works_in_a_forked_child_while_threads_use_it)
{
    pthread_t thread;
    uint32_t stop = 0;

    check_eq(pthread_create(&thread, NULL, take_and_give_until, &stop), 0);
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();

        if (child == 0) {
            alarm(20);
            _exit(ring3_stack_put(get(0)) == 0 ? 0 : 1);
        }
        check_child(child);
    }
    ring3_store(&stop, 1, RING3_RELAXED);
    pthread_join(thread, NULL);
}

/* --- Guards ----------------------------------------------------------------------------------- */

static void choose_guard(ring3_stack_guard_t kind)
{
    if (kind != RING3_STACK_MARKED)
        check_eq(ring3_env_disable("guard"), 0);
    if (kind == RING3_STACK_CANARY)
        ring3_stack_set_budget(0);
}

/* The best kind that this machine has and RING3_DISABLE leaves. */
static ring3_stack_guard_t best_guard(void)
{
    ring3_stack_put(get(16 * KIB));
    return stats_now().guards[RING3_STACK_MARKED] ? RING3_STACK_MARKED : RING3_STACK_PROTECTED;
}

static void touch_guards(void)
{
    ring3_stack_t *stack;

    /* Used, given back and reaped: the guard stays. */
    for (int i = 0; i < 3; i++) {
        stack = get(64 * KIB);
        memset(stack->base, 1, stack->size);
        ring3_stack_put(stack);
        ring3_stack_reap();
    }
    stack = get(64 * KIB);
    stack->base[-1] = 1;
}

static void touch_protected(void)
{
    choose_guard(RING3_STACK_PROTECTED);
    touch_guards();
}

TEST(stack, faults_below_its_end)
{
    char said[8192];

    check_ne(run_in_child(touch_guards, said, sizeof said), 0);
    check_ne(run_in_child(touch_protected, said, sizeof said), 0);
}

TEST(stack, uses_mprotect_within_its_budget_and_canaries_beyond)
{
    struct counts stats;

    choose_guard(RING3_STACK_PROTECTED);
    ring3_stack_set_budget(3);
    for (int i = 0; i < 10; i++)
        get(0);
    stats = stats_now();
    check_eq(stats.guards[RING3_STACK_MARKED], 0);
    check_eq(stats.guards[RING3_STACK_PROTECTED], 3);
    check_eq(stats.guards[RING3_STACK_CANARY], 7);
}

TEST(stack, takes_no_mapping_for_a_marked_guard)
{
    FILE *maps;
    int byte, lines = 0;

    if (best_guard() != RING3_STACK_MARKED)
        return;
    for (int i = 0; i < 4000; i++)
        get(0);
    maps = fopen("/proc/self/maps", "r");
    check(maps);
    while ((byte = getc(maps)) != EOF)
        lines += byte == '\n';
    fclose(maps);
    check_lt(lines, 1000, "mappings for 4000 stacks");
}

static void overwrite_canary(void)
{
    ring3_stack_t *one, *two;

    choose_guard(RING3_STACK_CANARY);
    one = get(16 * KIB);
    two = get(16 * KIB);
    check_eq(ring3_stack_put(two), 0, "an intact canary");
    one->base[8] = 1;
    check_eq(ring3_stack_put(one), -EOVERFLOW);
    one = get(16 * KIB);
    check_eq(ring3_stack_put(one), 0, "the next user has a new canary");
}

TEST(stack, tells_of_a_canary_that_was_overwritten)
{
    char said[8192];
    const char *second;

    check_eq(run_in_child(overwrite_canary, said, sizeof said), 0, "%s", said);
    check_contains(said, "ring3: out of guard pages");
    check_contains(said, "ring3: stack overflow in a test (16 KiB), found afterwards, created at ");
    second = strstr(strstr(said, "out of guard pages") + 1, "out of guard pages");
    check(!second, "the warning comes once");
}

/* --- Overflow --------------------------------------------------------------------------------- */

static ring3_context_t home, victim;

static int recurse(volatile char *above);

/* By a pointer, since the compiler complains of a recursion that never returns. */
static int (*volatile deeper)(volatile char *) = recurse;

static int recurse(volatile char *above)
{
    volatile char frame[256];

    frame[0] = above ? above[0] : 0;
    return deeper(frame) + frame[0];
}

static void overflow_body(void *unused)
{
    (void)unused;
    (void)deeper(NULL);
    ring3_context_exit(&victim, &home, NULL, NULL);
}

static void overflow(void)
{
    ring3_stack_t *stack;

    check_eq(ring3_stack_watch(), 0);
    check_eq(ring3_stack_get(64 * KIB, "the parser of tests", &stack), 0);
    check_eq(ring3_context_init(&victim, stack->base, stack->size, overflow_body, NULL, 0), 0);
    ring3_context_switch(&home, &victim, NULL, NULL);
}

static void overflow_protected(void)
{
    choose_guard(RING3_STACK_PROTECTED);
    overflow();
}

static void *overflow_in_thread(void *unused)
{
    (void)unused;
    overflow();
    return NULL;
}

static void overflow_elsewhere(void)
{
    pthread_t thread;

    check_eq(ring3_stack_watch(), 0);
    pthread_create(&thread, NULL, overflow_in_thread, NULL);
    pthread_join(thread, NULL);
}

TEST(stack, tells_of_an_overflow_and_where_it_was_made)
{
    static void (*const ways[])(void) = {overflow, overflow_protected, overflow_elsewhere};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char said[65536], *place;
        const int status = run_in_child(ways[i], said, sizeof said);

#if !defined(WATCH_ASAN) && !defined(WATCH_TSAN) /* which exit by themselves after a fault */
        if (!under_valgrind())
            check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "way %zu: status %x", i,
                  (unsigned)status);
#endif
        check_ne(status, 0);
        check_contains(said, "ring3: stack overflow in the parser of tests (64 KiB), created at /");
        place = strstr(said, "created at /");
        check(strstr(place, "+0x"), "no offset in \"%s\"", place);
    }
}

static void fault_elsewhere(void)
{
    check_eq(ring3_stack_watch(), 0);
    get(0);
    *(volatile char *)mmap(NULL, page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

TEST(stack, says_nothing_of_other_faults)
{
    char said[65536];
    const int status = run_in_child(fault_elsewhere, said, sizeof said);

#if !defined(WATCH_ASAN) && !defined(WATCH_TSAN)
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x", (unsigned)status);
#endif
    check_ne(status, 0);
    check(!strstr(said, "ring3: stack overflow"), "%s", said);
}

static sigjmp_buf out;

static void jump_out(int signal)
{
    siglongjmp(out, signal);
}

TEST(stack, leaves_other_faults_to_the_handler_before)
{
    struct sigaction action = {.sa_handler = jump_out};

    if (under_valgrind()) /* which counts the fault as an error */
        return;
    check_eq(sigaction(SIGSEGV, &action, NULL), 0);
    check_eq(ring3_stack_watch(), 0);
    if (sigsetjmp(out, 1) == 0) {
        fault_elsewhere();
        check(false, "no fault");
    }
}

static void send_fault(void)
{
    check_eq(ring3_stack_watch(), 0);
    raise(SIGSEGV);
    sleep(10);
}

TEST(stack, lets_a_fault_signal_that_was_sent_end_the_process)
{
    char said[65536];

    check_ne(run_in_child(send_fault, said, sizeof said), 0);
    check(!strstr(said, "ring3: stack overflow"), "%s", said);
}

static void *watch(void *kept)
{
    stack_t now;

    check_eq(ring3_stack_watch(), 0);
    check_eq(ring3_stack_watch(), 0);
    check_eq(sigaltstack(NULL, &now), 0);
    *(bool *)kept = !(now.ss_flags & SS_DISABLE);
    return NULL;
}

TEST(stack, gives_each_watching_thread_an_alternate_stack)
{
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        bool has = false;

        check_eq(pthread_create(&thread, NULL, watch, &has), 0);
        pthread_join(thread, NULL);
        check(has);
    }
}

TEST(stack, keeps_errno)
{
    ring3_stack_t *stack;

    choose_guard(RING3_STACK_CANARY);
    errno = 77;
    stack = get(0);
    (void)ring3_stack_high_water(stack);
    ring3_stack_put(stack);
    ring3_stack_reap();
    (void)ring3_stack_watch();
    check_eq(errno, 77);
}
