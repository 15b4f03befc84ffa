/* SPDX-License-Identifier: MIT */
#include "ring3/signals.h"

#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sigset_t set_of(int a, int b)
{
    const int signals[] = {a, b};
    sigset_t set;

    check_eq(ring3_signal_set(&set, signals, b ? 2 : 1), 0);
    return set;
}

static volatile sig_atomic_t runs, last_value, nested, depth;

static void count(int signal, const siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    if (depth++)
        nested++;
    runs++;
    last_value = info->si_value.sival_int;
    errno = ERANGE;
    depth--;
}

TEST(signals, standard_ones_coalesce_and_real_time_ones_queue)
{
    sigset_t set = set_of(SIGUSR1, SIGRTMIN), pending;

    check_eq(ring3_signal_handle(SIGUSR1, count, 0, NULL), 0);
    check_eq(ring3_signal_handle(SIGRTMIN, count, 0, NULL), 0);
    check_eq(ring3_signal_block(&set, NULL), 0);
    for (int i = 0; i < 5; i++)
        check_eq(ring3_signal_send(getpid(), SIGUSR1), 0);
    check_eq(ring3_signal_pending(&pending), 0);
    check(sigismember(&pending, SIGUSR1));
    check_eq(runs, 0, "a blocked signal was delivered");
    sigset_t usr1 = set_of(SIGUSR1, 0);

    check_eq(ring3_signal_unblock(&usr1, NULL), 0);
    check_eq(runs, 1);
    for (int i = 0; i < 5; i++)
        check_eq(ring3_signal_queue(getpid(), SIGRTMIN, (union sigval){.sival_int = 40 + i}), 0);
    check_eq(ring3_signal_unblock(&set, NULL), 0);
#ifdef __SANITIZE_THREAD__
    return; /* TSan keeps one signal of a number, and calls the handler later */
#endif
    check_eq(runs, 6);
    check_eq(last_value, 44);
}

TEST(signals, wait_takes_them_in_order_with_values_and_senders)
{
    sigset_t set = set_of(SIGRTMIN + 1, SIGRTMIN + 2);
    siginfo_t info;

    check_eq(ring3_signal_block(&set, NULL), 0);
    check_eq(ring3_signal_queue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 7}), 0);
    check_eq(ring3_signal_queue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 8}), 0);
    check_eq(ring3_signal_queue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 9}), 0);
    check_eq(ring3_signal_wait(&set, NULL, &info), SIGRTMIN + 1, "the lowest comes first");
    check_eq(info.si_value.sival_int, 8);
    check_eq(info.si_pid, getpid());
    check_eq(ring3_signal_wait(&set, NULL, &info), SIGRTMIN + 1);
    check_eq(info.si_value.sival_int, 9);
    check_eq(ring3_signal_wait(&set, NULL, NULL), SIGRTMIN + 2);
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_signal_wait(&set, &past, &info), -ETIMEDOUT);
}

TEST(signals, waiting_keeps_its_deadline_while_others_are_handled)
{
    sigset_t set = set_of(SIGUSR1, 0);
    const double begin = seconds_now();

    check_eq(ring3_signal_block(&set, NULL), 0);
    start_signal_storm();
    const struct timespec soon = deadline_in(40);

    check_eq(ring3_signal_wait(&set, &soon, NULL), -ETIMEDOUT);
    check_ge(seconds_now() - begin, 0.04);
    const pid_t pid = fork();

    if (pid == 0) {
        sleep_ms(20);
        _exit(ring3_signal_send(getppid(), SIGUSR1) ? 1 : 0);
    }
    check_eq(ring3_signal_wait(&set, NULL, NULL), SIGUSR1);
    stop_signal_storm();
    check_child(pid);
}

TEST(signals, the_queue_has_a_limit)
{
    const pid_t pid = fork(); /* the test framework needs the limit as it is */

    if (pid == 0) {
        const struct rlimit limit = {2, 2};
        sigset_t set = set_of(SIGRTMIN, 0);
        int err = 0;

        check_eq(ring3_signal_block(&set, NULL), 0);
        check_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
        for (int i = 0; i < 4 && !err; i++)
            err = ring3_signal_queue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
        check_eq(err, -EAGAIN);
        _exit(0);
    }
    check_child(pid);
}

