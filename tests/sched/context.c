/* SPDX-License-Identifier: MIT */
/*
 * Contexts, every test with both back ends (assembly and ucontext) and, where that could matter,
 * with one of each.
 */
#include "ring3_test.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/context.h"
#include "watchers.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unwind.h>

#define STACK_SIZE ((size_t)65536)

static const uint32_t backends[] = {0, RING3_CONTEXT_PORTABLE};

#define for_each_backend(options)                                                                  \
    for (uint32_t backend_ = 0, options; backend_ < 2 && ((options = backends[backend_]), 1);      \
         backend_++)

static char stacks[3][STACK_SIZE] __attribute__((aligned(64)));
static ring3_context_t home, contexts[3];

static void begin(int which, void (*entry)(void *), void *arg, uint32_t options)
{
    check_eq(ring3_context_init(&contexts[which], stacks[which], STACK_SIZE, entry, arg, options),
             0);
}

static void enter(int which)
{
    ring3_context_switch(&home, &contexts[which], NULL, NULL);
}

static void leave(int which)
{
    ring3_context_switch(&contexts[which], &home, NULL, NULL);
}

__attribute__((noreturn)) static void end(int which)
{
    ring3_context_exit(&contexts[which], &home, NULL, NULL);
}

static int entered;

static void count_thrice(void *step)
{
    for (int i = 0; i < 3; i++) {
        entered += *(int *)step;
        leave(0);
    }
    end(0);
}

TEST(context, runs_its_entry_and_goes_on_where_it_stopped)
{
    for_each_backend(options)
    {
        int step = 10;

        entered = 0;
        begin(0, count_thrice, &step, options);
        check_eq(entered, 0, "it ran before it was switched to");
        for (int i = 1; i <= 3; i++) {
            enter(0);
            check_eq(entered, 10 * i);
        }
        enter(0); /* to its end */
        ring3_context_fini(&contexts[0]);
    }
}

/* --- Registers -------------------------------------------------------------------------------- */

/* More values than there are registers to preserve, all alive across a switch; the compiler cannot
 * know them. */
__attribute__((noinline)) static long carry(long seed, void (*elsewhere)(void))
{
    volatile long source = seed;
    long a = source + 1, b = source + 2, c = source + 3, d = source + 4, e = source + 5,
         f = source + 6, g = source + 7, h = source + 8, i = source + 9, j = source + 10,
         k = source + 11, l = source + 12;
    volatile double real = (double)seed;
    double p = real + 1, q = real + 2, r = real + 3, s = real + 4, t = real + 5, u = real + 6,
           v = real + 7, w = real + 8;

    elsewhere();
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k +
           12 * l + (long)(p + 2 * q + 3 * r + 4 * s + 5 * t + 6 * u + 7 * v + 8 * w);
}

static void nowhere(void) {}

static void away(void)
{
    leave(0);
}

static void towards(void)
{
    enter(0);
}

static void carry_in_context(void *unused)
{
    (void)unused;
    for (;;)
        check_eq(carry(1000, away), carry(1000, nowhere), "registers of the context changed");
}

TEST(context, preserves_registers_on_both_sides)
{
    for_each_backend(options)
    {
        begin(0, carry_in_context, NULL, options);
        for (long i = 0; i < 50; i++)
            check_eq(carry(7 * i, towards), carry(7 * i, nowhere), "registers of home changed");
        ring3_context_fini(&contexts[0]);
    }
}

/* The ABI wants 16 bytes; vector code faults otherwise. */
static void look_at_alignment(void *aligned)
{
    struct {
        char pad[3];
        __attribute__((aligned(16))) char sixteen[16];
    } volatile local;

    memset((void *)local.sixteen, 1, sizeof local.sixteen);
    *(bool *)aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0;
    end(0);
}

static void look_after(void *aligned)
{
    *(bool *)aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0;
}

TEST(context, begins_with_an_aligned_stack)
{
    for_each_backend(options) for (size_t odd = 0; odd < 16; odd += 5)
    {
        bool body = false, after = false;

        check_eq(ring3_context_init(&contexts[0], stacks[0], STACK_SIZE - odd, look_at_alignment,
                                    &body, options),
                 0);
        ring3_context_switch(&home, &contexts[0], look_after, &after);
        check(body, "the entry function's frame");
        check(after, "the callback's frame");
        ring3_context_fini(&contexts[0]);
    }
}

