/* SPDX-License-Identifier: MIT */
#include "ring3_test.h"

#include "env_find.h"
#include "ring3/env.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- A variable with three keys --------------------------------------------------------------- */

struct settings {
    char policy[32];
    bool report;
    size_t limit;
};

static bool set_policy(void *context, const char *value, size_t length)
{
    struct settings *const settings = context;

    if (!ring3_env_is(value, length, "first-fit") && !ring3_env_is(value, length, "buddy"))
        return false;
    snprintf(settings->policy, sizeof settings->policy, "%.*s", (int)length, value);
    return true;
}

static bool set_report(void *context, const char *value, size_t length)
{
    return ring3_env_bool(value, length, &((struct settings *)context)->report);
}

static bool set_limit(void *context, const char *value, size_t length)
{
    return ring3_env_size(value, length, &((struct settings *)context)->limit);
}

static const ring3_env_key_t keys[] = {
    {"policy", "first-fit or buddy", set_policy},
    {"report", "on or off", set_report},
    {"limit", "a size such as 64K", set_limit},
    {0},
};

static struct settings settings;
static int bad;

/* Reads `text` in a child whose stderr is caught in `message`; the child checks what it got. */
static const char *input;
static struct settings expected;
static int expected_bad;

static void read_and_compare(void)
{
    memcpy(settings.policy, "default", 8);
    settings.report = false;
    settings.limit = 7;
    errno = EXDEV;
    bad = ring3_env_parse("RING3_TEST", input, keys, &settings);
    check_eq(errno, EXDEV, "errno was touched");
    check_eq(bad, expected_bad);
    check_str_eq(settings.policy, expected.policy);
    check_eq(settings.report, expected.report);
    check_eq(settings.limit, expected.limit);
}

static void check_parse(const char *text, struct settings want, int want_bad, const char *message)
{
    char said[4096];

    input = text;
    expected = want;
    expected_bad = want_bad;

    const int status = run_in_child(read_and_compare, said, sizeof said);

    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "\"%s\": %s", text, said);
    check_str_eq(said, message);
}

TEST(env, reads_keys_bare_words_and_empty_items)
{
    check_parse("", (struct settings){"default", false, 7}, 0, "");
    check_parse("buddy", (struct settings){"buddy", false, 7}, 0, "");
    check_parse("policy=buddy", (struct settings){"buddy", false, 7}, 0, "");
    check_parse("buddy,report", (struct settings){"buddy", true, 7}, 0, "");
    check_parse("first-fit,report=yes,limit=64K", (struct settings){"first-fit", true, 65536}, 0,
                "");
    check_parse("limit=2,policy=buddy", (struct settings){"buddy", false, 2}, 0, "");
    check_parse(",,buddy,,limit=1,", (struct settings){"buddy", false, 1}, 0, "");
    check_parse("limit=1,limit=2", (struct settings){"default", false, 2}, 0, "");
}

TEST(env, a_bare_first_word_that_is_a_key_switches_it_on)
{
    check_parse("report", (struct settings){"default", true, 7}, 0, "");
    check_parse("report,buddy", (struct settings){"default", true, 7}, 1,
                "ring3: RING3_TEST: unknown key \"buddy\" ignored; "
                "allowed keys: policy, report, limit\n");
}

TEST(env, an_unknown_key_is_one_line_and_the_rest_counts)
{
    check_parse("buddy,colour=red,limit=9", (struct settings){"buddy", false, 9}, 1,
                "ring3: RING3_TEST: unknown key \"colour\" ignored; "
                "allowed keys: policy, report, limit\n");
}

TEST(env, a_value_that_is_not_allowed_is_one_line_and_keeps_the_default)
{
    check_parse("worst-fit", (struct settings){"default", false, 7}, 1,
                "ring3: RING3_TEST: policy=worst-fit ignored; allowed: first-fit or buddy\n");
    check_parse("policy=", (struct settings){"default", false, 7}, 1,
                "ring3: RING3_TEST: policy= ignored; allowed: first-fit or buddy\n");
    check_parse("report=perhaps", (struct settings){"default", false, 7}, 1,
                "ring3: RING3_TEST: report=perhaps ignored; allowed: on or off\n");
    check_parse("limit=99999999999999999999", (struct settings){"default", false, 7}, 1,
                "ring3: RING3_TEST: limit=99999999999999999999 ignored; "
                "allowed: a size such as 64K\n");
    check_parse("buddy,=x", (struct settings){"buddy", false, 7}, 1,
                "ring3: RING3_TEST: unknown key \"\" ignored; "
                "allowed keys: policy, report, limit\n");
}

TEST(env, rubbish_stays_one_readable_line)
{
    check_parse("policy=a\nb\033[2J\177", (struct settings){"default", false, 7}, 1,
                "ring3: RING3_TEST: policy=a?b?[2J? ignored; allowed: first-fit or buddy\n");

    char text[5000], message[256];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    snprintf(message, sizeof message,
             "ring3: RING3_TEST: policy=%.80s... ignored; allowed: first-fit or buddy\n", text);
    check_parse(text, (struct settings){"default", false, 7}, 1, message);
}

