/* SPDX-License-Identifier: MIT */
/* User-level threads on one worker, on several, and bound. */
#include "threads.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/event.h"
#include "ring3/stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Life ------------------------------------------------------------------------------------- */

static void *twice(void *arg)
{
    ring3_thread_yield();
    return number(2 * value_of(arg));
}

TEST(thread, returns_its_result_in_every_model, 60)
{
    enum { COUNT = 50 };
    ring3_thread_t threads[COUNT];

    for (int model = 0; model < MODELS; model++) {
        start(&models[model]);
        for (long i = 0; i < COUNT; i++)
            threads[i] = spawn(twice, number(i));
        for (long i = 0; i < COUNT; i++)
            check_eq(value_of(join(threads[i])), 2 * i, "model %d", model);
        stop();
    }
}

static void *leave_early(void *arg)
{
    ring3_thread_exit(arg);
}

TEST(thread, exit_passes_a_result_from_any_depth)
{
    start(&models[0]);
    check_eq(value_of(join(spawn(leave_early, number(7)))), 7);
    stop();
}

static ring3_thread_t seen_self;

static void *tell_self(void *arg)
{
    seen_self = ring3_thread_self();
    return arg;
}

TEST(thread, knows_its_own_name)
{
    ring3_thread_t thread;

    check_eq(ring3_thread_self(), 0, "no runtime yet");
    start(&models[0]);
    check_ne(ring3_thread_self(), 0);
    thread = spawn(tell_self, NULL);
    (void)join(thread);
    check_eq(seen_self, thread);
    stop();
    check_eq(ring3_thread_self(), 0);
}

TEST(thread, a_name_is_not_used_again)
{
    ring3_thread_t before = 0;

    start(&models[0]);
    for (int i = 0; i < 100; i++) {
        const ring3_thread_t thread = spawn(twice, NULL);

        check_ne(thread, before);
        (void)join(thread);
        check_eq(ring3_thread_join(thread, NULL), -ESRCH);
        check_eq(ring3_thread_detach(thread), -ESRCH);
        check_eq(ring3_thread_cancel(thread), -ESRCH);
        before = thread;
    }
    stop();
}

static ring3_thread_t main_name;

static void *join_main(void *arg)
{
    (void)arg;
    return number(ring3_thread_join(main_name, NULL));
}

static void *join_given(void *thread)
{
    return number(ring3_thread_join(*(ring3_thread_t *)thread, NULL));
}

static void *sleep_long(void *arg)
{
    (void)arg;
    return number(ring3_sleep_ns(60 * RING3_SECOND_NS));
}

TEST(thread, mistakes_in_joining_are_named)
{
    ring3_thread_t sleeper, joiner;
    const struct timespec past = {0, 1};

    start(&models[0]);
    main_name = ring3_thread_self();
    check_eq(ring3_thread_join(main_name, NULL), -EDEADLK);
    check_eq(value_of(join(spawn(join_main, NULL))), -EDEADLK, "main waits for it");
    sleeper = spawn(sleep_long, NULL);
    joiner = spawn(join_given, &sleeper);
    ring3_thread_yield();
    check_eq(ring3_thread_join(sleeper, NULL), -EINVAL, "somebody else waits for it");
    check_eq(ring3_thread_detach(sleeper), -EINVAL);
    check_eq(ring3_thread_cancel(sleeper), 0);
    check_eq(value_of(join(joiner)), 0);
    check_eq(ring3_thread_join(sleeper, NULL), -ESRCH);

    sleeper = spawn(sleep_long, NULL);
    check_eq(ring3_thread_join_until(sleeper, NULL, &past), -ETIMEDOUT);
    check_eq(ring3_thread_detach(sleeper), 0, "nobody waits any more");
    check_eq(ring3_thread_detach(sleeper), -EINVAL);
    check_eq(ring3_thread_join(sleeper, NULL), -EINVAL);
    check_eq(ring3_runtime_stop(), -EBUSY, "one sleeps");
    check_eq(ring3_thread_cancel(sleeper), 0);
    while (ring3_thread_cancel(sleeper) == 0)
        ring3_thread_yield();
    while (ring3_runtime_stop() == -EBUSY)
        ring3_thread_yield();
}