/* The signal comes between the look and the sleep: suspend must not miss it. */
TEST(signals, suspend_misses_nothing)
{
    sigset_t set = set_of(SIGUSR1, 0), open;

    check_eq(ring3_signal_handle(SIGUSR1, count, 0, NULL), 0);
    check_eq(ring3_signal_block(&set, &open), 0);
    for (int i = 0; i < 100; i++) {
        check_eq(ring3_signal_send(getpid(), SIGUSR1), 0);
        check_eq(runs, i);
        errno = 0;
        check_eq(ring3_signal_suspend(&open), 0);
        check_eq(errno, 0);
        check_eq(runs, i + 1);
    }
}

TEST(signals, handlers_keep_errno_and_do_not_nest)
{
    check_eq(ring3_signal_handle(SIGUSR1, count, 0, NULL), 0);
    check_eq(ring3_signal_handle(SIGUSR2, count, 0, NULL), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 2000; i++)
            ring3_signal_send(getppid(), i % 2 ? SIGUSR1 : SIGUSR2);
        _exit(0);
    }
    errno = E2BIG;
    while (waitpid(pid, NULL, WNOHANG) == 0)
        ;
    check_eq(errno, E2BIG);
    check_gt(runs, 1);
    check_eq(nested, 0);
}

TEST(signals, a_one_shot_handler_runs_once)
{
    struct sigaction now;

    check_eq(ring3_signal_handle(SIGURG, count, RING3_SIGNAL_ONCE, NULL), 0); /* default: ignored */
    raise(SIGURG);
    raise(SIGURG);
    check_eq(runs, 1);
    check_eq(sigaction(SIGURG, NULL, &now), 0);
    check(now.sa_handler == SIG_DFL);
}

static void other(int signal, const siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    (void)context;
    runs += 100;
}

TEST(signals, handlers_can_be_put_back)
{
    ring3_signal_action_t before;

    check_eq(ring3_signal_handle(SIGUSR1, count, 0, NULL), 0);
    check_eq(ring3_signal_handle(SIGUSR1, other, 0, &before), 0);
    raise(SIGUSR1);
    check_eq(runs, 100);
    check_eq(ring3_signal_restore(SIGUSR1, &before), 0);
    raise(SIGUSR1);
    check_eq(runs, 101);
    check_eq(ring3_signal_handle(SIGUSR1, RING3_SIGNAL_IGNORE, 0, &before), 0);
    raise(SIGUSR1);
    check_eq(runs, 101);
    check_eq(ring3_signal_restore(SIGUSR1, &before), 0);
    raise(SIGUSR1);
    check_eq(runs, 102);
}

TEST(signals, some_cannot_be_caught)
{
    sigset_t set = set_of(SIGKILL, SIGSTOP), now;
    const int none = 0, beyond = NSIG + 1;

    check_eq(ring3_signal_handle(SIGKILL, count, 0, NULL), -EINVAL);
    check_eq(ring3_signal_handle(SIGSTOP, RING3_SIGNAL_IGNORE, 0, NULL), -EINVAL);
    check_eq(ring3_signal_handle(0, count, 0, NULL), -EINVAL);
    check_eq(ring3_signal_handle(NSIG, count, 0, NULL), -EINVAL);
    check_eq(ring3_signal_set(&now, &none, 1), -EINVAL);
    check_eq(ring3_signal_set(&now, &beyond, 1), -EINVAL);
    check_eq(ring3_signal_block(&set, NULL), 0);
    check_eq(ring3_signal_mask(&set, &now), 0);
    check(!sigismember(&now, SIGKILL));
    check_eq(ring3_signal_send(1 << 22, 0), -ESRCH);
    check_eq(ring3_signal_send(getpid(), 900), -EINVAL);
}

