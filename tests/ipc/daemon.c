/* SPDX-License-Identifier: MIT */
/* Daemons and their supervision. */
#include "ring3/daemon.h"

#include "ring3/fd.h"
#include "ring3/supervisor.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum act { SERVE, REFUSE, VANISH, DAWDLE };

/* What the daemon saw of itself, for the launcher to look at. */
struct daemon_view {
    pid_t pid, session;
    bool null_input, at_root;
};

static int launch(enum act act, ring3_process_t *daemon, const struct timespec *deadline,
                  struct daemon_view *view)
{
    char where[64] = {0};
    int report;

    signal(SIGTERM, SIG_DFL); /* the test framework may have a handler, which fork would pass on */
    const int role = ring3_daemon_start(daemon, deadline, &report);

    if (role != 1)
        return role;
    view->pid = getpid();
    view->session = getsid(0);
    view->null_input =
        readlink("/proc/self/fd/0", where, sizeof where - 1) > 0 && strcmp(where, "/dev/null") == 0;
    view->at_root = getcwd(where, sizeof where) && strcmp(where, "/") == 0;
    if (act == SERVE)
        ring3_daemon_ready(report, 0);
    else if (act == REFUSE)
        ring3_daemon_ready(report, -EADDRINUSE);
    else if (act == VANISH)
        _exit(0);
    for (;;)
        pause();
}

static struct daemon_view *make_view(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

TEST(daemon, reports_when_it_is_ready_and_has_left_the_foreground)
{
    struct daemon_view *const view = make_view();
    ring3_process_t daemon;
    const int descriptors = open_descriptors();

    check_eq(launch(SERVE, &daemon, NULL, view), 0);
    check_eq(daemon.pid, view->pid);
    check_eq(view->session, view->pid);
    check(view->null_input);
    check(view->at_root);
    check_eq(ring3_process_signal(&daemon, SIGKILL), 0);
    check_eq(ring3_process_wait(&daemon, 0, NULL, NULL), 0);
    check_eq(open_descriptors(), descriptors);
}

TEST(daemon, works_with_the_standard_descriptors_closed)
{
    struct daemon_view *const view = make_view();
    const pid_t pid = fork();

    if (pid == 0) {
        ring3_process_t daemon;

        close(0);
        close(1);
        close(2);
        if (launch(SERVE, &daemon, NULL, view) != 0 || !view->null_input)
            _exit(1);
        _exit(ring3_process_end(&daemon, NULL, NULL) ? 2 : 0);
    }
    check_child(pid);
}

TEST(daemon, failures_reach_the_launcher_and_leave_nothing)
{
    struct daemon_view *const view = make_view();
    ring3_process_t daemon;
    const int descriptors = open_descriptors();
    const struct timespec soon = deadline_in(50);

    check_eq(launch(REFUSE, &daemon, NULL, view), -EADDRINUSE);
    check_eq(launch(VANISH, &daemon, NULL, view), -ECHILD);
    check_eq(launch(DAWDLE, &daemon, &soon, view), -ETIMEDOUT);
    check_eq(waitpid(-1, NULL, WNOHANG), -1, "a daemon is left");
    check_eq(open_descriptors(), descriptors);
    use_up_descriptors();
    check_eq(launch(SERVE, &daemon, NULL, view), -EMFILE);
}

#define MS 1000000L

TEST(supervisor, starts_again_with_growing_pauses_until_it_gives_up)
{
    char *argv[] = {"sh", "-c", "exit 3", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/sh", .argv = argv};
    ring3_supervisor_t s = {.plan = &plan,
                            .pause_first_ns = 10 * MS,
                            .pause_longest_ns = 25 * MS,
                            .steady_ns = 3600 * 1000 * MS,
                            .failures_most = 4};
    ring3_status_t status = {0};
    const double begin = seconds_now();
    int event, started = 0, ended = 0;

    while ((event = ring3_supervisor_step(&s, NULL, &status)) != RING3_SUPERVISOR_DONE) {
        check_ge(event, 0);
        started += event == RING3_SUPERVISOR_STARTED;
        ended += event == RING3_SUPERVISOR_ENDED;
    }
    check_eq(started, 4);
    check_eq(ended, 3);
    check_eq(s.starts, 4u);
    check_eq(status.value, 3);
    check_ge(seconds_now() - begin, 0.010 + 0.020 + 0.025);
    check_eq(ring3_supervisor_step(&s, NULL, &status), RING3_SUPERVISOR_DONE);
}

TEST(supervisor, a_steady_run_forgives_earlier_failures)
{
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = argv};
    ring3_supervisor_t s = {.plan = &plan, .failures_most = 2}; /* any run is long enough */

    for (int i = 0; i < 5; i++) {
        check_eq(ring3_supervisor_step(&s, NULL, NULL), RING3_SUPERVISOR_STARTED);
        check_eq(ring3_supervisor_step(&s, NULL, NULL), RING3_SUPERVISOR_ENDED);
        check_eq(s.failures, 1u);
    }
}

TEST(supervisor, success_can_be_the_end)
{
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = argv};
    ring3_supervisor_t s = {.plan = &plan, .only_failures = true};

    check_eq(ring3_supervisor_step(&s, NULL, NULL), RING3_SUPERVISOR_STARTED);
    check_eq(ring3_supervisor_step(&s, NULL, NULL), RING3_SUPERVISOR_DONE);
}

TEST(supervisor, keeps_its_deadlines_and_stops)
{
    char *argv[] = {"sleep", "1000", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/sleep", .argv = argv};
    ring3_supervisor_t s = {
        .plan = &plan, .pause_first_ns = 3600 * 1000 * MS, .pause_longest_ns = 3600 * 1000 * MS};
    ring3_status_t status;
    struct timespec soon = deadline_in(30);
    const struct timespec late = deadline_in(20000);

    check_eq(ring3_supervisor_step(&s, &soon, &status), RING3_SUPERVISOR_STARTED);
    check_eq(ring3_supervisor_step(&s, &soon, &status), -ETIMEDOUT);
    check_eq(kill(s.process.pid, SIGKILL), 0);
    check_eq(ring3_supervisor_step(&s, &late, &status), RING3_SUPERVISOR_ENDED);
    check_eq(status.value, SIGKILL);
    soon = deadline_in(30);
    check_eq(ring3_supervisor_step(&s, &soon, &status), -ETIMEDOUT, "it did not pause");
    check_eq(ring3_supervisor_stop(&s, &late, &status), 0);
    check_eq(ring3_supervisor_step(&s, NULL, &status), RING3_SUPERVISOR_DONE);

    ring3_supervisor_t other = {.plan = &plan};

    check_eq(ring3_supervisor_step(&other, NULL, &status), RING3_SUPERVISOR_STARTED);
    check_eq(ring3_supervisor_stop(&other, &late, &status), 0);
    check_eq(status.value, SIGTERM);
    check_eq(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(supervisor, a_program_that_cannot_start_is_a_failure_too)
{
    char *argv[] = {"none", NULL};
    const ring3_spawn_plan_t plan = {.path = "/does/not/exist", .argv = argv};
    ring3_supervisor_t s = {.plan = &plan, .failures_most = 2};

    check_eq(ring3_supervisor_step(&s, NULL, NULL), -ENOENT);
    check_eq(ring3_supervisor_step(&s, NULL, NULL), -ENOENT);
    check_eq(ring3_supervisor_step(&s, NULL, NULL), RING3_SUPERVISOR_DONE);
}
