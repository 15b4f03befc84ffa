/* SPDX-License-Identifier: MIT */
#include "ring3/pipe.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(pipe, is_cloexec_and_has_its_capacity)
{
    int ends[2];
    const int descriptors = open_descriptors();

    check_eq(ring3_pipe_open(ends, 0), 0);
    check(fcntl(ends[0], F_GETFD) & fcntl(ends[1], F_GETFD) & FD_CLOEXEC);
    close(ends[0]);
    close(ends[1]);
    check_eq(ring3_pipe_open(ends, 200000), 0);
    check_ge(fcntl(ends[1], F_GETPIPE_SZ), 200000);
    close(ends[0]);
    close(ends[1]);
    check_eq(ring3_pipe_open(ends, SIZE_MAX), -EPERM);
    check_lt(ring3_pipe_open(ends, (size_t)1 << 30), 0);
    check_eq(open_descriptors(), descriptors);
    use_up_descriptors();
    check_eq(ring3_pipe_open(ends, 0), -EMFILE);
}

TEST(pipe, connects_parent_and_child)
{
    char text[6] = {0};
    int ends[2];

    check_eq(ring3_pipe_open(ends, 0), 0);
    const pid_t pid = fork();

    if (pid == 0)
        _exit(ring3_fd_write(ends[1], "hello", 5) == 5 ? 0 : 1);
    close(ends[1]);
    check_eq(ring3_fd_read_full(ends[0], text, 5, NULL, NULL), 0);
    check_str_eq(text, "hello");
    check_eq(ring3_fd_read(ends[0], text, 1), 0);
    check_child(pid);
}

static void fifo(bool timed)
{
    const struct timespec late = deadline_in(20000);
    const struct timespec *const deadline = timed ? &late : NULL;
    char text[6] = {0};

    enter_scratch();
    check_eq(ring3_fifo_make("fifo", 0600), 0);
    check_eq(ring3_fifo_make("fifo", 0600), -EEXIST);
    const pid_t pid = fork();

    if (pid == 0) {
        const int out = ring3_fifo_open_write("fifo", deadline);

        if (out < 0 || fcntl(out, F_GETFL) & O_NONBLOCK)
            _exit(1);
        _exit(ring3_fd_write(out, "hello", 5) == 5 ? 0 : 2);
    }
    sleep_ms(20); /* the writer waits for us */
    start_signal_storm();
    const int in = ring3_fifo_open_read("fifo", deadline);

    check_ge(in, 0);
    check_eq(fcntl(in, F_GETFL) & O_NONBLOCK, 0);
    check_eq(ring3_fd_read_full(in, text, 5, deadline, NULL), 0);
    check_str_eq(text, "hello");
    sleep_ms(3);
    stop_signal_storm();
    check_child(pid);
    leave_scratch();
}

TEST(fifo, the_ends_wait_for_each_other)
{
    fifo(false);
}
TEST(fifo, the_ends_wait_for_each_other_by_deadline)
{
    fifo(true);
}

TEST(fifo, alone_it_times_out_and_other_files_are_refused)
{
    struct timespec soon = deadline_in(20);
    const int descriptors = open_descriptors();

    enter_scratch();
    check_eq(ring3_fifo_make("fifo", 0600), 0);
    check_eq(ring3_fifo_open_read("fifo", &soon), -ETIMEDOUT);
    soon = deadline_in(20);
    check_eq(ring3_fifo_open_write("fifo", &soon), -ETIMEDOUT);
    check_eq(mkdir("directory", 0700), 0);
    check_eq(ring3_fifo_open_read("directory", &soon), -EINVAL);
    check_eq(ring3_fifo_open_write("/dev/null", NULL), -EINVAL);
    check_eq(ring3_fifo_open_write("missing", NULL), -ENOENT);
    check_eq(open_descriptors(), descriptors);
    leave_scratch();
}