/* read is restarted, poll never is: our calls hide either. */
TEST(signals, restart_is_a_choice)
{
    char byte;
    int ends[2];

    check_eq(pipe(ends), 0);
    for (int restart = 0; restart < 2; restart++) {
        check_eq(ring3_signal_handle(SIGUSR1, count, restart ? RING3_SIGNAL_RESTART : 0, NULL), 0);
        const pid_t pid = fork();

        if (pid == 0) {
            /* Until the parent has been interrupted, or has gone on in spite of it. */
            for (int i = 0; i < 20; i++) {
                sleep_ms(5);
                ring3_signal_send(getppid(), SIGUSR1);
            }
            _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
        }
        const ssize_t got = read(ends[0], &byte, 1);

        check_eq(got, restart ? 1 : -1);
        if (!restart)
            check_eq(ring3_fd_read(ends[0], &byte, 1), 1);
        check_eq(ring3_fd_wait(ends[1], POLLOUT, NULL), POLLOUT);
        int status;

        while (waitpid(pid, &status, 0) < 0)
            check_eq(errno, EINTR);
        check_eq(status, 0);
    }
}

TEST(signals, a_signalfd_shows_what_is_pending)
{
    sigset_t set = set_of(SIGUSR1, SIGRTMIN);
    siginfo_t info;
    const struct timespec past = deadline_in(-1);

    check_eq(ring3_signal_block(&set, NULL), 0);
    const int fd = ring3_signalfd_open(&set);

    check_ge(fd, 0);
    check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    check_eq(ring3_signalfd_read(fd, &past, &info), -ETIMEDOUT);
    check_eq(ring3_signal_queue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77}), 0);
    check_eq(ring3_fd_wait(fd, POLLIN, NULL), POLLIN);
    check_eq(ring3_signalfd_read(fd, NULL, &info), SIGRTMIN);
    check_eq(info.si_value.sival_int, 77);
    check_eq(info.si_pid, getpid());

    sigset_t child_set = set_of(SIGCHLD, 0);

    check_eq(ring3_signal_block(&child_set, NULL), 0);
    const int children = ring3_signalfd_open(&child_set);
    const pid_t pid = fork();

    if (pid == 0)
        _exit(6);
    check_eq(ring3_signalfd_read(children, NULL, &info), SIGCHLD);
    check_eq(info.si_pid, pid);
    check_eq(info.si_status, 6);
    check_eq(waitpid(pid, NULL, 0), pid);
    use_up_descriptors();
    check_eq(ring3_signalfd_open(&set), -EMFILE);
}

static void *storm(void *target)
{
    for (int i = 0; i < 70000; i++) /* more than the pipe holds */
        pthread_kill(*(pthread_t *)target, SIGUSR1);
    return NULL;
}

TEST(signals, a_self_pipe_shows_signals_and_never_blocks)
{
    ring3_selfpipe_t pipe, second;
    const struct timespec past = deadline_in(-1);
    const int descriptors = open_descriptors();
    pthread_t self = pthread_self(), sender;

    check_eq(ring3_selfpipe_open(&pipe), 0);
    check_eq(ring3_selfpipe_open(&second), 0);
    check_eq(ring3_selfpipe_watch(&pipe, SIGUSR1), 0);
    check_eq(ring3_selfpipe_watch(&pipe, SIGUSR1), 0);
    check_eq(ring3_selfpipe_watch(&second, SIGUSR1), -EBUSY);
    check_eq(ring3_selfpipe_watch(&second, SIGKILL), -EINVAL);
    check_eq(ring3_selfpipe_watch(&pipe, SIGUSR2), 0);
    check_eq(ring3_selfpipe_read(&pipe, &past), -ETIMEDOUT);
    raise(SIGUSR2);
    raise(SIGUSR1);
    check_eq(ring3_selfpipe_read(&pipe, &past), SIGUSR2);
    check_eq(ring3_selfpipe_read(&pipe, NULL), SIGUSR1);
    check_eq(pthread_create(&sender, NULL, storm, &self), 0);
    check_eq(pthread_join(sender, NULL), 0);
    check_eq(ring3_selfpipe_read(&pipe, NULL), SIGUSR1);
    ring3_selfpipe_close(&pipe);
    check_eq(ring3_selfpipe_watch(&second, SIGUSR1), 0);
    ring3_selfpipe_close(&second);
    check_eq(open_descriptors(), descriptors);
    struct sigaction now;

    check_eq(sigaction(SIGUSR1, NULL, &now), 0);
    check(now.sa_handler == SIG_DFL);
}
