/* SPDX-License-Identifier: MIT */
/*
 * The one header that test suites include.
 *
 *     TEST(ticket, serves_in_order_of_arrival) { check_eq(got, 3, "waiter %d went first", got); }
 *     TEST(fork, survives_a_storm, 60) { … }
 *
 * The first argument of TEST is the suite, the second a sentence, the third its time limit in
 * seconds (30 unless it says otherwise; more is granted to slow machines and long runs). Criterion
 * runs the tests natively and under ASan and UBSan; Debian's check does under TSan (RING3_TEST_CHECK);
 * under valgrind and qemu the tests run without a framework (RING3_TEST_PLAIN). tests/run.sh counts the results.
 *
 * Whatever runs them, each test's body has a process and process group of its own, and it passes
 * only by reaching its end and leaving with status 0 within its time. A crash, a hang, an early
 * exit, a check that fails in any thread: one failure each, and no process outlives its test.
 *
 * A forked child reports by exit status, which check_child in the parent sees: a check that fails
 * there writes its message to stderr and ends the child, and so does a return from the body.
 */
#ifndef RING3_TEST_H
#define RING3_TEST_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ring3_test {
    const char *suite, *name;
    void (*body)(void);
    int seconds; /* time limit */
};

#define RING3_TEST_DEFAULT_SECONDS            30
#define RING3_TEST_SECOND(first, second, ...) second
#define RING3_TEST_SECONDS(...)               RING3_TEST_SECOND(0, ##__VA_ARGS__, RING3_TEST_DEFAULT_SECONDS, 0)

/* Runs the body in its process, and fails by the framework's own means if it did not pass. */
void ring3_test_run(const struct ring3_test *test);

__attribute__((noreturn, format(printf, 3, 4))) void ring3_test_fail(const char *file, int line,
                                                                     const char *fmt, ...);
/* The two-part form: what was compared, then the test's own words after a leading space. */
__attribute__((noreturn, format(printf, 4, 5))) void
ring3_test_fail_because(const char *file, int line, const char *claim, const char *fmt, ...);

/* Number of CPUs this process may run on. */
int cpus(void);
/* true under qemu's user mode, which knows no seccomp and loses its way when a process with several threads forks and the
 * child starts new ones: tests of that end early there. */
bool under_qemu(void);
/* true under TSan, ASan, valgrind or qemu, where long counts are cut down. */
bool slow_machine(void);
/* true in `make valgrind`, where resident memory and the time signals take say little. */
bool under_valgrind(void);
/* true in `make stress` (RING3_TEST_LONG=1). */
bool long_run(void);
/* How often to repeat: `full` in a long run, `brief` otherwise, a quarter of it on a slow machine
 * (at least once). */
long scaled(long brief, long full);
/* Waits for a child that this test forked; fails unless it left with `status` (an exit code). */
void ring3_test_child(const char *file, int line, pid_t pid, int status);
/* Runs `body` in a child and returns its wait status; what it wrote to stderr goes to `text`
 * (NUL-terminated, cut to size). */
int run_in_child(void (*body)(void), char *text, int size);
/* Seconds on CLOCK_MONOTONIC, for hang limits and lower bounds only. */
double seconds_now(void);

#define check(claim, ...)                                                                          \
    do {                                                                                           \
        if (!(claim))                                                                              \
            ring3_test_fail_because(__FILE__, __LINE__, #claim, " " __VA_ARGS__);                  \
    } while (0)

#define ring3_check_compare(a, op, b, ...)                                                         \
    do {                                                                                           \
        const __auto_type check_a_ = (a);                                                          \
        const __auto_type check_b_ = (b);                                                          \
        if (!(check_a_ op check_b_)) {                                                             \
            char claim_[256];                                                                      \
            __builtin_snprintf(claim_, sizeof claim_, "%s %s %s (%lld and %lld)", #a, #op, #b,     \
                               (long long)(intptr_t)check_a_, (long long)(intptr_t)check_b_);      \
            ring3_test_fail_because(__FILE__, __LINE__, claim_, " " __VA_ARGS__);                  \
        }                                                                                          \
    } while (0)

#define check_eq(a, b, ...) ring3_check_compare(a, ==, b, __VA_ARGS__)
#define check_ne(a, b, ...) ring3_check_compare(a, !=, b, __VA_ARGS__)
#define check_lt(a, b, ...) ring3_check_compare(a, <, b, __VA_ARGS__)
#define check_le(a, b, ...) ring3_check_compare(a, <=, b, __VA_ARGS__)
#define check_gt(a, b, ...) ring3_check_compare(a, >, b, __VA_ARGS__)
#define check_ge(a, b, ...) ring3_check_compare(a, >=, b, __VA_ARGS__)
#define check_str_eq(a, b)                                                                         \
    do {                                                                                           \
        const char *check_a_ = (a), *check_b_ = (b);                                               \
        if (!check_a_ || !check_b_ || __builtin_strcmp(check_a_, check_b_) != 0)                   \
            ring3_test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a,               \
                            check_a_ ? check_a_ : "(null)", check_b_ ? check_b_ : "(null)");       \
    } while (0)
#define check_contains(text, part)                                                                 \
    do {                                                                                           \
        const char *check_a_ = (text), *check_b_ = (part);                                         \
        if (!__builtin_strstr(check_a_, check_b_))                                                 \
            ring3_test_fail(__FILE__, __LINE__, "%s is \"%s\", which lacks \"%s\"", #text,         \
                            check_a_, check_b_);                                                   \
    } while (0)
#define check_child(pid) ring3_test_child(__FILE__, __LINE__, pid, 0)

#define RING3_TEST_RECORD(suite_, name_, ...)                                                      \
    static void suite_##_##name_##_body(void);                                                     \
    static const struct ring3_test suite_##_##name_##_test = {                                     \
        #suite_, #name_, suite_##_##name_##_body, RING3_TEST_SECONDS(__VA_ARGS__)}

#if defined(RING3_TEST_CHECK) || defined(RING3_TEST_PLAIN)

void ring3_test_register(const struct ring3_test *test);

#define TEST(suite_, name_, ...)                                                                   \
    RING3_TEST_RECORD(suite_, name_, ##__VA_ARGS__);                                               \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                     \
    {                                                                                              \
        ring3_test_register(&suite_##_##name_##_test);                                             \
    }                                                                                              \
    static void suite_##_##name_##_body(void)

#else

#include <criterion/criterion.h>

#define TEST(suite_, name_, ...)                                                                   \
    RING3_TEST_RECORD(suite_, name_, ##__VA_ARGS__);                                               \
    Test(suite_, name_)                                                                            \
    {                                                                                              \
        ring3_test_run(&suite_##_##name_##_test);                                                  \
    }                                                                                              \
    static void suite_##_##name_##_body(void)

#endif
#endif