/* --- Floating-point control words ------------------------------------------------------------- */

/* 1/3 rounded as the control words say, computed now. */
static double third(void)
{
    volatile double one = 1, three = 3;

    return one / three;
}

static int mode_seen;

static void round_up(void *unused)
{
    (void)unused;
    for (;;) {
        mode_seen = fegetround();
        fesetround(FE_UPWARD);
        leave(0);
    }
}

static void look_at_mode(void *unused)
{
    (void)unused;
    for (;;) {
        mode_seen = fegetround();
        leave(1);
    }
}

TEST(context, with_fp_has_control_words_of_its_own)
{
    const double nearest = third();

    for_each_backend(options)
    {
        begin(0, round_up, NULL, options | RING3_CONTEXT_FP);
        begin(1, look_at_mode, NULL, options);
        enter(0);
        check_eq(mode_seen, FE_TONEAREST, "it inherits those of its creator");
        check_eq(fegetround(), FE_TONEAREST, "home got those of the context");
        check(third() == nearest);
        fesetround(FE_DOWNWARD);
        check(third() <= nearest);
        enter(0);
        check_eq(mode_seen, FE_UPWARD, "its own were lost");
        check_eq(fegetround(), FE_DOWNWARD, "those of home were lost");
        enter(1);
        check_eq(mode_seen, FE_DOWNWARD, "a context without its own sees the thread's");
        fesetround(FE_TONEAREST);
        ring3_context_fini(&contexts[0]);
        ring3_context_fini(&contexts[1]);
    }
}

TEST(context, without_fp_shares_control_words)
{
    for_each_backend(options)
    {
        begin(0, round_up, NULL, options);
        enter(0);
        check_eq(fegetround(), FE_UPWARD, "the switch changed the control words");
        fesetround(FE_TOWARDZERO);
        enter(0);
        check_eq(mode_seen, FE_TOWARDZERO, "the switch changed the control words");
        fesetround(FE_TONEAREST);
        ring3_context_fini(&contexts[0]);
    }
}

static void pass_on(void *unused)
{
    (void)unused;
    for (;;) {
        fesetround(FE_UPWARD);
        ring3_context_switch(&contexts[0], &contexts[1], NULL, NULL);
    }
}

TEST(context, with_fp_passes_shared_words_on)
{
    for_each_backend(options)
    {
        begin(0, pass_on, NULL, options | RING3_CONTEXT_FP);
        begin(1, look_at_mode, NULL, options);
        fesetround(FE_DOWNWARD);
        enter(0); /* which switches on to 1, and that back to us */
        check_eq(mode_seen, FE_DOWNWARD, "own words of one context reached another");
        check_eq(fegetround(), FE_DOWNWARD);
        fesetround(FE_TONEAREST);
        ring3_context_fini(&contexts[0]);
        ring3_context_fini(&contexts[1]);
    }
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void block_usr1(void *unused)
{
    sigset_t set;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    leave(0);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    entered = sigismember(&set, SIGUSR2);
    end(0);
}

TEST(context, leaves_the_signal_mask_alone)
{
    for_each_backend(options)
    {
        sigset_t set;

        sigemptyset(&set);
        pthread_sigmask(SIG_SETMASK, &set, NULL);
        begin(0, block_usr1, NULL, options);
        enter(0);
        pthread_sigmask(SIG_SETMASK, NULL, &set);
        check(sigismember(&set, SIGUSR1), "what a context blocks stays blocked");
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_SETMASK, &set, NULL);
        entered = 0;
        enter(0);
        check_eq(entered, 1, "what home blocks is blocked in the context");
        ring3_context_fini(&contexts[0]);
    }
}

/* --- The callback ----------------------------------------------------------------------------- */

static char *after_stack;
static bool after_ran;

static void note_stack(void *arg)
{
    after_stack = __builtin_frame_address(0);
    after_ran = arg == &after_ran;
}

static void come_back_with_callback(void *unused)
{
    (void)unused;
    check(after_ran, "the callback runs before the entry function");
    after_ran = false;
    ring3_context_switch(&contexts[0], &home, note_stack, &after_ran);
    check(after_ran, "the callback runs before the switch returns");
    end(0);
}

static bool on_stack(const char *address, int which)
{
    return address >= stacks[which] && address < stacks[which] + STACK_SIZE;
}

