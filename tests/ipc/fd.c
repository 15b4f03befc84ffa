/* SPDX-License-Identifier: MIT */
/* Descriptors: what the kernel's three tables promise, and that our calls keep the promises. */
#include "ring3/fd.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_cloexec(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

TEST(fd, open_takes_the_lowest_free_number_and_sets_cloexec)
{
    const int a = ring3_fd_open("/dev/null", O_RDONLY, 0);
    const int b = ring3_fd_open("/dev/null", O_RDONLY, 0);

    check_gt(b, a);
    check(is_cloexec(a));
    check_eq(ring3_fd_close(a), 0);
    check_eq(ring3_fd_open("/dev/null", O_RDONLY, 0), a);
}

TEST(fd, errors_are_returned_and_errno_stays)
{
    errno = E2BIG;
    check_eq(ring3_fd_open("/does/not/exist", O_RDONLY, 0), -ENOENT);
    check_eq(ring3_fd_close(-1), -EBADF);
    check_eq(ring3_fd_dup(-1, 0), -EBADF);
    check_eq(ring3_fd_dup_to(-1, 5, true), -EBADF);
    check_eq(ring3_fd_set_nonblock(-1, true), -EBADF);
    check_eq(ring3_fd_read(-1, NULL, 0), -EBADF);
    check_eq(ring3_fd_wait(-1, POLLIN, NULL), -EBADF);
    check_eq(ring3_fd_wait(500, POLLIN, NULL), -EBADF);
    check_eq(ring3_fd_allocate(-1, 0, 1), -EBADF);
    check_eq(errno, E2BIG);
}

TEST(fd, open_reports_a_full_table)
{
    use_up_descriptors();
    check_eq(ring3_fd_open("/dev/null", O_RDONLY, 0), -EMFILE);
    check_eq(ring3_fd_dup(0, 0), -EMFILE);
}

TEST(fd, dup_shares_offset_and_status_flags_but_not_cloexec)
{
    enter_scratch();
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);
    const int copy = ring3_fd_dup(fd, 0);

    check_ge(copy, 0);
    check_eq(ring3_fd_write(fd, "abc", 3), 3);
    check_eq(lseek(copy, 0, SEEK_CUR), 3);
    check_eq(ring3_fd_set_nonblock(copy, true), 0);
    check(fcntl(fd, F_GETFL) & O_NONBLOCK);
    check_eq(ring3_fd_set_cloexec(copy, false), 0);
    check(is_cloexec(fd));
    check_eq(ring3_fd_close(fd), 0);
    check_eq(ring3_fd_write(copy, "d", 1), 1, "closing the original closed the duplicate");
    leave_scratch();
}

TEST(fd, separate_opens_share_nothing)
{
    enter_scratch();
    const int a = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);
    const int b = ring3_fd_open("file", O_RDWR, 0);

    check_eq(ring3_fd_write(a, "abc", 3), 3);
    check_eq(lseek(b, 0, SEEK_CUR), 0);
    check_eq(ring3_fd_set_nonblock(a, true), 0);
    check(!(fcntl(b, F_GETFL) & O_NONBLOCK));
    leave_scratch();
}

TEST(fd, a_forked_child_moves_the_parents_offset)
{
    enter_scratch();
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);
    const pid_t pid = fork();

    if (pid == 0)
        _exit(ring3_fd_write(fd, "12345", 5) == 5 ? 0 : 1);
    check_child(pid);
    check_eq(lseek(fd, 0, SEEK_CUR), 5);
    leave_scratch();
}

TEST(fd, dup_honours_the_lowest_number)
{
    const int fd = ring3_fd_dup(0, 100);

    check_eq(fd, 100);
    check(is_cloexec(fd));
}

TEST(fd, dup_to_replaces_and_sets_inheritance_even_onto_itself)
{
    const int a = ring3_fd_open("/dev/null", O_RDONLY, 0);
    const int b = ring3_fd_open("/dev/zero", O_RDONLY, 0);
    char byte;

    check_eq(ring3_fd_dup_to(a, b, true), 0);
    check_eq(ring3_fd_read(b, &byte, 1), 0, "the target still is /dev/zero");
    check(!is_cloexec(b));
    check_eq(ring3_fd_dup_to(b, b, false), 0);
    check(is_cloexec(b));
    check_eq(ring3_fd_dup_to(b, b, true), 0);
    check(!is_cloexec(b));
}

TEST(fd, wait_keeps_its_deadline_through_a_signal_storm)
{
    int ends[2];

    check_eq(pipe(ends), 0);
    start_signal_storm();
    const double begin = seconds_now();
    const struct timespec deadline = deadline_in(60);

    check_eq(ring3_fd_wait(ends[0], POLLIN, &deadline), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.06);
    stop_signal_storm();
}

TEST(fd, wait_takes_what_is_ready_although_the_deadline_has_passed)
{
    const struct timespec past = deadline_in(-1000), malformed = {1, 1000000000};
    int ends[2];

    check_eq(pipe(ends), 0);
    check_eq(ring3_fd_wait(ends[1], POLLOUT, &past), POLLOUT);
    check_eq(ring3_fd_wait(ends[0], POLLIN, &past), -ETIMEDOUT);
    check_eq(ring3_fd_wait(ends[1], POLLOUT, &malformed), -EINVAL);
    close(ends[1]);
    check(ring3_fd_wait(ends[0], POLLIN, &past) & POLLHUP);
}

TEST(fd, allocate_grows_and_keeps_data)
{
    char text[4] = {0};

    enter_scratch();
    const int fd = ring3_fd_open("file", O_RDWR | O_CREAT, 0600);

    check_eq(ring3_fd_write(fd, "abc", 3), 3);
    check_eq(ring3_fd_allocate(fd, 0, 10 << 20), 0);
    check_eq(lseek(fd, 0, SEEK_END), 10 << 20);
    check_eq(ring3_fd_pread_full(fd, text, 3, 0, NULL), 0);
    check_str_eq(text, "abc");
    check_eq(ring3_fd_allocate(fd, 0, 0), 0);
    check_eq(ring3_fd_allocate(fd, -1, 5), -EINVAL);
    check_eq(ring3_fd_allocate(fd, INT64_MAX, 5), -EINVAL);
    leave_scratch();
}

TEST(fd, allocate_gets_through_a_signal_storm)
{
    const int fd = memfd_create("test", MFD_CLOEXEC);

    start_signal_storm();
    check_eq(ring3_fd_allocate(fd, 0, 256 << 20), 0);
    sleep_ms(5);
    stop_signal_storm();
}
