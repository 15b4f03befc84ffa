/* SPDX-License-Identifier: MIT */
/* The framework side of ring3_test.h: one process per test, failures that are safe in any thread or
 * child, and the back ends: Criterion, Debian's check, or none. */
#include "ring3_test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef RING3_TEST_CHECK
#include <check.h>
#endif

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#include <sanitizer/lsan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#if defined(RING3_TEST_CHECK) || defined(RING3_TEST_PLAIN)
#define OWN_LIST 1 /* the back end does not find the tests by itself */
#endif

/* Exit statuses of the test's process and its children. */
#define CHECK_FAILED 99
#define CAME_BACK    98 /* a child returned from the test's body */

/* What the test's process tells its parent, in memory that both see. */
struct outcome {
    int failed;   /* set by the first thread that fails */
    int finished; /* the body came to its end */
    char message[1024];
};

static struct outcome *outcome;
static pid_t test_process;

static int limit_of(const struct ring3_test *test)
{
    return test->seconds * (slow_machine() ? 4 : 1) * (long_run() ? 20 : 1);
}

/* In the test's process. */
static void run_body(const struct ring3_test *test)
{
    test_process = getpid();
    test->body();
    if (getpid() != test_process) {
        fprintf(stderr, "%s: a child returned from the test's body\n", test->name);
        _exit(CAME_BACK);
    }
    outcome->finished = 1;
}

#ifdef ADDRESS_SANITIZER

/*
 * The address sanitizer does not guard its allocator's locks across fork: a child forked while another
 * thread is being born, or allocates, may find one held for ever. So every fork first waits until the
 * other threads sleep, for three seconds of a test's life in all: some have threads that never do.
 */
static bool thread_sleeps(const char *tid)
{
    char path[64], line[512], *state;
    bool sleeps = true;

    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", tid);
    FILE *const file = fopen(path, "re");

    if (!file)
        return true; /* it is gone */
    if (fgets(line, sizeof line, file) && (state = strrchr(line, ')')))
        sleeps = state[2] != 'R' && state[2] != 'D';
    fclose(file);
    return sleeps;
}

static bool others_sleep(void)
{
    DIR *const tasks = opendir("/proc/self/task");
    bool all = true;

    if (!tasks)
        return true; /* no descriptor is left: nothing can be known */
    for (struct dirent *task; all && (task = readdir(tasks));)
        all =
            task->d_name[0] == '.' || atoi(task->d_name) == gettid() || thread_sleeps(task->d_name);
    closedir(tasks);
    return all;
}

static void let_others_sleep(void)
{
    static int budget = 3000;
    const int saved = errno;

    while (budget > 0 && !others_sleep()) {
        budget--;
        usleep(1000);
    }
    errno = saved;
}

__attribute__((constructor)) static void guard_forks(void)
{
    if (pthread_atfork(let_others_sleep, NULL, NULL) != 0)
        abort();
}

#endif

#if defined(ADDRESS_SANITIZER) && !defined(OWN_LIST)

/*
 * The leak sanitizer does not know the stack of a forked process: here a test stays in the process
 * that Criterion started for it; an _exit(0) in its midst and a crash after its end go unnoticed.
 * Leaks are looked for when a test ends, and only then: Criterion's own do not count.
 */
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "leak_check_at_exit=0";
}

static void notice_early_exit(void)
{
    if (getpid() == test_process && !outcome->finished)
        _exit(CHECK_FAILED);
}

/* Kills the test's process group when the test has ended or its time is up. Nobody's child, so that
 * a test's wait() does not meet it. */
static void start_watch(pid_t test, int seconds)
{
    const pid_t pid = fork();

    if (pid == 0) {
        struct pollfd end = {pidfd_open(test, 0), POLLIN, 0};

        if (end.fd < 0 || fork() != 0)
            _exit(end.fd < 0);
        setpgid(0, 0);
        poll(&end, 1, seconds * 1000);
        kill(-test, SIGKILL);
        _exit(0);
    }
    int status;

    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        abort();
}

