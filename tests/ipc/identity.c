/* SPDX-License-Identifier: MIT */
#include "ring3/identity.h"

#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(identity, is_stable_for_me_and_different_for_a_child)
{
    ring3_identity_t me, again, child;

    check_eq(ring3_identity_self(&me), 0);
    check_eq(ring3_identity_of(getpid(), &again), 0);
    check(ring3_identity_equal(&me, &again));
    check_eq(ring3_identity_alive(&me), 1);
    const pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    check_eq(ring3_identity_of(pid, &child), 0);
    check(!ring3_identity_equal(&me, &child));
    check_eq(ring3_identity_alive(&child), 1);
    check_eq(kill(pid, SIGKILL), 0);
    siginfo_t info;

    check_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    check_eq(ring3_identity_alive(&child), 0, "a zombie counts as alive");
    check_eq(ring3_identity_of(pid, &child), -ESRCH);
    check_eq(waitpid(pid, NULL, 0), pid);
    check_eq(ring3_identity_alive(&child), 0);
}

static void *outlive_first_thread(void *ready)
{
    ring3_identity_t me;

    sleep_ms(20); /* the first thread has ended by now and shows as a zombie */
    const char verdict =
        ring3_identity_self(&me) == 0 && ring3_identity_alive(&me) == 1 ? 'y' : 'n';

    (void)!write(*(int *)ready, &verdict, 1);
    _exit(0);
}

TEST(identity, a_process_whose_first_thread_has_ended_is_alive)
{
    static int ends[2]; /* outlives the first thread's stack */
    char verdict = 0;

    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        pthread_t other;

        pthread_create(&other, NULL, outlive_first_thread, &ends[1]);
        pthread_exit(NULL);
    }
    check_eq(read(ends[0], &verdict, 1), 1);
    check_eq(verdict, 'y');
    check_child(pid);
}

TEST(identity, a_reused_pid_another_boot_and_another_namespace_are_told_apart)
{
    ring3_identity_t me;

    check_eq(ring3_identity_self(&me), 0);
    me.start++;
    check_eq(ring3_identity_alive(&me), 0);
    me.start--;
    me.boot[1]++;
    check_eq(ring3_identity_alive(&me), 0);
    me.boot[1]--;
    me.pid_space++;
    check_eq(ring3_identity_alive(&me), -EXDEV);
    me = (ring3_identity_t){0};
    check_eq(ring3_identity_alive(&me), -EINVAL);
    check_eq(ring3_identity_of(0, &me), -ESRCH);
    check_eq(ring3_identity_of(-5, &me), -ESRCH);
}

TEST(identity, reads_its_way_through_hostile_command_names)
{
    ring3_identity_t me, again;

    check_eq(ring3_identity_self(&me), 0);
    check_eq(prctl(PR_SET_NAME, ") Z 1 2) ("), 0);
    check_eq(ring3_identity_self(&again), 0);
    check(ring3_identity_equal(&me, &again));
}

TEST(identity, text_comes_back_and_other_text_is_refused)
{
    static const char *const wrong[] = {
        "",
        "1",
        "1 2 3",
        "x 2 3 00000000000000000000000000000000",
        "0 2 3 00000000000000000000000000000000",
        "-1 2 3 00000000000000000000000000000000",
        "4294967297 2 3 00000000000000000000000000000000",
        "1 99999999999999999999 3 00000000000000000000000000000000",
        "1 2 3 0000000000000000000000000000000",
        "1 2 3 000000000000000000000000000000000",
        "1 2 3 0000000000000000000000000000000g",
        "1 2 3 000000000000000g0000000000000000",
        "1 2  3 00000000000000000000000000000000",
    };
    ring3_identity_t me, again;
    char text[RING3_IDENTITY_TEXT];

    check_eq(ring3_identity_self(&me), 0);
    const size_t length = ring3_identity_format(&me, text);

    check_eq(length, strlen(text));
    check_eq(ring3_identity_parse(text, length, &again), 0);
    check(ring3_identity_equal(&me, &again));
    text[length] = '\n';
    check_eq(ring3_identity_parse(text, length + 1, &again), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_eq(ring3_identity_parse(wrong[i], strlen(wrong[i]), &again), -EBADMSG, "\"%s\"",
                 wrong[i]);
    memset(text, '1', sizeof text);
    check_eq(ring3_identity_parse(text, sizeof text, &again), -EBADMSG);
}
