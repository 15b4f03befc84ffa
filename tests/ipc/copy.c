/* SPDX-License-Identifier: MIT */
#include "ring3/copy.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 700001

static char content[SIZE], got[SIZE];

static int patterned_file(const char *name)
{
    const int fd = ring3_fd_open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    fill_pattern(content, SIZE, 5);
    check_eq(ring3_fd_pwrite_full(fd, content, SIZE, 0, NULL), 0);
    return fd;
}

static void file_to_file(void)
{
    uint64_t done = 0;

    enter_scratch();
    const int from = patterned_file("from");
    const int to = ring3_fd_open("to", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_copy(from, to, 1000, NULL, &done), 0);
    check_eq(done, 1000u);
    check_eq(lseek(from, 0, SEEK_CUR), 1000);
    check_eq(ring3_copy(from, to, UINT64_MAX, NULL, &done), 0);
    check_eq(done, SIZE - 1000u);
    check_eq(lseek(to, 0, SEEK_CUR), SIZE);
    check_eq(ring3_copy(from, to, UINT64_MAX, NULL, &done), 0);
    check_eq(done, 0u);
    check_eq(ring3_fd_pread_full(to, got, SIZE, 0, NULL), 0);
    check(has_pattern(got, SIZE, 5));
    leave_scratch();
}

TEST(copy, file_to_file)
{
    file_to_file();
}

TEST(copy, file_to_file_by_read_and_write)
{
    check_eq(ring3_env_disable("copy_file_range,sendfile,splice"), 0);
    file_to_file();
}

/* One child feeds a pipe or socket, the test copies, another checks what arrives. */
static void through(bool sockets, const struct timespec *deadline)
{
    int in[2], out[2];
    uint64_t done;

    fill_pattern(content, SIZE, 5);
    check_eq(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, in) : pipe(in), 0);
    check_eq(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, out) : pipe(out), 0);
    const pid_t writer = fork();

    if (writer == 0)
        _exit(ring3_fd_write_full(in[1], content, SIZE, NULL, NULL) ? 1 : 0);
    const pid_t reader = fork();

    if (reader == 0) {
        close(out[1]);
        if (ring3_fd_read_full(out[0], got, SIZE, NULL, NULL))
            _exit(1);
        _exit(has_pattern(got, SIZE, 5) ? 0 : 2);
    }
    close(in[1]);
    start_signal_storm();
    check_eq(ring3_copy(in[0], out[1], UINT64_MAX, deadline, &done), 0);
    sleep_ms(3);
    stop_signal_storm();
    check_eq(done, (uint64_t)SIZE);
    check_child(writer);
    check_child(reader);
}

TEST(copy, pipe_to_pipe)
{
    through(false, NULL);
}
TEST(copy, socket_to_socket)
{
    through(true, NULL);
}

TEST(copy, pipe_to_pipe_by_deadline)
{
    const struct timespec deadline = deadline_in(20000);

    through(false, &deadline);
}

TEST(copy, pipe_to_pipe_by_read_and_write)
{
    check_eq(ring3_env_disable("splice"), 0);
    through(false, NULL);
}

static void file_to_nonblocking_socket(void)
{
    int ends[2];
    uint64_t done;

    enter_scratch();
    const int from = patterned_file("from");

    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const pid_t reader = fork();

    if (reader == 0) {
        sleep_ms(20);
        _exit(ring3_fd_read_full(ends[0], got, SIZE, NULL, NULL) || !has_pattern(got, SIZE, 5));
    }
    check_eq(ring3_copy(from, ends[1], UINT64_MAX, NULL, &done), 0);
    check_eq(done, (uint64_t)SIZE);
    check_child(reader);
    leave_scratch();
}

TEST(copy, file_to_nonblocking_socket)
{
    file_to_nonblocking_socket();
}

TEST(copy, file_to_nonblocking_socket_without_sendfile)
{
    check_eq(ring3_env_disable("sendfile"), 0);
    file_to_nonblocking_socket();
}

/* copy_file_range answers EBADF here, and zero for files that the kernel makes up as they are read.
 */
TEST(copy, what_the_kernel_refuses_goes_by_read_and_write)
{
    uint64_t done;

    enter_scratch();
    const int from = patterned_file("from");
    const int log = ring3_fd_open("log", O_RDWR | O_CREAT | O_APPEND, 0600);

    check_eq(ring3_copy(from, log, UINT64_MAX, NULL, &done), 0);
    check_eq(done, (uint64_t)SIZE);
    const int made_up = ring3_fd_open("/proc/self/status", O_RDONLY, 0);

    check_eq(ring3_copy(made_up, log, UINT64_MAX, NULL, &done), 0);
    check_gt(done, 100u);
    leave_scratch();
}

TEST(copy, a_broken_target_is_an_error_not_a_signal)
{
    int ends[2];
    uint64_t done = 9;

    signal(SIGPIPE, SIG_DFL);
    enter_scratch();
    const int from = patterned_file("from");

    check_eq(pipe(ends), 0);
    close(ends[0]);
    check_eq(ring3_copy(from, ends[1], UINT64_MAX, NULL, &done), -EPIPE);
    check_eq(done, 0u);
    const int full = ring3_fd_open("/dev/full", O_WRONLY, 0);

    check_eq(ring3_copy(from, full, UINT64_MAX, NULL, &done), -ENOSPC);
    check_eq(ring3_copy(-1, full, UINT64_MAX, NULL, &done), -EBADF);
    leave_scratch();
}

TEST(copy, an_idle_source_times_out)
{
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(30);
    int in[2], out[2];
    uint64_t done;

    check_eq(pipe(in), 0);
    check_eq(pipe(out), 0);
    check_eq(write(in[1], "abc", 3), 3);

    check_eq(ring3_copy(in[0], out[1], UINT64_MAX, &soon, &done), -ETIMEDOUT);
    check_eq(done, 3u);
    check_ge(seconds_now() - begin, 0.03);
}