TEST(thread, wrong_arguments_are_refused)
{
    const ring3_thread_attr_t wrong[] = {
        {.stack_size = RING3_STACK_MAX + 1},
        {.pin = 2},
        {.pin = -1},
        {.explicit_sched = true, .priority = 140},
        {.explicit_sched = true, .nice = 20},
        {.context = 1U << 20},
    };
    const ring3_runtime_options_t bad[] = {
        {.workers = RING3_RUNTIME_WORKERS + 1},
        {.workers = 2, .virtual_clock = true},
    };
    ring3_thread_t thread;

    check_eq(ring3_thread_create(&thread, NULL, twice, NULL), -EINVAL, "no runtime");
    check_eq(ring3_runtime_stop(), -EPERM);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_eq(ring3_runtime_start(&bad[i]), -EINVAL, "%zu", i);
    start(&models[0]);
    check_eq(ring3_runtime_start(NULL), -EALREADY);
    check_eq(ring3_thread_create(&thread, NULL, NULL, NULL), -EINVAL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_eq(ring3_thread_create(&thread, &wrong[i], twice, NULL), -EINVAL, "%zu", i);
    stop();
}

/* --- Turns ------------------------------------------------------------------------------------ */

static char order[64];

static void *write_letters(void *letter)
{
    for (int i = 0; i < 3; i++) {
        order[strlen(order)] = (char)value_of(letter);
        ring3_thread_yield();
    }
    return NULL;
}

TEST(thread, round_robin_takes_turns_at_each_yield)
{
    ring3_thread_t threads[3];

    start(&(ring3_runtime_options_t){.workers = 1, .policy = "rr"});
    for (int i = 0; i < 3; i++)
        threads[i] = spawn(write_letters, number('a' + i));
    for (int i = 0; i < 3; i++)
        (void)join(threads[i]);
    check_str_eq(order, "abcabcabc");
    stop();
}

TEST(thread, priorities_decide_who_runs_first)
{
    static const int32_t priorities[] = {130, 110, 120};
    ring3_thread_t threads[3];

    start(&(ring3_runtime_options_t){.workers = 1, .policy = "priority"});
    for (int i = 0; i < 3; i++) {
        const ring3_thread_attr_t attr = {.explicit_sched = true, .priority = priorities[i]};

        check_eq(ring3_thread_create(&threads[i], &attr, write_letters, number('a' + i)), 0);
    }
    for (int i = 0; i < 3; i++)
        (void)join(threads[i]);
    check_str_eq(order, "bbbcccaaa");
    stop();
}

static long adds;

static void *add_and_yield(void *turns)
{
    for (long i = 0; i < value_of(turns); i++) {
        ring3_fetch_add(&adds, 1, RING3_RELAXED);
        ring3_thread_yield();
    }
    return NULL;
}

TEST(thread, every_policy_schedules_live_threads, 60)
{
    for (const ring3_policy_t *const *policy = ring3_policy_list(); *policy; policy++)
        for (unsigned workers = 1; workers <= 3; workers += 2) {
            ring3_thread_t threads[20];

            adds = 0;
            start(&(ring3_runtime_options_t){.workers = workers, .policy = (*policy)->name});
            for (int i = 0; i < 20; i++)
                threads[i] = spawn(add_and_yield, number(50));
            for (int i = 0; i < 20; i++)
                (void)join(threads[i]);
            check_eq(adds, 1000, "%s with %u workers", (*policy)->name, workers);
            stop();
        }
}

static void *count_down(void *left)
{
    if (value_of(left) > 0) {
        const ring3_thread_t a = spawn(count_down, number(value_of(left) - 1));
        const ring3_thread_t b = spawn(count_down, number(value_of(left) - 1));

        return number(value_of(join(a)) + value_of(join(b)));
    }
    return number(1);
}

TEST(thread, threads_make_threads, 60)
{
    for (int model = 0; model < 2; model++) {
        start(&models[model]);
        check_eq(value_of(join(spawn(count_down, number(10)))), 1024, "model %d", model);
        stop();
    }
}

/* --- Cancellation ----------------------------------------------------------------------------- */

static void *sleep_uncancelable(void *arg)
{
    (void)arg;
    check(ring3_thread_set_cancelable(false));
    check_eq(ring3_sleep_ns(5000000), 0, "it does not listen");
    check(!ring3_thread_set_cancelable(true));
    return number(ring3_thread_cancelled());
}

TEST(thread, cancellation_ends_blocking_calls_and_waits_for_those_who_listen)
{
    for (int model = 0; model < MODELS; model++) {
        ring3_thread_t sleeper, other;

        start(&models[model]);
        sleeper = spawn(sleep_long, NULL);
        other = spawn(sleep_uncancelable, NULL);
        check_eq(ring3_sleep_ns(1000000), 0);
        check_eq(ring3_thread_cancel(sleeper), 0);
        (void)ring3_thread_cancel(other);
        check_eq(value_of(join(sleeper)), -ECANCELED, "model %d", model);
        (void)join(other);
        stop();
    }
}

/* --- What belongs to a thread ----------------------------------------------------------------- */

static void *keep_errno(void *value)
{
    errno = (int)value_of(value);
    for (int i = 0; i < 10; i++) {
        ring3_thread_yield();
        if (errno != (int)value_of(value))
            return number(-1);
    }
    return NULL;
}

TEST(thread, errno_belongs_to_the_thread)
{
    ring3_thread_t threads[4];

    start(&models[0]);
    for (int i = 0; i < 4; i++)
        threads[i] = spawn(keep_errno, number(100 + i));
    for (int i = 0; i < 4; i++)
        check_eq(value_of(join(threads[i])), 0);
    stop();
}

static unsigned key;
static long destroyed;

static void destroy(void *value)
{
    ring3_fetch_add(&destroyed, value_of(value), RING3_RELAXED);
}

static void *use_key(void *value)
{
    check(!ring3_key_get(key), "a new thread has none");
    check_eq(ring3_key_set(key, value), 0);
    ring3_thread_yield();
    return ring3_key_get(key);
}

TEST(thread, keys_hold_a_value_for_each_thread)
{
    ring3_thread_t threads[4];
    unsigned keys[RING3_KEYS];

    start(&models[1]);
    check_eq(ring3_key_create(&key, destroy), 0);
    for (int i = 0; i < 4; i++)
        threads[i] = spawn(use_key, number(1 << i));
    for (int i = 0; i < 4; i++)
        check_eq(value_of(join(threads[i])), 1 << i);
    check_eq(destroyed, 15);
    check_eq(ring3_key_delete(key), 0);
    check_eq(ring3_key_delete(key), -EINVAL);
    check_eq(ring3_key_set(key, NULL), -EINVAL);
    for (int i = 0; i < RING3_KEYS; i++)
        check_eq(ring3_key_create(&keys[i], NULL), 0);
    check_eq(ring3_key_create(&key, NULL), -EAGAIN);
    for (int i = 0; i < RING3_KEYS; i++)
        check_eq(ring3_key_delete(keys[i]), 0);
    stop();
}

TEST(thread, statistics_tell_state_and_switches)
{
    ring3_thread_stats_t stats;
    ring3_thread_t thread;

    start(&(ring3_runtime_options_t){.workers = 1, .stats = true});
    thread = spawn(add_and_yield, number(5));
    check_eq(ring3_thread_stats(thread, &stats), 0);
    check_eq(stats.state, RING3_THREAD_NEW);
    check_eq(stats.response, -1);
    ring3_thread_yield();
    check_eq(ring3_thread_stats(thread, &stats), 0);
    check_eq(stats.state, RING3_THREAD_READY);
    check_eq(stats.voluntary, 1);
    check_ge(stats.response, 0);
    while (stats.state != RING3_THREAD_ENDED) {
        ring3_thread_yield();
        check_eq(ring3_thread_stats(thread, &stats), 0);
    }
    check_eq(stats.voluntary, 5);
    check_ge(stats.turnaround, stats.response + stats.ran);
    (void)join(thread);
    check_eq(ring3_thread_stats(thread, &stats), -ESRCH);
    stop();
}

static void *compute_and_call(void *unused)
{
    const double until = seconds_now() + 0.05;

    while (seconds_now() < until)
        (void)getppid();
    return unused;
}

TEST(thread, statistics_tell_user_and_system_time)
{
    ring3_thread_stats_t idle, busy;
    ring3_thread_t threads[2];

    start(&(ring3_runtime_options_t){.workers = 1, .cpu_times = true});
    threads[0] = spawn(sleep_long, NULL);
    threads[1] = spawn(compute_and_call, NULL);
    do {
        check_eq(ring3_sleep_ns(1000000), 0);
        check_eq(ring3_thread_stats(threads[1], &busy), 0);
    } while (busy.state != RING3_THREAD_ENDED);
    check_eq(ring3_thread_stats(threads[0], &idle), 0);
    check_eq(idle.turnaround, -1);
    check_gt(busy.user + busy.system, idle.user + idle.system);
    check_eq(ring3_thread_cancel(threads[0]), 0);
    for (int i = 0; i < 2; i++)
        (void)join(threads[i]);
    stop();
}

TEST(thread, a_dump_names_every_thread)
{
    ring3_thread_t thread;
    const ring3_thread_attr_t attr = {.name = "the sleeper"};
    char text[1024] = "";
    int ends[2];

    check_eq(pipe(ends), 0);
    start(&models[0]);
    check_eq(ring3_thread_create(&thread, &attr, sleep_long, NULL), 0);
    ring3_thread_yield();
    check_eq(ring3_thread_dump(ends[1]), 2);
    check_gt(read(ends[0], text, sizeof text - 1), 0);
    check_contains(text, "(main): running, worker 0");
    check_contains(text, "(the sleeper): blocked, worker 0");
    check_eq(ring3_thread_cancel(thread), 0);
    (void)join(thread);
    stop();
}

/* --- Process ---------------------------------------------------------------------------------- */

static void *write_late(void *text)
{
    check_eq(ring3_sleep_ns(10000000), 0);
    (void)!write(STDERR_FILENO, text, strlen(text));
    return NULL;
}

static void leave_main(void)
{
    start(&models[0]);
    check_eq(
        ring3_thread_create(NULL, &(ring3_thread_attr_t){.detached = true}, write_late, "late"), 0);
    ring3_thread_exit(NULL);
}

TEST(thread, exit_of_main_waits_for_the_others)
{
    char text[64];

    check_eq(run_in_child(leave_main, text, sizeof text), 0);
    /* LeakSanitizer may have a word to say after it. */
    check(strncmp(text, "late", 4) == 0, "%s", text);
}

static void *fork_and_go_on(void *arg)
{
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_thread_t thread;
        void *result = NULL;

        if (ring3_thread_create(&thread, NULL, twice, number(4)) != 0 ||
            ring3_thread_join(thread, &result) != 0 || value_of(result) != 8)
            _exit(1);
        _exit(ring3_thread_dump(-1) == 1 ? 2 : 0);
    }
    check_child(pid);
    return arg;
}

