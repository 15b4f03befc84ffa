/* SPDX-License-Identifier: MIT */
#include "ring3/subprocess.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG ((size_t)3 << 20)

static char input[BIG], output[BIG + 100];

static ring3_spawn_plan_t plan_of(char *argv[4], const char *text)
{
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = (char *)(uintptr_t)text;
    argv[3] = NULL;
    return (ring3_spawn_plan_t){.path = "/bin/sh", .argv = argv};
}

static void finish(ring3_subprocess_t *sub, int expected)
{
    ring3_status_t status;

    ring3_subprocess_close(sub);
    check_eq(ring3_process_wait(&sub->process, 0, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_EXITED);
    check_eq(status.value, expected);
}

/* More than the pipes hold in both directions: whoever writes it all before reading hangs. */
TEST(subprocess, talks_both_ways_without_deadlock)
{
    char *argv[4];
    ring3_subprocess_t cat;
    const ring3_spawn_plan_t plan = plan_of(argv, "exec cat");
    ring3_talk_t talk = {
        .input = input, .input_size = BIG, .output = output, .output_size = sizeof output};
    const int descriptors = open_descriptors();

    fill_pattern(input, BIG, 6);
    signal(SIGPIPE, SIG_DFL);
    check_eq(ring3_subprocess_start(&cat, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT),
             0);
    start_signal_storm();
    check_eq(ring3_subprocess_talk(&cat, &talk, NULL), 0);
    stop_signal_storm();
    check_eq(talk.output_got, BIG);
    check(has_pattern(output, BIG, 6));
    finish(&cat, 0);
    check_eq(open_descriptors(), descriptors);
}

TEST(subprocess, keeps_output_and_errors_apart_or_together)
{
    char *argv[4], errors[64] = {0}, text[64] = {0};
    ring3_subprocess_t sub;
    const ring3_spawn_plan_t plan = plan_of(argv, "echo out; echo err >&2; exit 4");
    ring3_talk_t apart = {.output = text, .output_size = 63, .errors = errors, .errors_size = 63};
    ring3_talk_t together = {.output = text, .output_size = 63};

    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_OUTPUT | RING3_SUBPROCESS_ERRORS),
             0);
    check_eq(ring3_subprocess_talk(&sub, &apart, NULL), 0);
    check_str_eq(text, "out\n");
    check_str_eq(errors, "err\n");
    finish(&sub, 4);
    memset(text, 0, sizeof text);
    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_OUTPUT | RING3_SUBPROCESS_MERGED),
             0);
    check_eq(ring3_subprocess_talk(&sub, &together, NULL), 0);
    check_str_eq(text, "out\nerr\n");
    finish(&sub, 4);
}

TEST(subprocess, a_program_that_does_not_read_is_no_error)
{
    char *argv[4];
    ring3_subprocess_t sub;
    const ring3_spawn_plan_t plan = plan_of(argv, "exec <&-; echo done");
    ring3_talk_t talk = {
        .input = input, .input_size = BIG, .output = output, .output_size = sizeof output};

    signal(SIGPIPE, SIG_DFL);
    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT),
             0);
    check_eq(ring3_subprocess_talk(&sub, &talk, NULL), 0);
    check_lt(talk.input_done, BIG);
    check_eq(talk.output_got, 5u);
    finish(&sub, 0);
}

TEST(subprocess, goes_on_after_a_timeout_and_after_more_room)
{
    char *argv[4];
    ring3_subprocess_t sub;
    const ring3_spawn_plan_t plan =
        plan_of(argv, "cat >/dev/null; printf 1234567890; read x </dev/null;"
                      "sleep 0.2; printf abc");
    ring3_talk_t talk = {.input = input, .input_size = 10, .output = output, .output_size = 4};
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT),
             0);
    check_eq(ring3_subprocess_talk(&sub, &talk, NULL), -ENOBUFS);
    check_eq(talk.output_got, 4u);
    talk.output_size = 10;
    int err;

    do
        err = ring3_subprocess_talk(&sub, &talk, &past);
    while (talk.output_got < 10);
    check(err == -ETIMEDOUT || err == 0);
    talk.output_size = 13;
    check_eq(ring3_subprocess_talk(&sub, &talk, NULL), 0, "exactly full is not too small");
    check_eq(memcmp(output, "1234567890abc", 13), 0);
    finish(&sub, 0);
}

TEST(subprocess, a_failed_start_leaves_nothing_open)
{
    char *argv[4];
    ring3_subprocess_t sub;
    ring3_spawn_plan_t plan = plan_of(argv, "");
    const int descriptors = open_descriptors();

    plan.path = "/does/not/exist";
    check_eq(ring3_subprocess_start(&sub, &plan, 7), -ENOENT);
    check_eq(open_descriptors(), descriptors);
    check_eq(sub.input, -1);
    use_up_descriptors();
    check_eq(ring3_subprocess_start(&sub, &plan, 7), -EMFILE);
    check_eq(sub.output, -1);
}

TEST(subprocess, a_killed_program_ends_the_talk)
{
    char *argv[4];
    ring3_subprocess_t sub;
    const ring3_spawn_plan_t plan = plan_of(argv, "printf half; kill -9 $$");
    ring3_talk_t talk = {.input = input, .input_size = BIG, .output = output, .output_size = 100};
    ring3_status_t status;

    check_eq(ring3_subprocess_start(&sub, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT),
             0);
    check_eq(ring3_subprocess_talk(&sub, &talk, NULL), 0);
    check_eq(talk.output_got, 4u);
    ring3_subprocess_close(&sub);
    check_eq(ring3_process_wait(&sub.process, 0, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_KILLED);
}
