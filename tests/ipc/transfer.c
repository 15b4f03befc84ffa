/* SPDX-License-Identifier: MIT */
/* Moving all bytes: short transfers, signals, deadlines, broken peers, each way the kernel offers.
 */
#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG ((size_t)1 << 20) /* far more than a pipe or socket buffer holds */

static char big[BIG], got[BIG];

enum kind { PIPE, STREAM_SOCKET };

static void make_pair(enum kind kind, int ends[2])
{
    check_eq(kind == PIPE ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

/* A child that writes `size` patterned bytes in odd pieces, with pauses. */
static pid_t start_slow_writer(int fd, size_t size, size_t piece)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (size_t at = 0; at < size; at += piece) {
        if (write(fd, big + at, size - at < piece ? size - at : piece) < 0)
            _exit(1);
        if (at % 7 == 0)
            sleep_ms(1);
    }
    _exit(0);
}

static pid_t start_slow_reader(int fd, size_t size)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    size_t at = 0;
    while (at < size) {
        const ssize_t n = read(fd, got + at, 20000);

        if (n <= 0)
            _exit(1);
        at += (size_t)n;
        if (at % 3 == 0)
            sleep_ms(1);
    }
    _exit(has_pattern(got, size, 1) ? 0 : 2);
}

static void read_everything(enum kind kind, bool nonblocking, bool timed)
{
    const struct timespec deadline = deadline_in(20000);
    size_t done;
    int ends[2];

    fill_pattern(big, BIG, 1);
    make_pair(kind, ends);
    const pid_t pid = start_slow_writer(ends[1], BIG, 30011);

    check_eq(ring3_fd_set_nonblock(ends[0], nonblocking), 0);
    start_signal_storm();
    check_eq(ring3_fd_read_full(ends[0], got, BIG, timed ? &deadline : NULL, &done), 0);
    stop_signal_storm();
    check_eq(done, BIG);
    check(has_pattern(got, BIG, 1));
    check_child(pid);
}

TEST(transfer, reads_all_from_a_pipe)
{
    read_everything(PIPE, false, false);
}
TEST(transfer, reads_all_from_a_pipe_by_deadline)
{
    read_everything(PIPE, false, true);
}
TEST(transfer, reads_all_from_a_nonblocking_pipe)
{
    read_everything(PIPE, true, false);
}
TEST(transfer, reads_all_from_a_socket_by_deadline)
{
    read_everything(STREAM_SOCKET, false, true);
}

static void write_everything(enum kind kind, bool nonblocking, bool timed)
{
    const struct timespec deadline = deadline_in(20000);
    size_t done;
    int ends[2];

    fill_pattern(big, BIG, 1);
    make_pair(kind, ends);
    const pid_t pid = start_slow_reader(ends[0], BIG);

    check_eq(ring3_fd_set_nonblock(ends[1], nonblocking), 0);
    start_signal_storm();
    check_eq(ring3_fd_write_full(ends[1], big, BIG, timed ? &deadline : NULL, &done), 0);
    stop_signal_storm();
    check_eq(done, BIG);
    check_child(pid);
}

TEST(transfer, writes_all_to_a_pipe)
{
    write_everything(PIPE, false, false);
}
TEST(transfer, writes_all_to_a_pipe_by_deadline)
{
    write_everything(PIPE, false, true);
}
TEST(transfer, writes_all_to_a_nonblocking_pipe)
{
    write_everything(PIPE, true, false);
}
TEST(transfer, writes_all_to_a_socket_by_deadline)
{
    write_everything(STREAM_SOCKET, false, true);
}

TEST(transfer, does_the_same_without_nowait_and_nosignal)
{
    check_eq(ring3_env_disable("rwf_nowait,rwf_nosignal"), 0);
    write_everything(PIPE, false, true);
    read_everything(PIPE, false, true);
}

TEST(transfer, reports_an_early_end_with_what_came)
{
    size_t done = 99;
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    check_eq(ring3_fd_read_full(ends[0], got, 10, NULL, &done), -ENODATA);
    check_eq(done, 3u);
    check_eq(ring3_fd_read_full(ends[0], got, 10, NULL, &done), -ENODATA);
    check_eq(done, 0u);
}

/* Blocking descriptors, full or empty: the call must come back by the deadline. */
static void times_out(enum kind kind)
{
    const double begin = seconds_now();
    const struct timespec soon = deadline_in(40);
    size_t done;
    int ends[2];

    make_pair(kind, ends);

    check_eq(ring3_fd_write_full(ends[1], big, BIG, &soon, &done), -ETIMEDOUT);
    check_gt(done, 0u);
    check_lt(done, BIG);
    check_ge(seconds_now() - begin, 0.04);
    check_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0, "the description's mode was changed");

    const size_t there = done;
    const struct timespec later = deadline_in(40);

    check_eq(ring3_fd_read_full(ends[0], got, BIG, &later, &done), -ETIMEDOUT);
    check_eq(done, there, "what was there at the deadline did not come");
}