TEST(env, without_a_policy_key_every_bare_word_means_on)
{
    static const ring3_env_key_t flags[] = {{"report", "on or off", set_report}, {0}};

    settings.report = false;
    check_eq(ring3_env_parse("RING3_TEST", "report", flags, &settings), 0);
    check(settings.report);
}

/* --- Where the text comes from ---------------------------------------------------------------- */

TEST(env, reads_the_environment)
{
    setenv("RING3_TEST", "buddy,limit=3", 1);
    check_eq(ring3_env_read("RING3_TEST", keys, &settings), 0);
    check_str_eq(settings.policy, "buddy");
    check_eq(settings.limit, 3);
    check_str_eq(ring3_env_get("RING3_TEST"), "buddy,limit=3");
    check(ring3_env_get("RING3_TES") == NULL, "the whole name counts");
    check(ring3_env_get("RING3_TEST_") == NULL);
    unsetenv("RING3_TEST");
    check_eq(ring3_env_read("RING3_TEST", keys, &settings), 0);
    check(ring3_env_get("RING3_TEST") == NULL);
}

TEST(env, without_environ_reads_what_the_kernel_gave)
{
    char **const saved = environ;
    const char *const path = getenv("PATH");
    const char *found;

    check(path, "the test needs a PATH");
    setenv("RING3_TEST", "buddy", 1); /* not from the kernel */
    environ = NULL;
    found = ring3_env_get("PATH");
    check_eq(ring3_env_read("RING3_TEST", keys, &settings), 0);
    environ = saved;
    check_str_eq(found, path);
    check_str_eq(settings.policy, "");
}

TEST(env, ignores_everything_when_privileges_are_raised)
{
    char variable[] = "RING3_TEST=buddy", odd[] = "RING3_TESTX";
    char *environment[] = {odd, variable, NULL};

    check_str_eq(ring3_env_find(environment, false, "RING3_TEST"), "buddy");
    check(ring3_env_find(environment, true, "RING3_TEST") == NULL);
    check(ring3_env_find(NULL, false, "RING3_TEST") == NULL);
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool size_is(const char *text, size_t size)
{
    size_t got = 0;

    return ring3_env_size(text, strlen(text), &got) && got == size;
}

static bool size_fails(const char *text)
{
    size_t kept = 12345;

    return !ring3_env_size(text, strlen(text), &kept) && kept == 12345;
}

TEST(env, sizes_take_suffixes)
{
    check(size_is("0", 0));
    check(size_is("123", 123));
    check(size_is("4K", 4096));
    check(size_is("4k", 4096));
    check(size_is("3M", 3u << 20));
    check(size_is("3m", 3u << 20));
    check(size_is("2G", (size_t)2 << 30));
    check(size_is("2g", (size_t)2 << 30));
    check(size_is("18446744073709551615", SIZE_MAX));
    check(size_is("17179869183G", (size_t)17179869183 << 30));
}

TEST(env, malformed_and_oversized_sizes_fail)
{
    check(size_fails(""));
    check(size_fails("K"));
    check(size_fails("-1"));
    check(size_fails("+1"));
    check(size_fails(" 1"));
    check(size_fails("1 "));
    check(size_fails("1KK"));
    check(size_fails("1T"));
    check(size_fails("0x10"));
    check(size_fails("1.5M"));
    check(size_fails("18446744073709551616"));
    check(size_fails("18014398509481984K"));
    check(size_fails("17179869184G"));
    check(size_fails("99999999999999999999999"));
}

TEST(env, values_end_at_their_length)
{
    size_t size = 0;
    bool on = false;

    check(ring3_env_size("123456", 3, &size));
    check_eq(size, 123);
    check(ring3_env_bool("only", 2, &on));
    check(on);
    check(ring3_env_is("buddy-like", 5, "buddy"));
    check(!ring3_env_is("buddy", 4, "buddy"));
}

TEST(env, bools_have_three_spellings)
{
    static const char *const on[] = {"on", "yes", "1"}, *const off[] = {"off", "no", "0"};

    for (int i = 0; i < 3; i++) {
        bool setting = false;

        check(ring3_env_bool(on[i], strlen(on[i]), &setting));
        check(setting);
        check(ring3_env_bool(off[i], strlen(off[i]), &setting));
        check(!setting);
    }

    bool kept = true;

    check(!ring3_env_bool("ON", 2, &kept));
    check(!ring3_env_bool("", 0, &kept));
    check(!ring3_env_bool("2", 1, &kept));
    check(kept);
}

/* --- RING3_DISABLE ---------------------------------------------------------------------------- */

static uint32_t disabled;

#define MEMBARRIER (UINT32_C(1) << 1) /* by its place in ring3_env_features */
#define RSEQ       (UINT32_C(1) << 2)
#define ALL_FOUR   UINT32_C(15)

TEST(env, a_list_of_features_disables_these_and_no_others)
{
    check_eq(ring3_env_enter_disabled(&disabled, "rseq,,membarrier") & ALL_FOUR, RSEQ | MEMBARRIER);
    disabled = 0;
    check_eq(ring3_env_enter_disabled(&disabled, "") & ALL_FOUR, 0);
    disabled = 0;
    check_eq(ring3_env_enter_disabled(&disabled, NULL) & ALL_FOUR, 0);
    disabled = 0;
    check_eq(ring3_env_enter_disabled(&disabled, "guard,membarrier,rseq,futex_waitv") & ALL_FOUR,
             ALL_FOUR);
}

TEST(env, every_feature_can_be_disabled_by_name)
{
    int count = 0;

    for (const char *const *feature = ring3_env_features(); *feature; feature++, count++) {
        if (!getenv("RING3_DISABLE"))
            check(!ring3_env_disabled(*feature), "%s", *feature);
        check_eq(ring3_env_disable(*feature), 0);
        check(ring3_env_disabled(*feature), "%s", *feature);
    }
    check_ge(count, 14);
    check(!ring3_env_disabled("warp"));
}

static void disable_rubbish(void)
{
    for (int i = 0; i < 3; i++)
        check_eq(ring3_env_enter_disabled(&disabled, "membarrier,warp") & ALL_FOUR, MEMBARRIER);
}

TEST(env, an_unknown_feature_is_complained_of_once)
{
    char said[1024];

    check_eq(run_in_child(disable_rubbish, said, sizeof said), 0);
    check_str_eq(said,
                 "ring3: RING3_DISABLE: unknown feature \"warp\" ignored; "
                 "allowed: guard, membarrier, rseq, futex_waitv, "
                 "copy_file_range, memfd_noexec, peerpidfd, pidfd, "
                 "pidfd_spawn, process_vm, rwf_nosignal, rwf_nowait, sendfile, splice, tmpfile, "
                 "clear_sighand\n");
}

static void *ask(void *barrier)
{
    pthread_barrier_wait(barrier);
    return ring3_env_enter_disabled(&disabled, "warp,rseq") & RSEQ ? barrier : NULL;
}

static void ask_from_threads(void)
{
    pthread_t thread[8];
    pthread_barrier_t barrier;
    void *yes;

    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++)
        check_eq(pthread_create(&thread[i], NULL, ask, &barrier), 0);
    for (int i = 0; i < 8; i++) {
        check_eq(pthread_join(thread[i], &yes), 0);
        check(yes, "thread %d was told something else", i);
    }
}

