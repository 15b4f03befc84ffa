/* SPDX-License-Identifier: MIT */
/*
 * What the system itself promises and libipc builds on, in one place. The other suites show what libipc makes
 * of it.
 */
#include "ring3/fd.h"
#include "ring3/shm.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Descriptors ------------------------------------------------------------------------------------------ */

/* The lowest descriptor that is not open; whoever started the tests may have left holes. */
static int lowest_free(void)
{
    int fd = 0;

    while (fcntl(fd, F_GETFD) >= 0)
        fd++;
    return fd;
}

TEST(system, the_lowest_free_descriptor_is_given)
{
    int given[3];

    for (int i = 0; i < 3; i++) {
        const int expected = lowest_free();

        check_eq(given[i] = dup(0), expected);
    }
    close(given[1]);
    check_eq(dup(0), given[1], "a hole in the middle");
    close(given[2]);
    close(given[0]);
    check_eq(open("/dev/null", O_RDONLY), given[0], "the lower of two holes");
    check_eq(open("/dev/null", O_RDONLY), given[2]);
}

TEST(system, dup_and_fork_share_the_offset_and_open_does_not)
{
    enter_scratch();
    const int fd = open("file", O_RDWR | O_CREAT, 0600), copy = dup(fd),
              other = open("file", O_RDWR);

    check_eq(write(fd, "0123456789", 10), 10);
    check_eq(lseek(copy, 0, SEEK_CUR), 10);
    check_eq(lseek(other, 0, SEEK_CUR), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(lseek(fd, 4, SEEK_SET), 4);
        check_eq(lseek(other, 7, SEEK_SET), 7);
        check_eq(open("file", O_RDWR) >= 0, 1);
        _exit(0);
    }
    check_child(pid);
    check_eq(lseek(fd, 0, SEEK_CUR), 4, "the child moved ours");
    check_eq(lseek(other, 0, SEEK_CUR), 7);
    check_eq(close(fd), 0);
    check_eq(lseek(copy, 0, SEEK_CUR), 4, "closing one leaves the other");
    leave_scratch();
}

TEST(system, a_pipe_ends_when_the_last_writer_has_closed_and_breaks_without_readers)
{
    int ends[2];
    char byte;

    check_eq(pipe(ends), 0);
    const int copy = dup(ends[1]);

    close(ends[1]);
    check_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    check_eq(read(ends[0], &byte, 1), -1, "a writer is left");
    check_eq(errno, EAGAIN);
    close(copy);
    check_eq(read(ends[0], &byte, 1), 0);
    check_eq(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    check_eq(write(ends[1], "x", 1), -1);
    check_eq(errno, EPIPE);
}

/* --- Signals ----------------------------------------------------------------------------------------------- */

/* How many of them are pending; takes them. */
static int take_pending(int signal)
{
    const struct timespec at_once = {0};
    sigset_t one;
    int taken = 0;

    sigemptyset(&one);
    sigaddset(&one, signal);
    while (sigtimedwait(&one, NULL, &at_once) == signal)
        taken++;
    return taken;
}

TEST(system, standard_signals_coalesce_and_real_time_ones_queue)
{
    sigset_t both;

    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGRTMIN);
    check_eq(sigprocmask(SIG_BLOCK, &both, NULL), 0);
    for (int i = 0; i < 5; i++) {
        check_eq(kill(getpid(), SIGUSR1), 0);
        check_eq(kill(getpid(), SIGRTMIN), 0);
    }
    check_eq(take_pending(SIGUSR1), 1);
    check_eq(take_pending(SIGRTMIN), 5);
}

static void nothing(int signal)
{
    (void)signal;
}

TEST(system, sigkill_and_sigstop_cannot_be_caught)
{
    const struct sigaction action = {.sa_handler = nothing};

    check_eq(sigaction(SIGKILL, &action, NULL), -1);
    check_eq(errno, EINVAL);
    check_eq(sigaction(SIGSTOP, &action, NULL), -1);
    check_eq(sigaction(SIGTERM, &action, NULL), 0);
}

/* --- Memory ------------------------------------------------------------------------------------------------- */

