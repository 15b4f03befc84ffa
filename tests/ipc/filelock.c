/* SPDX-License-Identifier: MIT */
#include "ring3/filelock.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_again(void)
{
    return ring3_fd_open("file", O_RDWR | O_CREAT, 0600);
}

TEST(filelock, excludes_between_descriptions_of_one_process)
{
    enter_scratch();
    const int a = open_again(), b = open_again();

    check_eq(ring3_filelock_try(a, RING3_FILELOCK_WRITE, 0, 10), 0);
    check_eq(ring3_filelock_try(b, RING3_FILELOCK_WRITE, 5, 10), -EAGAIN);
    check_eq(ring3_filelock_try(b, RING3_FILELOCK_WRITE, 10, 10), 0);
    check_eq(ring3_filelock_try(a, RING3_FILELOCK_READ, 0, 10), 0);
    check_eq(ring3_filelock_try(b, RING3_FILELOCK_READ, 0, 10), 0);
    check_eq(ring3_filelock_try(a, RING3_FILELOCK_WRITE, 0, 10), -EAGAIN);
    check_eq(ring3_filelock_unlock(b, 0, 10), 0);
    check_eq(ring3_filelock_try(a, RING3_FILELOCK_WRITE, 0, 10), 0);
    /* Closing another descriptor of the file does not drop it, as it would with POSIX locks. */
    const int c = open_again();

    close(c);
    check_eq(ring3_filelock_try(b, RING3_FILELOCK_READ, 0, 1), -EAGAIN);
    close(a);
    check_eq(ring3_filelock_try(b, RING3_FILELOCK_READ, 0, 1), 0);
    leave_scratch();
}

TEST(filelock, reports_errors)
{
    enter_scratch();
    const int read_only = ring3_fd_open("file", O_RDONLY | O_CREAT, 0600);

    check_eq(ring3_filelock_try(read_only, RING3_FILELOCK_WRITE, 0, 0), -EBADF);
    check_eq(ring3_filelock_try(read_only, RING3_FILELOCK_READ, -1, 0), -EINVAL);
    check_eq(ring3_filelock_lock(-1, RING3_FILELOCK_READ, 0, 0, NULL), -EBADF);
    leave_scratch();
}

TEST(filelock, waiting_times_out_and_survives_signals)
{
    enter_scratch();
    const int a = open_again(), b = open_again();
    const double begin = seconds_now();

    check_eq(ring3_filelock_try(a, RING3_FILELOCK_WRITE, 0, 0), 0);
    start_signal_storm();
    const struct timespec soon = deadline_in(40);

    check_eq(ring3_filelock_lock(b, RING3_FILELOCK_READ, 0, 0, &soon), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.04);
    stop_signal_storm();
    leave_scratch();
}

/* The kernel frees the lock of a process that is killed, and the waiter gets it. */
static void killed_holder(bool timed)
{
    int ends[2];
    char byte;

    enter_scratch();
    const int fd = open_again();
    const struct timespec deadline = deadline_in(10000);

    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        const int own = open_again();

        if (ring3_filelock_try(own, RING3_FILELOCK_WRITE, 0, 0) == 0)
            (void)!write(ends[1], "x", 1);
        pause();
        _exit(1);
    }
    check_eq(read(ends[0], &byte, 1), 1);
    const pid_t killer = fork();

    if (killer == 0) {
        sleep_ms(30);
        _exit(kill(pid, SIGKILL) ? 1 : 0);
    }
    start_signal_storm();
    check_eq(ring3_filelock_lock(fd, RING3_FILELOCK_WRITE, 0, 0, timed ? &deadline : NULL), 0);
    stop_signal_storm();
    check_child(killer);
    check_eq(waitpid(pid, NULL, 0), pid);
    leave_scratch();
}

TEST(filelock, a_killed_holder_lets_go)
{
    killed_holder(false);
}
TEST(filelock, a_killed_holder_lets_go_before_the_deadline)
{
    killed_holder(true);
}

TEST(filelock, names_the_owner)
{
    ring3_filelock_owner_t owner = {0};
    int ends[2];
    char byte;

    enter_scratch();
    const int fd = open_again();

    check_eq(ring3_filelock_find_owner(fd, RING3_FILELOCK_WRITE, 0, 0, &owner), 0);
    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        const int own = ring3_fd_dup_to(open_again(), 177, false) == 0 ? 177 : -1;

        close(fd);
        if (ring3_filelock_try(own, RING3_FILELOCK_READ, 100, 50) == 0)
            (void)!write(ends[1], "x", 1);
        pause();
        _exit(1);
    }
    check_eq(read(ends[0], &byte, 1), 1);
    check_eq(ring3_filelock_find_owner(fd, RING3_FILELOCK_READ, 0, 0, &owner), 0, "readers share");
    check_eq(ring3_filelock_find_owner(fd, RING3_FILELOCK_WRITE, 0, 100, &owner), 0, "other range");
    check_eq(ring3_filelock_find_owner(fd, RING3_FILELOCK_WRITE, 120, 0, &owner), 1);
    check_eq(owner.pid, pid);
    check(owner.fd == 177 || owner.fd > 2, "descriptor %d", owner.fd);
    check_eq((int)owner.mode, (int)RING3_FILELOCK_READ);
    check_eq(owner.start, 100);
    check_eq(owner.length, 50);
    kill(pid, SIGKILL);
    check_eq(waitpid(pid, NULL, 0), pid);
    leave_scratch();
}