TEST(transfer, a_full_pipe_times_out)
{
    times_out(PIPE);
}
TEST(transfer, a_full_socket_times_out)
{
    times_out(STREAM_SOCKET);
}

TEST(transfer, a_full_pipe_times_out_without_nowait)
{
    check_eq(ring3_env_disable("rwf_nowait,rwf_nosignal"), 0);
    times_out(PIPE);
}

static void tries(enum kind kind)
{
    int ends[2];
    ssize_t put, sum = 0;

    make_pair(kind, ends);
    check_eq(ring3_fd_try_read(ends[0], got, 10), -EAGAIN);
    while ((put = ring3_fd_try_write(ends[1], big, 50000)) > 0)
        sum += put;
    check_eq(put, -EAGAIN);
    check_ge(sum, 4096);
    check_eq(ring3_fd_try_read(ends[0], got, 10), 10);
    close(ends[1]);
    while (sum > 10)
        sum -= ring3_fd_try_read(ends[0], got, BIG);
    check_eq(ring3_fd_try_read(ends[0], got, 10), 0);
}

TEST(transfer, try_never_waits_on_a_blocking_pipe)
{
    tries(PIPE);
}
TEST(transfer, try_never_waits_on_a_blocking_socket)
{
    tries(STREAM_SOCKET);
}

TEST(transfer, try_never_waits_on_a_blocking_pipe_without_nowait)
{
    check_eq(ring3_env_disable("rwf_nowait"), 0);
    tries(PIPE);
}

/* SIGPIPE at its default would kill the test. */
static void breaks(enum kind kind)
{
    const struct timespec deadline = deadline_in(5000);
    sigset_t before, after, pending;
    int ends[2];

    signal(SIGPIPE, SIG_DFL);
    make_pair(kind, ends);
    close(ends[0]);
    sigprocmask(SIG_BLOCK, NULL, &before);
    check_eq(ring3_fd_write(ends[1], "x", 1), -EPIPE);
    check_eq(ring3_fd_try_write(ends[1], "x", 1), -EPIPE);
    check_eq(ring3_fd_write_full(ends[1], "x", 1, NULL, NULL), -EPIPE);
    check_eq(ring3_fd_write_full(ends[1], "x", 1, &deadline, NULL), -EPIPE);
    sigprocmask(SIG_BLOCK, NULL, &after);
    check_eq(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
    sigpending(&pending);
    check_eq(sigismember(&pending, SIGPIPE), 0);
}

TEST(transfer, a_pipe_without_reader_is_an_error_not_a_signal)
{
    breaks(PIPE);
}
TEST(transfer, a_closed_socket_is_an_error_not_a_signal)
{
    breaks(STREAM_SOCKET);
}

TEST(transfer, no_signal_either_on_kernels_without_the_flag)
{
    check_eq(ring3_env_disable("rwf_nosignal,rwf_nowait"), 0);
    breaks(PIPE);
    breaks(STREAM_SOCKET);
}

TEST(transfer, a_sigpipe_that_was_pending_before_stays_pending)
{
    sigset_t sigpipe, pending;
    int ends[2];

    check_eq(ring3_env_disable("rwf_nosignal"), 0);
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &sigpipe, NULL);
    raise(SIGPIPE);
    check_eq(pipe(ends), 0);
    close(ends[0]);
    check_eq(ring3_fd_write(ends[1], "x", 1), -EPIPE);
    sigpending(&pending);
    check_eq(sigismember(&pending, SIGPIPE), 1);
}

TEST(transfer, gathers_and_scatters_more_buffers_than_iov_max)
{
    enum { N = IOV_MAX + 500 };
    static struct iovec out[N], in[N];
    size_t at_out = 0, at_in = 0, done;

    enter_scratch();
    fill_pattern(big, BIG, 3);
    for (int i = 0; i < N; i++) {
        out[i] = (struct iovec){big + at_out, (size_t)(i % 5)}; /* empty ones among them */
        in[i] = (struct iovec){got + at_in, (size_t)((N - 1 - i) % 5)};
        at_out += out[i].iov_len;
        at_in += in[i].iov_len;
    }
    check_eq(at_out, at_in);
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_fd_writev_full(fd, out, N, NULL, &done), 0);
    check_eq(done, at_out);
    check_eq(lseek(fd, 0, SEEK_SET), 0);
    check_eq(ring3_fd_readv_full(fd, in, N, NULL, &done), 0);
    check_eq(done, at_in);
    check(has_pattern(got, at_in, 3));
    leave_scratch();
}