TEST(system, fork_copies_private_memory_on_writing_and_shares_what_is_shared)
{
    static int global = 1;
    int *const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *const private =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *shared = *private = 1;
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(global + *shared + *private, 3, "the child sees what was there");
        global = *shared = *private = 2;
        _exit(0);
    }
    check_child(pid);
    check_eq(global, 1);
    check_eq(*private, 1);
    check_eq(*shared, 2);
}

TEST(system, shared_mappings_of_a_file_write_to_it_and_private_ones_do_not)
{
    char byte;

    enter_scratch();
    const int fd = open("file", O_RDWR | O_CREAT, 0600);

    check_eq(write(fd, "abc", 3), 3);
    char *const shared = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *const private = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    shared[0] = 'S';
    private[1] = 'P';
    check_eq(pread(fd, &byte, 1, 0), 1);
    check_eq(byte, 'S');
    check_eq(pread(fd, &byte, 1, 1), 1);
    check_eq(byte, 'b');
    check_eq(private[0], 'S', "a page of it that was not written before is the file's until then");
    check(mmap(NULL, 3, PROT_READ, MAP_SHARED, fd, 100) == MAP_FAILED, "offsets are pages");
    leave_scratch();
}

TEST(system, pages_appear_when_they_are_touched)
{
    enum { PAGES = 64 };
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char present[PAGES];
    char *const memory =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int before = 0, after = 0;

    check_eq(madvise(memory, PAGES * page, MADV_NOHUGEPAGE), 0);
    check_eq(mincore(memory, PAGES * page, present), 0);
    for (int i = 0; i < PAGES; i++)
        before += present[i] & 1;
    for (int i = 0; i < 10; i++)
        memory[(size_t)i * 3 * page] = 1;
    check_eq(mincore(memory, PAGES * page, present), 0);
    for (int i = 0; i < PAGES; i++)
        after += present[i] & 1;
    check_eq(before, 0);
    check_eq(after, 10);
}

TEST(system, ftok_names_a_segment_for_who_knows_the_file)
{
    enter_scratch();
    close(open("file", O_RDWR | O_CREAT, 0600));
    const key_t key = ftok("file", 120), other = ftok("file", 121);
    ring3_shm_t made, found;

    check_ne(key, -1);
    check_ne(key, other);
    check_eq(ftok("file", 120), key);
    check_eq(ftok("nothing", 120), -1);
    check_eq(ring3_shm_sysv_create(&made, key, 1024, 0600), 0);
    check_eq(ring3_shm_sysv_open(&found, key, true), 0);
    strcpy(made.address, "the same");
    check_str_eq(found.address, "the same");
    check_eq(ring3_shm_sysv_remove(key), 0);
    ring3_shm_close(&found);
    ring3_shm_close(&made);
    leave_scratch();
}

/* --- Processes ----------------------------------------------------------------------------------------------- */

TEST(system, a_child_that_was_not_waited_for_stays_as_a_zombie)
{
    siginfo_t info = {0};
    const pid_t pid = fork();

    if (pid == 0)
        _exit(7);
    check_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    check_eq(kill(pid, 0), 0, "it is still there");
    check_eq(info.si_status, 7);
    check_eq(waitpid(pid, NULL, 0), pid);
    check_eq(kill(pid, 0), -1);
    check_eq(errno, ESRCH);
}

TEST(system, an_orphan_goes_to_the_nearest_subreaper)
{
    int ends[2];
    pid_t orphan = 0;

    check_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    check_eq(pipe(ends), 0);
    const pid_t child = fork();

    if (child == 0) {
        if (fork() == 0) {
            const pid_t me = getpid();

            check_eq(write(ends[1], &me, sizeof me), (ssize_t)sizeof me);
            pause();
        }
        _exit(0);
    }
    check_eq(read(ends[0], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
    check_child(child);
    kill(orphan, SIGKILL);
    check_eq(waitpid(orphan, NULL, 0), orphan, "it is ours now");
}

TEST(system, wait_returns_the_first_to_end)
{
    int ends[2];
    char byte;

    check_eq(pipe(ends), 0);
    const pid_t late = fork();

    if (late == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) != 0);
    }
    const pid_t early = fork();

    if (early == 0)
        _exit(0);
    check_eq(wait(NULL), early);
    check_eq(waitpid(-1, NULL, WNOHANG), 0, "the other runs");
    close(ends[1]);
    check_child(late);
    check_eq(wait(NULL), -1);
    check_eq(errno, ECHILD);
}