TEST(context, calls_back_on_the_new_stack)
{
    for_each_backend(options)
    {
        begin(0, come_back_with_callback, NULL, options);
        after_ran = false;
        ring3_context_switch(&home, &contexts[0], note_stack, &after_ran);
        check(after_ran, "the callback runs before the switch returns");
        check(!on_stack(after_stack, 0), "on home's stack");
        after_ran = false;
        ring3_context_switch(&home, &contexts[0], note_stack, &after_ran);
        check(on_stack(after_stack, 0), "on the context's stack");
        ring3_context_fini(&contexts[0]);
    }
}

/* Two kernel threads pass one context to each other. It publishes "I am blocked" by the callback
 * alone, so that the other thread enters its stack the moment this one has left it. */
static struct {
    uint32_t blocked; /* the context may be entered */
    long turns;       /* plain: the context's own */
    uint32_t done;
} relay;
static __thread ring3_context_t *relay_home;
static ring3_context_t relay_homes[2], relay_context;
static ring3_context_t *relay_back; /* whom to switch to; written by who enters */

static void publish(void *unused)
{
    (void)unused;
    /* Pairs with the exchange in relay_run. */
    ring3_store(&relay.blocked, 1, RING3_RELEASE);
}

static void relay_body(void *limit)
{
    while (relay.turns < *(long *)limit) {
        relay.turns++;
        ring3_context_switch(&relay_context, relay_back, publish, NULL);
    }
    ring3_store(&relay.done, 1, RING3_RELAXED);
    ring3_context_exit(&relay_context, relay_back, NULL, NULL);
}

static void *relay_run(void *mine)
{
    relay_home = mine;
    while (!ring3_load(&relay.done, RING3_RELAXED))
        /* Pairs with the store in publish. */
        if (ring3_exchange(&relay.blocked, 0, RING3_ACQUIRE)) {
            relay_back = relay_home;
            ring3_context_switch(relay_home, &relay_context, NULL, NULL);
        } else {
            sched_yield();
        }
    return NULL;
}

TEST(context, moves_between_kernel_threads, 60)
{
    for_each_backend(options)
    {
        pthread_t other;
        long limit = scaled(20000, 1000000);

        memset(&relay, 0, sizeof relay);
        memset(relay_homes, 0, sizeof relay_homes);
        check_eq(
            ring3_context_init(&relay_context, stacks[0], STACK_SIZE, relay_body, &limit, options),
            0);
        publish(NULL);
        check_eq(pthread_create(&other, NULL, relay_run, &relay_homes[1]), 0);
        relay_run(&relay_homes[0]);
        pthread_join(other, NULL);
        check_eq(relay.turns, limit);
        ring3_context_fini(&relay_context);
    }
}

/* --- Several, of both kinds ------------------------------------------------------------------- */

static char order[64];

static void ring(void *which_)
{
    const int which = *(int *)which_;

    for (int lap = 0; lap < 3; lap++) {
        const size_t length = strlen(order);

        order[length] = (char)('a' + which);
        ring3_context_switch(&contexts[which], which < 2 ? &contexts[which + 1] : &home, NULL,
                             NULL);
    }
    end(which);
}

TEST(context, of_both_kinds_switch_to_each_other)
{
    int names[3] = {0, 1, 2};

    for (uint32_t kinds = 0; kinds < 8; kinds++) {
        memset(order, 0, sizeof order);
        for (int i = 0; i < 3; i++)
            begin(i, ring, &names[i], kinds >> i & 1 ? RING3_CONTEXT_PORTABLE : 0);
        for (int lap = 0; lap < 3; lap++)
            enter(0);
        check_str_eq(order, "abcabcabc");
        for (int i = 0; i < 3; i++)
            ring3_context_fini(&contexts[i]);
    }
}

/* A stack is used again by a context that was not the last one's kind, after frames were
 * abandoned on it. */
/* By a pointer, since the compiler complains of a recursion that never returns. */
static void (*volatile finish)(int) = end;

__attribute__((noinline)) static int deeper(int left)
{
    volatile char frame[512];

    memset((void *)frame, left, sizeof frame);
    if (left == 0) {
        finish(0);
        return 0;
    }
    return deeper(left - 1) + frame[left];
}

static void abandon(void *depth)
{
    (void)deeper(*(int *)depth);
}

TEST(context, ends_anywhere_and_its_stack_is_used_again)
{
    int depth = 20;

    for (int i = 0; i < 20; i++) {
        begin(0, abandon, &depth, backends[i % 2]);
        enter(0);
        ring3_context_fini(&contexts[0]);
    }
}