static void exclusive_lockfile(void)
{
    ring3_identity_t me, holder;

    enter_scratch();
    check_eq(ring3_identity_self(&me), 0);
    check_eq(ring3_lockfile_take("lock", &holder), 0);
    check_eq(ring3_lockfile_take("lock", &holder), -EBUSY);
    check(ring3_identity_equal(&me, &holder));
    const pid_t pid = fork();

    if (pid == 0)
        _exit(ring3_lockfile_take("lock", NULL) == -EBUSY &&
                      ring3_lockfile_release("lock") == -EPERM
                  ? 0
                  : 1);
    check_child(pid);
    check_eq(entries_in("."), 1);
    check_eq(ring3_lockfile_release("lock"), 0);
    check_eq(entries_in("."), 0);
    check_eq(ring3_lockfile_release("lock"), -ENOENT);
    leave_scratch();
}

TEST(lockfile, excludes_and_names_its_holder)
{
    exclusive_lockfile();
}

TEST(lockfile, excludes_on_file_systems_without_unnamed_files)
{
    check_eq(ring3_env_disable("tmpfile"), 0);
    exclusive_lockfile();
}

TEST(lockfile, is_taken_over_from_the_dead_only)
{
    int ends[2];
    char byte;

    enter_scratch();
    check_eq(pipe(ends), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        if (ring3_lockfile_take("lock", NULL) == 0)
            (void)!write(ends[1], "x", 1);
        pause();
        _exit(1);
    }
    check_eq(read(ends[0], &byte, 1), 1);
    check_eq(ring3_lockfile_take("lock", NULL), -EBUSY);
    kill(pid, SIGKILL);
    check_eq(waitpid(pid, NULL, 0), pid);
    check_eq(ring3_lockfile_take("lock", NULL), 0);
    check_eq(ring3_lockfile_release("lock"), 0);
    leave_scratch();
}

TEST(lockfile, leaves_files_alone_that_are_not_its_own)
{
    enter_scratch();
    close(ring3_fd_open("empty", O_WRONLY | O_CREAT, 0600));
    check_eq(ring3_lockfile_take("empty", NULL), -EBADMSG);
    const int fd = ring3_fd_open("text", O_WRONLY | O_CREAT, 0600);

    check_eq(ring3_fd_write(fd, "12345\n", 6), 6);
    check_eq(ring3_lockfile_take("text", NULL), -EBADMSG);
    check_eq(ring3_lockfile_release("text"), -EBADMSG);
    check_eq(symlink("text", "link"), 0);
    check_eq(ring3_lockfile_take("link", NULL), -EBADMSG);
    check_eq(mkfifo("fifo", 0600), 0);
    check_eq(ring3_lockfile_take("fifo", NULL), -EBADMSG);
    check_eq(mkdir("directory", 0700), 0);
    check_eq(ring3_lockfile_take("directory", NULL), -EBADMSG);
    check_eq(ring3_lockfile_take("directory/", NULL), -EISDIR);
    check_eq(ring3_lockfile_take("missing/lock", NULL), -ENOENT);
    check_eq(ring3_lockfile_take("", NULL), -ENOENT);
    check_eq(entries_in("."), 5);
    leave_scratch();
}

/* Contenders find one stale file at the same time, again and again: never two holders. */
TEST(lockfile, one_of_many_takes_a_stale_file_over, 60)
{
    enum { CONTENDERS = 4 };
    const int rounds = slow_machine() ? 20 : 100;
    int *const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    enter_scratch();
    for (int round = 0; round < rounds; round++) {
        pid_t pids[CONTENDERS];
        const pid_t dead = fork();

        if (dead == 0)
            _exit(ring3_lockfile_take("lock", NULL) ? 1 : 0); /* leaves it behind */
        check_child(dead);
        *shared = 0;
        for (int i = 0; i < CONTENDERS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                const int got = ring3_lockfile_take("lock", NULL);

                if (got == 0) {
                    __atomic_fetch_add(shared, 1, __ATOMIC_RELAXED);
                    pause(); /* alive and holding until the round is over */
                }
                _exit(got == -EBUSY ? 0 : 1);
            }
        }
        int held = 0;

        for (int i = 0; i < CONTENDERS - 1; i++) { /* all but the holder end */
            int status;

            check_gt(waitpid(-1, &status, 0), 0);
            check_eq(status, 0);
        }
        held = __atomic_load_n(shared, __ATOMIC_RELAXED);
        while (held == 0) {
            sleep_ms(1);
            held = __atomic_load_n(shared, __ATOMIC_RELAXED);
        }
        check_eq(held, 1);
        for (int i = 0; i < CONTENDERS; i++)
            kill(pids[i], SIGKILL); /* the others are reaped and gone */
        check_gt(waitpid(-1, NULL, 0), 0);
    }
    leave_scratch();
}