TEST(transfer, the_p_forms_leave_the_offset_alone)
{
    const struct iovec out[] = {{"cd", 2}, {"ef", 2}};
    char a[3] = {0}, b[3] = {0};
    const struct iovec in[] = {{a, 2}, {b, 2}};
    size_t done;

    enter_scratch();
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_fd_pwrite_full(fd, "ab", 2, 0, NULL), 0);
    check_eq(ring3_fd_pwritev_full(fd, out, 2, 2, NULL), 0);
    check_eq(ring3_fd_preadv_full(fd, in, 2, 1, NULL), 0);
    check_str_eq(a, "bc");
    check_str_eq(b, "de");
    check_eq(ring3_fd_pread_full(fd, got, 10, 4, &done), -ENODATA);
    check_eq(done, 2u);
    check_eq(lseek(fd, 0, SEEK_CUR), 0);
    check_eq(ring3_fd_pread_full(fd, got, 1, -1, &done), -EINVAL);
    check_eq(done, 0u);
    leave_scratch();
}

TEST(transfer, refuses_sizes_that_overflow)
{
    const struct iovec huge[] = {{big, SIZE_MAX / 2}, {big, SIZE_MAX / 2}};

    check_eq(ring3_fd_writev_full(1, huge, 2, NULL, NULL), -EINVAL);
    check_eq(ring3_fd_writev_full(1, huge, -1, NULL, NULL), -EINVAL);
}

TEST(transfer, a_file_limit_ends_a_write_with_what_fitted)
{
    const struct rlimit limit = {1000, 1000};
    size_t done;

    enter_scratch();
    signal(SIGXFSZ, SIG_IGN);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_fd_write_full(fd, big, 3000, NULL, &done), -EFBIG);
    check_eq(done, 1000u);
    leave_scratch();
}

TEST(transfer, a_full_device_is_enospc)
{
    const struct timespec deadline = deadline_in(5000);
    const int fd = ring3_fd_open("/dev/full", O_WRONLY, 0);

    check_eq(ring3_fd_write(fd, "x", 1), -ENOSPC);
    check_eq(ring3_fd_write_full(fd, "x", 1, &deadline, NULL), -ENOSPC);
}

TEST(transfer, devices_that_take_no_flags_work)
{
    const struct timespec soon = deadline_in(20);
    const int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t value = 5;

    check_eq(ring3_fd_read_full(fd, &value, 8, &soon, NULL), -ETIMEDOUT);
    check_eq(ring3_fd_write(fd, &value, 8), 8);
    check_eq(ring3_fd_try_write(fd, &value, 8), 8);
    check_eq(ring3_fd_try_read(fd, &value, 8), 8);
    check_eq(value, 10u);
    check_eq(ring3_fd_try_read(fd, &value, 8), -EAGAIN);

    const int master = posix_openpt(O_RDWR | O_NOCTTY);

    check_ge(master, 0);
    check_eq(grantpt(master) | unlockpt(master), 0);
    const int slave = ring3_fd_open(ptsname(master), O_RDWR | O_NOCTTY, 0);

    check_ge(slave, 0);
    check_eq(ring3_fd_try_read(slave, got, 10), -EAGAIN);
    check_eq(ring3_fd_write(master, "hi\n", 3), 3);
    const struct timespec deadline = deadline_in(5000);

    check_eq(ring3_fd_read_full(slave, got, 3, &deadline, NULL), 0);
    check_eq(memcmp(got, "hi\n", 3), 0);
}

TEST(transfer, write_copies_so_the_buffer_may_change_afterwards)
{
    char buffer[] = "before";
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(ring3_fd_write(ends[1], buffer, 6), 6);
    memcpy(buffer, "after!", 6);
    check_eq(ring3_fd_read_full(ends[0], got, 6, NULL, NULL), 0);
    check_eq(memcmp(got, "before", 6), 0);
}

TEST(transfer, the_pipe_ends_only_when_every_writer_has_closed)
{
    int ends[2];

    check_eq(pipe(ends), 0);
    const int second = dup(ends[1]);

    close(ends[1]);
    check_eq(ring3_fd_try_read(ends[0], got, 1), -EAGAIN, "ended although a writer is left");
    close(second);
    check_eq(ring3_fd_try_read(ends[0], got, 1), 0);
}
