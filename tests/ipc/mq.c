/* SPDX-License-Identifier: MIT */
#include "ring3/mq.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { POSIX, SYSV };

static const char *own_name(void)
{
    static char name[32];

    if (!name[0])
        snprintf(name, sizeof name, "/ring3-test-%d", (int)getpid());
    return name;
}

/* As the name, the same in this test's children. */
static int own_key(void)
{
    static int key;

    if (!key)
        key = 0x4d520000 ^ getpid();
    return key;
}

static ring3_mq_t make(enum kind kind)
{
    ring3_mq_t mq;

    check_eq(kind == POSIX ? ring3_mq_posix_create(&mq, own_name(), 4, 100, 0600)
                           : ring3_mq_sysv_create(&mq, own_key(), 0600),
             0);
    return mq;
}

static int remove_queue(enum kind kind)
{
    return kind == POSIX ? ring3_mq_posix_remove(own_name()) : ring3_mq_sysv_remove(own_key());
}

static void priorities(enum kind kind)
{
    static const char *const order[] = {"high one", "high two", "middle", "low"};
    static const unsigned sent_as[] = {32767, 32767, 5, 0};
    ring3_mq_t mq = make(kind);
    char text[100];
    unsigned priority;

    check_eq(ring3_mq_send(&mq, "low", 4, 0, NULL), 0);
    check_eq(ring3_mq_send(&mq, "high one", 9, 32767, NULL), 0);
    check_eq(ring3_mq_send(&mq, "middle", 7, 5, NULL), 0);
    check_eq(ring3_mq_send(&mq, "high two", 9, 32767, NULL), 0);
    check_eq(ring3_mq_send(&mq, "x", 1, RING3_MQ_PRIORITIES, NULL), -EINVAL);
    for (int i = 0; i < 4; i++) {
        check_eq(ring3_mq_receive(&mq, text, sizeof text, &priority, NULL),
                 (ssize_t)strlen(order[i]) + 1);
        check_str_eq(text, order[i]);
        check_eq(priority, sent_as[i]);
    }
    ring3_mq_close(&mq);
    check_eq(remove_queue(kind), 0);
    check_eq(remove_queue(kind), -ENOENT);
}

TEST(mq, posix_priorities_decide_the_order)
{
    priorities(POSIX);
}
TEST(mq, sysv_priorities_decide_the_order)
{
    priorities(SYSV);
}

static void deadlines(enum kind kind)
{
    ring3_mq_t mq = make(kind);
    char text[100] = {0};
    double begin = seconds_now();
    struct timespec soon = deadline_in(30);
    const struct timespec past = deadline_in(-1);
    int err;

    start_signal_storm();
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.03);
    while ((err = ring3_mq_send(&mq, text, sizeof text, 0, &past)) == 0)
        ;
    check_eq(err, -ETIMEDOUT);
    begin = seconds_now();
    soon = deadline_in(30);
    check_eq(ring3_mq_send(&mq, text, sizeof text, 0, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.03);
    stop_signal_storm();
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, &past), 100, "it was there already");
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, &(struct timespec){0, -1}), -EINVAL);
    ring3_mq_close(&mq);
    check_eq(remove_queue(kind), 0);
}

TEST(mq, posix_deadlines_hold_through_signals)
{
    deadlines(POSIX);
}
TEST(mq, sysv_deadlines_hold_through_signals)
{
    deadlines(SYSV);
}

/* A full queue, a slow reader, no deadline: everything arrives in order. */
static void between_processes(enum kind kind)
{
    enum { MESSAGES = 300 };
    ring3_mq_t mq = make(kind);
    const struct timespec late = deadline_in(20000);
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_mq_t own;

        if (kind == POSIX ? ring3_mq_posix_open(&own, own_name())
                          : ring3_mq_sysv_open(&own, own_key()))
            _exit(1);
        for (int i = 0; i < MESSAGES; i++)
            if (ring3_mq_send(&own, &i, sizeof i, 0, i % 2 ? &late : NULL))
                _exit(2);
        _exit(0);
    }
    start_signal_storm();
    for (int i = 0; i < MESSAGES; i++) {
        char text[100];
        int got;

        if (i % 50 == 0)
            sleep_ms(5);
        check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, i % 3 ? &late : NULL),
                 (ssize_t)sizeof got);
        memcpy(&got, text, sizeof got);
        check_eq(got, i);
    }
    stop_signal_storm();
    check_child(pid);
    ring3_mq_close(&mq);
    check_eq(remove_queue(kind), 0);
}

TEST(mq, posix_messages_pass_between_processes)
{
    between_processes(POSIX);
}
TEST(mq, sysv_messages_pass_between_processes)
{
    between_processes(SYSV);
}

static void sizes(enum kind kind)
{
    static char text[10000];
    ring3_mq_t mq = make(kind), second;

    check_eq(kind == POSIX ? ring3_mq_posix_create(&second, own_name(), 4, 100, 0600)
                           : ring3_mq_sysv_create(&second, own_key(), 0600),
             -EEXIST);
    check_eq(ring3_mq_send(&mq, text, mq.message_size + 1, 0, NULL), -EMSGSIZE);
    check_eq(ring3_mq_send(&mq, text, mq.message_size, 0, NULL), 0);
    check_eq(ring3_mq_receive(&mq, text, 20, NULL, NULL), -EMSGSIZE);
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, NULL), (ssize_t)mq.message_size);
    check_eq(ring3_mq_send(&mq, text, 0, 0, NULL), 0);
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, NULL), 0, "empty messages are allowed");
    ring3_mq_close(&mq);
    check_eq(remove_queue(kind), 0);
    check_eq(kind == POSIX ? ring3_mq_posix_open(&mq, own_name())
                           : ring3_mq_sysv_open(&mq, own_key()),
             -ENOENT);
}

TEST(mq, posix_sizes_are_checked)
{
    sizes(POSIX);
}
TEST(mq, sysv_sizes_are_checked)
{
    sizes(SYSV);
}

TEST(mq, a_posix_queue_is_a_descriptor)
{
    ring3_mq_t mq = make(POSIX);
    const struct timespec past = deadline_in(-1);

    check(fcntl(mq.fd, F_GETFD) & FD_CLOEXEC);
    check_eq(ring3_fd_wait(mq.fd, POLLIN, &past), -ETIMEDOUT);
    check_eq(ring3_mq_send(&mq, "x", 1, 0, NULL), 0);
    check_eq(ring3_fd_wait(mq.fd, POLLIN, &past), POLLIN);
    ring3_mq_close(&mq);
    check_eq(ring3_mq_posix_remove(own_name()), 0);
    check_eq(ring3_mq_posix_create(&mq, "no-slash", 4, 100, 0600), -EINVAL);
    check_eq(ring3_mq_posix_create(&mq, own_name(), 0, 100, 0600), -EINVAL);
    check_eq(ring3_mq_posix_create(&mq, own_name(), SIZE_MAX, 100, 0600), -EINVAL);
}

TEST(mq, a_removed_sysv_queue_ends_the_wait)
{
    ring3_mq_t mq = make(SYSV);
    char text[10];
    const pid_t pid = fork();

    if (pid == 0) {
        sleep_ms(20);
        _exit(ring3_mq_sysv_remove(own_key()) ? 1 : 0);
    }
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, NULL), -EIDRM);
    check_eq(ring3_mq_receive(&mq, text, sizeof text, NULL, NULL), -EIDRM);
    check_eq(ring3_mq_send(&mq, "x", 1, 0, NULL), -EIDRM);
    check_child(pid);
}