TEST(env, threads_that_ask_together_agree_and_one_complains)
{
    char said[1024];

    for (int i = 0; i < 20; i++) {
        check_eq(run_in_child(ask_from_threads, said, sizeof said), 0);
        check_str_eq(
            said, "ring3: RING3_DISABLE: unknown feature \"warp\" ignored; "
                  "allowed: guard, membarrier, rseq, futex_waitv, "
                  "copy_file_range, memfd_noexec, peerpidfd, pidfd, "
                  "pidfd_spawn, process_vm, rwf_nosignal, rwf_nowait, sendfile, splice, tmpfile, "
                  "clear_sighand\n");
    }
}

static void disable_by_call(void)
{
    check_eq(ring3_env_disable("guard,warp"), -EINVAL);
    check(ring3_env_disabled("guard"));
}

TEST(env, disabling_by_call_reports_unknown_features)
{
    char said[1024];

    check_eq(run_in_child(disable_by_call, said, sizeof said), 0);
    check_contains(said, "ring3_env_disable: unknown feature \"warp\"");
}

/* --- Complaints ------------------------------------------------------------------------------- */

static void complain_long(void)
{
    static char text[2000];
    const char *const parts[] = {"ring3: ", text, text};

    memset(text, 'y', sizeof text - 1);
    errno = EXDEV;
    ring3_env_complain(parts, 3);
    check_eq(errno, EXDEV);
}

TEST(env, a_complaint_is_cut_to_512_bytes)
{
    char said[2000];

    check_eq(run_in_child(complain_long, said, sizeof said), 0);
    check_eq(strlen(said), 512);
    check_eq(said[511], '\n');
    check_eq(said[510], 'y');
}

static void complain_to(int fd)
{
    const char *const parts[] = {"ring3: ", "unheard"};

    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    else
        close(STDERR_FILENO);
    errno = EXDEV;
    ring3_env_complain(parts, 2);
    _exit(errno == EXDEV ? 0 : 1);
}

TEST(env, a_complaint_to_a_closed_descriptor_is_dropped)
{
    const pid_t pid = fork();

    if (pid == 0)
        complain_to(-1);
    check_child(pid);
}

TEST(env, a_complaint_to_a_pipe_nobody_reads_does_not_kill)
{
    int ends[2];

    check_eq(pipe(ends), 0);
    close(ends[0]);

    const pid_t pid = fork();

    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        complain_to(ends[1]);
    }
    check_child(pid);
}

TEST(env, a_complaint_to_a_read_only_descriptor_is_dropped)
{
    const int fd = open("/dev/null", O_RDONLY);
    const pid_t pid = fork();

    if (pid == 0)
        complain_to(fd);
    check_child(pid);
}