/* --- Unwinding -------------------------------------------------------------------------------- */

#ifndef WATCH_TSAN /* whose runtime has no business in an unwinder's way */

struct walk {
    const void *looking_for;
    int depth;
    bool found, strayed, ended;
};

/* Its address lies above the stack, where an unwinder must not look. */
static void decoy(void) {}

static _Unwind_Reason_Code step(struct _Unwind_Context *frame, void *walk_)
{
    struct walk *const walk = walk_;
    const void *const function = _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(frame));

    walk->found |= function == walk->looking_for;
    walk->strayed |= function == (void *)decoy;
    return ++walk->depth < 100 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk_now(void *walk_)
{
    struct walk *const walk = walk_;

    walk->depth = 0;
    walk->ended = _Unwind_Backtrace(step, walk) == _URC_END_OF_STACK && walk->depth < 100;
}

#define ABOVE ((size_t)256)

static void begin_below_decoys(void (*entry)(void *), void *arg, uint32_t options)
{
    uintptr_t *const above = (uintptr_t *)(void *)(stacks[0] + STACK_SIZE - ABOVE);

    for (size_t i = 0; i < ABOVE / sizeof *above; i++)
        above[i] = (uintptr_t)decoy + 1;
    check_eq(ring3_context_init(&contexts[0], stacks[0], STACK_SIZE - ABOVE, entry, arg, options),
             0);
}

static void walked(void *walk)
{
    walk_now(walk);
    leave(0);
    end(0);
}

TEST(context, unwinds_to_its_entry_and_no_further)
{
    for_each_backend(options)
    {
        struct walk walk = {.looking_for = (void *)walked};

        begin_below_decoys(walked, &walk, options);
        enter(0);
        check(walk.found, "the entry function is not in the backtrace of %d frames", walk.depth);
        check(walk.ended, "the walk did not end");
        check(!walk.strayed, "it went on beyond the entry function");
        walk.found = false;
        ring3_context_switch(&home, &contexts[0], walk_now, &walk);
        check(walk.found, "from the callback, the stopped function is not in the backtrace");
        check(walk.ended);
        ring3_context_fini(&contexts[0]);
    }
}

TEST(context, unwinds_from_a_callback_before_the_entry)
{
    for_each_backend(options)
    {
        struct walk walk = {.looking_for = (void *)walk_now};

        begin_below_decoys(walked, &walk, options);
        ring3_context_switch(&home, &contexts[0], walk_now, &walk);
        check(walk.ended);
        check(!walk.strayed, "it went on beyond the first frame");
        ring3_context_fini(&contexts[0]);
    }
}

#endif

/* --- Misuse ----------------------------------------------------------------------------------- */

TEST(context, refuses_what_cannot_work)
{
    ring3_context_t context;

    check_eq(ring3_context_init(&context, NULL, STACK_SIZE, abandon, NULL, 0), -EINVAL);
    check_eq(ring3_context_init(&context, stacks[0], STACK_SIZE, NULL, NULL, 0), -EINVAL);
    check_eq(ring3_context_init(&context, stacks[0], STACK_SIZE, abandon, NULL, 64), -EINVAL);
    check_eq(ring3_context_init(&context, stacks[0], RING3_CONTEXT_STACK_MIN - 1, abandon, NULL, 0),
             -EINVAL);
    check_eq(ring3_context_init(&context, stacks[0], RING3_CONTEXT_STACK_MIN, abandon, NULL,
                                RING3_CONTEXT_PORTABLE),
             -EINVAL);
}

static void return_at_once(void *unused)
{
    (void)unused;
}

static uint32_t returning_backend;

static void let_entry_return(void)
{
    begin(0, return_at_once, NULL, returning_backend);
    enter(0);
}

TEST(context, that_returns_from_its_entry_is_told)
{
    for_each_backend(options)
    {
        char said[8192];
        int status;

        returning_backend = options;
        status = run_in_child(let_entry_return, said, sizeof said);
        check(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
        check_contains(said, "ring3: the entry function of a context returned");
    }
}

TEST(context, names_its_back_end)
{
#if defined(__x86_64__)
    check_str_eq(ring3_context_backend(), "x86-64");
#elif defined(__aarch64__)
    check_str_eq(ring3_context_backend(), "aarch64");
#else
    check_str_eq(ring3_context_backend(), "ucontext");
#endif
}