static bool run_test(const struct ring3_test *test)
{
    static struct outcome here;
    struct rlimit files;

    outcome = &here;
    setpgid(0, 0);
    start_watch(getpid(), limit_of(test));
    if (atexit(notice_early_exit) != 0)
        abort();
    run_body(test);
    /* The search opens files; the test may have left no room for that. */
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (__lsan_do_recoverable_leak_check() != 0) {
        snprintf(here.message, sizeof here.message, "memory leaked");
        return false;
    }
    return true;
}

#else

/* Waits at most `seconds`; false if the process still runs then. */
static bool wait_until_done(pid_t pid, int seconds, int *status)
{
    const double deadline = seconds_now() + seconds;
    /* Short enough that a signal which went to another thread of the framework costs little. */
    const struct timespec slice = {0, 50 * 1000 * 1000};
    sigset_t child_ended;

    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    while (waitpid(pid, status, WNOHANG) != pid) {
        if (seconds_now() > deadline)
            return false;
        sigtimedwait(&child_ended, NULL, &slice);
    }
    return true;
}

/* Says in outcome->message why the test did not pass; returns true if it did. */
static bool run_test(const struct ring3_test *test)
{
    const int limit = limit_of(test);
    sigset_t child_ended, mask;
    int status = 0;

    outcome =
        mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        abort();
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ended, &mask);
    fflush(NULL);
    const pid_t pid = fork();

    if (pid < 0)
        abort();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        run_body(test);
        exit(0); /* with all that hangs on it: exit handlers, valgrind's search for leaks */
    }
    setpgid(pid, pid); /* as the child does: whoever comes first */
    const bool done = wait_until_done(pid, limit, &status);

    kill(-pid, SIGKILL); /* the test, or what it left behind */
    if (!done)
        waitpid(pid, &status, 0);
    sigprocmask(SIG_SETMASK, &mask, NULL);

    char *const message = outcome->message;
    const size_t size = sizeof outcome->message;

    if (!done)
        snprintf(message, size, "still running after %d seconds", limit);
    else if (outcome->failed)
        ;
    else if (WIFSIGNALED(status))
        snprintf(message, size, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (!outcome->finished)
        snprintf(message, size, "left with status %d before its end", WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(message, size, "left with status %d after its end", WEXITSTATUS(status));
    else
        return true;
    return false;
}

#endif

#ifndef RING3_TEST_PLAIN
void ring3_test_run(const struct ring3_test *test)
{
    if (run_test(test))
        return;
#ifdef RING3_TEST_CHECK
    ck_abort_msg("%s", outcome->message);
#else
    cr_assert_fail("%s", outcome->message);
#endif
}
#endif

__attribute__((noreturn)) static void end_test(const char *file, int line, const char *message)
{
    if (getpid() != test_process) {
        fprintf(stderr, "%s:%d: %s (in a child)\n", file, line, message);
        _exit(CHECK_FAILED);
    }
#if defined(ADDRESS_SANITIZER)
    fprintf(stderr, "%s:%d: %s\n", file, line, message); /* the framework will not learn it */
#endif
    while (__atomic_exchange_n(&outcome->failed, 1, __ATOMIC_RELAXED))
        pause(); /* until the thread that failed first ends the process */
    snprintf(outcome->message, sizeof outcome->message, "%s:%d: %s", file, line, message);
    _exit(CHECK_FAILED);
}

void ring3_test_fail(const char *file, int line, const char *fmt, ...)
{
    char message[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    end_test(file, line, message);
}

void ring3_test_fail_because(const char *file, int line, const char *claim, const char *fmt, ...)
{
    char message[1024];
    va_list args;
    const int head =
        snprintf(message, sizeof message, "%s does not hold%s", claim, fmt[1] ? ":" : "");

    va_start(args, fmt);
    if (head > 0 && (size_t)head < sizeof message)
        vsnprintf(message + head, sizeof message - (size_t)head, fmt, args);
    va_end(args);
    end_test(file, line, message);
}

int cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

bool under_qemu(void)
{
    return getenv("QEMU_LD_PREFIX") != NULL;
}

bool slow_machine(void)
{
#if defined(ADDRESS_SANITIZER) || defined(THREAD_SANITIZER)
    return true;
#else
    return getenv("RING3_TEST_SLOW") != NULL;
#endif
}

bool under_valgrind(void)
{
    return getenv("RING3_TEST_VALGRIND") != NULL;
}

bool long_run(void)
{
    return getenv("RING3_TEST_LONG") != NULL;
}

long scaled(long brief, long full)
{
    const long count = long_run() ? full : brief;

    return slow_machine() ? (count + 3) / 4 : count;
}

void ring3_test_child(const char *file, int line, pid_t pid, int status)
{
    int got = 0;

    if (waitpid(pid, &got, 0) != pid)
        ring3_test_fail(file, line, "waitpid(%d) failed", (int)pid);
    if (WIFSIGNALED(got))
        ring3_test_fail(file, line, "the child was killed by signal %d", WTERMSIG(got));
    if (WEXITSTATUS(got) != status)
        ring3_test_fail(file, line, "the child left with status %d, expected %d", WEXITSTATUS(got),
                        status);
}

int run_in_child(void (*body)(void), char *text, int size)
{
    int pipe_fds[2], status = 0;
    ssize_t got, length = 0;
    char rest[256];

    check_eq(pipe(pipe_fds), 0);
    fflush(NULL);
    const pid_t pid = fork();

    check_ge(pid, 0);
    if (pid == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        body();
        _exit(0);
    }
    close(pipe_fds[1]);
    while (length + 1 < size &&
           (got = read(pipe_fds[0], text + length, (size_t)(size - 1 - length))) > 0)
        length += got;
    while (read(pipe_fds[0], rest, sizeof rest) > 0)
        ;
    if (size > 0)
        text[length] = '\0';
    close(pipe_fds[0]);
    check_eq(waitpid(pid, &status, 0), pid);
    return status;
}

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#ifdef OWN_LIST

#define TESTS_MAX 2048
static const struct ring3_test *tests[TESTS_MAX];
static int test_count;

void ring3_test_register(const struct ring3_test *test)
{
    if (test_count == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in one program\n", TESTS_MAX);
        abort();
    }
    tests[test_count++] = test;
}

/* RING3_TEST_ONLY: "suite", "suite/name", or the beginning of one. */
static bool wanted(const char *full_name)
{
    const char *const only = getenv("RING3_TEST_ONLY");

    return !only || strncmp(full_name, only, strlen(only)) == 0;
}

/* A program takes `--tap=FILE` as Criterion does. */
static const char *tap_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--tap=", 6) == 0)
            return argv[i] + 6;
    return NULL;
}

#ifdef RING3_TEST_CHECK

static void run_registered(int index)
{
    ring3_test_run(tests[index]);
}

int main(int argc, char **argv)
{
    static TTest entries[TESTS_MAX];
    static char names[TESTS_MAX][256];
    Suite *const suite = suite_create("ring3");

    for (int i = 0; i < test_count; i++) {
        snprintf(names[i], sizeof names[i], "%s/%s", tests[i]->suite, tests[i]->name);
        if (!wanted(names[i]))
            continue;
        TCase *const alone = tcase_create(names[i]);

        entries[i] = (TTest){names[i], run_registered, "tests", 0};
        tcase_set_timeout(alone, 0); /* ring3_test_run keeps the time */
        _tcase_add_test(alone, &entries[i], 0, 0, i, i + 1);
        suite_add_tcase(suite, alone);
    }
    SRunner *const runner = srunner_create(suite);

    if (tap_file(argc, argv))
        srunner_set_tap(runner, tap_file(argc, argv));
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed ? 1 : 0;
}

#else

int main(int argc, char **argv)
{
    FILE *const tap = tap_file(argc, argv) ? fopen(tap_file(argc, argv), "we") : stdout;
    int count = 0, failed = 0;

    if (!tap) {
        perror(tap_file(argc, argv));
        return 2;
    }
    for (int i = 0; i < test_count; i++) {
        char name[256];

        snprintf(name, sizeof name, "%s/%s", tests[i]->suite, tests[i]->name);
        if (!wanted(name))
            continue;
        count++;
        if (run_test(tests[i])) {
            fprintf(tap, "ok %d - %s\n", count, name);
        } else {
            failed++;
            fprintf(tap, "not ok %d - %s: %s\n", count, name, outcome->message);
        }
    }
    fprintf(tap, "1..%d\n", count);
    fclose(tap);
    return failed ? 1 : 0;
}

#endif
#endif