TEST(thread, a_forked_child_has_the_forking_thread_and_can_make_more)
{
    ring3_thread_t sleeper;

#ifdef RING3_TSAN
    return; /* TSan loses its fibers in a forked child */
#endif

    start(&models[0]);
    sleeper = spawn(sleep_long, NULL);
    ring3_thread_yield();
    (void)join(spawn(fork_and_go_on, NULL));
    check_eq(ring3_thread_cancel(sleeper), 0);
    check_eq(value_of(join(sleeper)), -ECANCELED);
    stop();
}

static void *block_worker(void *arg)
{
    char byte;

    check_eq(read(*(int *)arg, &byte, 1), 1);
    return NULL;
}

static void *write_byte(void *arg)
{
    check_eq(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

/* With one worker this would hang: a system call blocks everybody. */
TEST(thread, a_bound_thread_may_block_in_the_kernel)
{
    const ring3_thread_attr_t bound = {.bound = true};
    ring3_thread_t reader, writer;
    int ends[2];

    check_eq(pipe(ends), 0);
    start(&models[0]);
    check_eq(ring3_thread_create(&reader, &bound, block_worker, &ends[0]), 0);
    writer = spawn(write_byte, &ends[1]);
    (void)join(reader);
    (void)join(writer);
    stop();
}

static ring3_event_t event;

static void *wait_for_event(void *arg)
{
    ring3_event_wait(&event);
    return arg;
}

TEST(thread, ten_thousand_threads_wait_at_once, 60)
{
    const long count = under_qemu() || under_valgrind() ? 200 : scaled(10000, 100000);
    ring3_thread_t *const threads = calloc((size_t)count, sizeof *threads);

    for (int model = 0; model < 2; model++) {
        ring3_event_init(&event, RING3_PRIVATE);
        start(&models[model]);
        for (long i = 0; i < count; i++)
            threads[i] = spawn(wait_for_event, number(i));
        ring3_thread_yield();
        ring3_event_set(&event);
        for (long i = 0; i < count; i++)
            check_eq(value_of(join(threads[i])), i);
        stop();
    }
    free(threads);
}

static void *yield_often(void *arg)
{
    for (int i = 0; i < 6; i++)
        ring3_thread_yield();
    return arg;
}

/* Short switches keep the books of the queue as well as long ones. */
TEST(thread, weight_changes_between_yields)
{
    ring3_thread_t other;

    check_eq(ring3_runtime_start(&(ring3_runtime_options_t){.workers = 1, .policy = "rr"}), 0);
    other = spawn(yield_often, NULL);
    for (int i = 0; i < 4; i++) {
        ring3_thread_yield();
        check_eq(ring3_thread_set_weight(ring3_thread_self(), 2), 0);
        check_eq(ring3_thread_set_weight(other, 2), 0);
    }
    (void)join(other);
    check_eq(ring3_runtime_stop(), 0);
}
