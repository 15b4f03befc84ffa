/* SPDX-License-Identifier: MIT */
/* Groups as descriptors of an event loop. */
#include "support.h"

#include "ring3/atomic.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

static int ready(int fd, int ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, ms);
}

TEST(pollable, is_readable_while_there_is_something_to_collect)
{
    ring3_pool_t *const pool = pool_of(2, 0);
    struct gated tasks[3];
    const struct timespec now = in_ms(0);
    ring3_group_t group;
    ring3_task_t *task;
    int fd;

    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    fd = ring3_group_poll_fd(&group);
    check_ge(fd, 0);
    check_eq(ring3_group_poll_fd(&group), fd);
    check_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    check_eq(ready(fd, 0), 0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct gated){.task = {.run = gated_run, .group = &group}};
        submit(pool, &tasks[i].task);
    }
    check_eq(ready(fd, -1), 1);
    await_stat_of(pool, done, 3);
    for (int i = 0; i < 3; i++) {
        check_eq(ready(fd, 0), 1, "after %d", i);
        check_eq(ring3_group_next(&group, &task, &now), 0);
    }
    check_eq(ready(fd, 0), 0);
    check_eq(ring3_group_next(&group, &task, &now), -ENOENT);
    ring3_group_close_poll_fd(&group);
    check_eq(fcntl(fd, F_GETFD), -1);
    finish(pool);
}

TEST(pollable, tells_of_what_finished_before_it_was_asked_for)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    ring3_group_t group;
    struct gated early = {.task = {.run = gated_run, .group = &group}};

    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    submit(pool, &early.task);
    await_stat_of(pool, done, 1);
    check_eq(ready(ring3_group_poll_fd(&group), 0), 1);
    ring3_group_close_poll_fd(&group);
    finish(pool);
}

TEST(pollable, an_event_loop_collects_everything)
{
    enum { COUNT = 2000 };
    ring3_pool_t *const pool = pool_of(2, 0);
    static struct gated tasks[COUNT];
    ring3_group_t group;
    ring3_task_t *task;
    int collected = 0, submitted = 0;

    ring3_group_init(&group, pool, RING3_GROUP_COLLECT);
    const int fd = ring3_group_poll_fd(&group);

    check_ge(fd, 0);
    while (collected < COUNT) {
        const struct timespec now = in_ms(0);

        for (int i = 0; i < 7 && submitted < COUNT; i++, submitted++) {
            tasks[submitted] = (struct gated){.task = {.run = gated_run, .group = &group}};
            submit(pool, &tasks[submitted].task);
        }
        check_eq(ready(fd, 60000), 1, "%d of %d collected", collected, submitted);
        while (ring3_group_next(&group, &task, &now) == 0)
            collected++;
    }
    ring3_group_close_poll_fd(&group);
    finish(pool);
}

TEST(pollable, refuses_what_cannot_be)
{
    ring3_pool_t *const pool = pool_of(1, 0);
    struct rlimit none = {0, 0};
    ring3_group_t plain, collecting;

    ring3_group_init(&plain, pool, 0);
    check_eq(ring3_group_poll_fd(&plain), -EINVAL);
    ring3_group_init(&collecting, pool, RING3_GROUP_COLLECT);
    check_eq(getrlimit(RLIMIT_NOFILE, &none), 0);
    none.rlim_cur = 0;
    check_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    check_eq(ring3_group_poll_fd(&collecting), -EMFILE);
    ring3_group_close_poll_fd(&collecting);
    none.rlim_cur = none.rlim_max;
    check_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    finish(pool);
}
