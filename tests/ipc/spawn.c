/* SPDX-License-Identifier: MIT */
#include "ring3/spawn.h"

#include "ring3/env.h"
#include "ring3/fd.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The plan of a shell script, to which a test adds what it is about. */
static ring3_spawn_plan_t script(char *argv[4], const char *text)
{
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = (char *)(uintptr_t)text;
    argv[3] = NULL;
    return (ring3_spawn_plan_t){.path = "/bin/sh", .argv = argv};
}

static int exit_status(ring3_process_t *child)
{
    ring3_status_t status;

    check_eq(ring3_process_wait(child, 0, NULL, &status), 0);
    check_eq((int)status.kind, (int)RING3_EXITED, "value %d", status.value);
    return status.value;
}

static int run(const ring3_spawn_plan_t *plan)
{
    ring3_process_t child;

    check_eq(ring3_spawn(plan, &child), 0);
    check_gt(child.pid, 0);
    return exit_status(&child);
}

/* What the script writes to its standard output. */
static const char *output_of(const ring3_spawn_plan_t *plan)
{
    static char text[4096];
    ring3_spawn_plan_t whole = *plan;
    ring3_fd_map_t fds[20];
    ring3_process_t child;
    size_t got;
    int ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    fds[0] = (ring3_fd_map_t){ends[1], 1};
    if (plan->fd_count)
        memcpy(fds + 1, plan->fds, plan->fd_count * sizeof *fds);
    whole.fds = fds;
    whole.fd_count++;
    check_eq(ring3_spawn(&whole, &child), 0);
    close(ends[1]);
    check_eq(ring3_fd_read_full(ends[0], text, sizeof text - 1, NULL, &got), -ENODATA);
    text[got] = '\0';
    close(ends[0]);
    check_eq(exit_status(&child), 0);
    return text;
}

static void runs_and_reports(void)
{
    char *argv[4];
    ring3_spawn_plan_t plan = script(argv, "exit 7");
    ring3_process_t child;
    const int descriptors = open_descriptors();

    errno = E2BIG;
    check_eq(run(&plan), 7);
    plan.path = "/does/not/exist";
    check_eq(ring3_spawn(&plan, &child), -ENOENT);
    plan.path = "/etc/passwd";
    check_eq(ring3_spawn(&plan, &child), -EACCES);
    plan.path = "/tmp";
    check_eq(ring3_spawn(&plan, &child), -EACCES);
    plan.path = "";
    check_eq(ring3_spawn(&plan, &child), -ENOENT);
    plan.path = NULL;
    check_eq(ring3_spawn(&plan, &child), -EINVAL);
    check_eq(errno, E2BIG);
    check_eq(open_descriptors(), descriptors);
    check_eq(waitpid(-1, NULL, WNOHANG), -1, "a process is left after a failure");
}

TEST(spawn, runs_a_program_and_reports_what_exec_says)
{
    runs_and_reports();
}

TEST(spawn, does_so_by_posix_spawn)
{
    check_eq(ring3_env_disable("pidfd_spawn"), 0);
    runs_and_reports();
}

TEST(spawn, does_so_without_pidfds)
{
    check_eq(ring3_env_disable("pidfd"), 0);
    runs_and_reports();
}

TEST(spawn, opens_no_pidfd_for_those_who_want_none)
{
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {
        .path = "/bin/true", .argv = argv, .flags = RING3_SPAWN_NO_PIDFD};
    ring3_process_t child;
    ring3_status_t status;

    check_eq(ring3_spawn(&plan, &child), 0);
    check_eq(child.pidfd, -1);
    check_eq(ring3_process_wait(&child, 0, NULL, &status), 0);
    check(status.kind == RING3_EXITED && status.value == 0);
}

static void overlapping_fds(void)
{
    char *argv[4], names[4][16];
    int files[4];
    ring3_spawn_plan_t plan =
        script(argv, "for i in 105 106 107 108; do readlink /proc/$$/fd/$i || echo none; done");

    enter_scratch();
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "file%d", i);
        files[i] = ring3_fd_open(names[i], O_RDWR | O_CREAT, 0600);
        check_eq(dup2(files[i], 105 + i), 105 + i); /* the low ones are the test framework's */
        check_eq(fcntl(105 + i, F_SETFD, FD_CLOEXEC), 0);
    }
    /* 105 and 106 change places, 107 becomes 108, so 108 is lost, and 107 is closed. */
    const ring3_fd_map_t fds[] = {{105, 106}, {106, 105}, {107, 108}, {-1, 107}};

    plan.fds = fds;
    plan.fd_count = 4;
    const char *const text = output_of(&plan);
    const char *const first = strstr(text, "file1\n"), *const second = strstr(text, "file0\n");

    check(first && second && first < second, "%s", text);
    check_contains(second, "none\n");
    check_contains(second, "file2\n");
    check(!strstr(text, "file3"), "%s", text);

    const ring3_fd_map_t stay[] = {{108, 105}, {105, 105}, {106, 106}}; /* the later entry wins */

    plan.fds = stay;
    plan.fd_count = 3;
    const char *const kept = output_of(&plan);

    check_contains(kept, "file0\n");
    check_contains(kept, "file1\n");
    check(!strstr(kept, "file3"), "%s", kept);
    leave_scratch();
}

TEST(spawn, descriptors_move_all_at_once)
{
    overlapping_fds();
}

TEST(spawn, descriptors_move_all_at_once_by_posix_spawn)
{
    check_eq(ring3_env_disable("pidfd_spawn"), 0);
    overlapping_fds();
}

TEST(spawn, refuses_bad_descriptors)
{
    char *argv[4];
    static ring3_fd_map_t many[RING3_SPAWN_FDS_MAX + 1];
    ring3_spawn_plan_t plan = script(argv, "exit 0");
    ring3_fd_map_t bad = {900, 1};
    ring3_process_t child;

    plan.fds = &bad;
    plan.fd_count = 1;
    check_eq(ring3_spawn(&plan, &child), -EBADF);
    bad = (ring3_fd_map_t){0, -1};
    check_eq(ring3_spawn(&plan, &child), -EINVAL);
    bad = (ring3_fd_map_t){-2, 1};
    check_eq(ring3_spawn(&plan, &child), -EINVAL);
    bad = (ring3_fd_map_t){0, 1 << 30};
    check_eq(ring3_spawn(&plan, &child), -EBADF);
    plan.fds = many;
    plan.fd_count = RING3_SPAWN_FDS_MAX + 1;
    check_eq(ring3_spawn(&plan, &child), -EINVAL);
}

TEST(spawn, inherits_only_what_it_is_given)
{
    char *argv[4];
    ring3_spawn_plan_t plan =
        script(argv, "test -e /proc/$$/fd/150 || exit 1; test ! -e /proc/$$/fd/151");
    const ring3_fd_map_t keep = {150, 150};

    check_eq(dup2(0, 150), 150);
    check_eq(dup2(0, 151), 151);
    plan.fds = &keep;
    plan.fd_count = 1;
    check_eq(run(&plan), 1, "descriptor 151 is inheritable and should have been there");
    plan.flags = RING3_SPAWN_ONLY_FDS;
    check_eq(run(&plan), 0);
}

TEST(spawn, sets_directory_environment_and_limits)
{
    char *argv[4];
    char *environment[] = {"COLOUR=green", NULL};
    const ring3_limit_t limits[] = {{RLIMIT_NOFILE, {77, 77}}, {RLIMIT_CORE, {0, 0}}};
    ring3_spawn_plan_t plan = script(argv, "echo $PWD,$COLOUR,$HOME,$(ulimit -n)");

    plan.directory = "/usr";
    plan.environment = environment;
    plan.limits = limits;
    plan.limit_count = 2;
    check_str_eq(output_of(&plan), "/usr,green,,77\n");

    ring3_process_t child;
    const ring3_limit_t wrong = {RLIMIT_NOFILE, {9, 3}};

    plan.limits = &wrong;
    plan.limit_count = 1;
    check_eq(ring3_spawn(&plan, &child), -EINVAL);
    plan.limit_count = 0;
    plan.directory = "/does/not/exist";
    check_eq(ring3_spawn(&plan, &child), -ENOENT);
}

TEST(spawn, says_what_posix_spawn_cannot_do)
{
    char *argv[4];
    ring3_process_t child;
    const ring3_limit_t limit = {RLIMIT_CORE, {0, 0}};
    ring3_spawn_plan_t plan = script(argv, "pwd");

    check_eq(ring3_env_disable("pidfd_spawn"), 0);
    plan.directory = "/usr";
    check_str_eq(output_of(&plan), "/usr\n");
    plan.limits = &limit;
    plan.limit_count = 1;
    check_eq(ring3_spawn(&plan, &child), -ENOTSUP);
    plan.limit_count = 0;
    plan.flags = RING3_SPAWN_ONLY_FDS;
    check_eq(ring3_spawn(&plan, &child), -ENOTSUP);
}

TEST(spawn, looks_for_programs_as_the_shells_do)
{
    char *argv[] = {"tool", NULL};
    const ring3_spawn_plan_t plan = {.path = "tool", .argv = argv, .flags = RING3_SPAWN_SEARCH};
    ring3_process_t child;

    enter_scratch();
    check_eq(mkdir("a", 0700) | mkdir("b", 0700), 0);
    setenv("PATH", "/does/not/exist:a:b", 1);
    check_eq(ring3_spawn(&plan, &child), -ENOENT);
    int fd = ring3_fd_open("a/tool", O_WRONLY | O_CREAT, 0600);

    close(fd);
    check_eq(ring3_spawn(&plan, &child), -EACCES);
    fd = ring3_fd_open("b/tool", O_WRONLY | O_CREAT, 0700);
    check_eq(ring3_fd_write_full(fd, "#!/bin/sh\nexit 3\n", 17, NULL, NULL), 0);
    close(fd);
    check_eq(run(&plan), 3);
    setenv("PATH", "", 1); /* the working directory */
    check_eq(chdir("b"), 0);
    check_eq(run(&plan), 3);
    leave_scratch();
}

/* Bits of /proc/PID/status are what the program starts with. */
static unsigned long long signal_bits(const char *text, const char *name)
{
    const char *const line = strstr(text, name);

    check(line != NULL, "%s", text);
    return strtoull(line + strlen(name), NULL, 16);
}

static void noop(int signal)
{
    (void)signal;
}

static void signal_state(void)
{
    char *argv[] = {"cat", "/proc/self/status", NULL};
    ring3_spawn_plan_t plan = {.path = "/bin/cat", .argv = argv};
    sigset_t mask, defaults, before, after;

    signal(SIGUSR1, noop);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    const char *text = output_of(&plan);

    check_eq(signal_bits(text, "SigBlk:"), 1ull << (SIGWINCH - 1), "the caller's mask");
    check_eq(signal_bits(text, "SigCgt:"), 0ull);
    check(signal_bits(text, "SigIgn:") & 1ull << (SIGUSR2 - 1));
    check(signal_bits(text, "SigIgn:") & 1ull << (SIGHUP - 1));

    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN + 2);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGUSR2);
    plan.mask = &mask;
    plan.defaults = &defaults;
    sigprocmask(SIG_BLOCK, NULL, &before);
    text = output_of(&plan);
    sigprocmask(SIG_BLOCK, NULL, &after);
    check_eq(signal_bits(text, "SigBlk:"), 1ull << (SIGRTMIN + 2 - 1));
    check(!(signal_bits(text, "SigIgn:") & 1ull << (SIGUSR2 - 1)));
    check(signal_bits(text, "SigIgn:") & 1ull << (SIGHUP - 1));
    check_eq(memcmp(&before, &after, 8), 0, "the caller's own mask changed");
    struct sigaction mine;

    check_eq(sigaction(SIGUSR1, NULL, &mine), 0);
    check(mine.sa_handler == noop, "the caller's own handler changed");
}

TEST(spawn, sets_masks_and_dispositions)
{
    signal_state();
}

TEST(spawn, sets_masks_and_dispositions_by_posix_spawn)
{
    check_eq(ring3_env_disable("pidfd_spawn"), 0);
    signal_state();
}

TEST(spawn, sets_masks_and_dispositions_signal_by_signal)
{
    check_eq(ring3_env_disable("clear_sighand"), 0);
    signal_state();
}

/* Signals to the whole group while children are being made. A handler that ran in the child would
 * see another process id, in memory that is ours. */
static volatile sig_atomic_t foreign_runs, own_runs;
static pid_t owner;

static void note_where(int signal)
{
    (void)signal;
    if (getpid() == owner)
        own_runs++;
    else
        foreign_runs++;
}

static void storm_on_children(void)
{
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = argv};
    const int rounds = slow_machine() ? 50 : 300;

    check(getpgrp() == getpid() || setpgid(0, 0) == 0);
    owner = getpid();
    check_ne(signal(SIGUSR1, note_where), SIG_ERR);
    const pid_t sender = fork();

    if (sender == 0) {
        signal(SIGUSR1, SIG_IGN);
        for (;;)
            kill(0, SIGUSR1);
    }
    for (int i = 0; i < rounds; i++) {
        ring3_process_t child;
        ring3_status_t status;

        check_eq(ring3_spawn(&plan, &child), 0);
        check_eq(ring3_process_wait(&child, 0, NULL, &status), 0);
        check((status.kind == RING3_EXITED && status.value == 0) ||
              (status.kind == RING3_KILLED && status.value == SIGUSR1));
    }
    kill(sender, SIGKILL);
    while (waitpid(sender, NULL, 0) != sender)
        check_eq(errno, EINTR);
    check_gt(own_runs, 0);
    check_eq(foreign_runs, 0);
}

/* A command in a job of its own: it starts a program that takes a while to be found, and is told to stop meanwhile. */
static void search_long(int announce)
{
    static char path[120000] = "PATH=";
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "true", .argv = argv, .flags = RING3_SPAWN_SEARCH};
    ring3_process_t child;
    ring3_status_t status;

    for (size_t i = 0; i < 59000; i++)
        strcpy(path + 5 + 2 * i, "a:");
    strcat(path, "/usr/bin:/bin");
    if (setpgid(0, 0) || putenv(path) || write(announce, "", 1) != 1)
        _exit(2);
    if (ring3_spawn(&plan, &child) || ring3_process_wait(&child, 0, NULL, &status))
        _exit(3);
    _exit(status.kind == RING3_EXITED ? status.value : 4);
}

TEST(spawn, a_stop_before_the_program_runs_stops_its_parent_too, 120)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    long stops = 0;

    for (long round = 0; round < scaled(20, 200); round++) {
        int ends[2], status = -1; /* neither stopped nor ended */
        char byte;

        check_eq(pipe(ends), 0);
        const pid_t parent = fork();

        if (parent == 0)
            search_long(ends[1]);
        check_eq(read(ends[0], &byte, 1), 1);
        nanosleep(&(struct timespec){.tv_nsec = round % 20 * 1000000}, NULL);
        check_eq(kill(-parent, SIGTSTP), 0);
        /* It stops, or ends if it was too late for that; it does neither if it waits for a stopped child. */
        for (int i = 0; i < 1500 && waitpid(parent, &status, WUNTRACED | WNOHANG) == 0; i++)
            nanosleep(&moment, NULL);
        if (!WIFSTOPPED(status) && !WIFEXITED(status))
            kill(-parent, SIGKILL);
        check(WIFSTOPPED(status) || (WIFEXITED(status) && status == 0), "status %d", status);
        if (WIFSTOPPED(status)) {
            stops++;
            check_eq(kill(-parent, SIGCONT), 0);
            check_eq(waitpid(parent, &status, 0), parent);
            check_eq(status, 0);
        }
        close(ends[0]);
        close(ends[1]);
    }
    check_gt(stops, 0);
}

TEST(spawn, handlers_never_run_in_the_child, 60)
{
    storm_on_children();
}

TEST(spawn, nor_where_they_are_reset_one_by_one, 60)
{
    check_eq(ring3_env_disable("clear_sighand"), 0);
    storm_on_children();
}

TEST(spawn, puts_the_program_in_a_group_or_session)
{
    char *argv[4];
    /* Fields 5 and 6 of stat: group and session. */
    ring3_spawn_plan_t plan =
        script(argv, "read -r p c s pp group session rest </proc/$$/stat; echo $(($$ == group)) "
                     "$(($$ == session)) $group");

    plan.flags = RING3_SPAWN_GROUP;
    check_eq(strncmp(output_of(&plan), "1 0 ", 4), 0);
    plan.flags = RING3_SPAWN_SESSION;
    check_eq(strncmp(output_of(&plan), "1 1 ", 4), 0);
    plan.flags = RING3_SPAWN_GROUP;
    plan.group = 1; /* not in our session */
    ring3_process_t child;

    check_eq(ring3_spawn(&plan, &child), -EPERM);
}

TEST(spawn, hands_over_the_terminal)
{
    char *argv[4];
    ring3_spawn_plan_t plan = script(argv, "read -r p c s pp group session tty foreground rest "
                                           "</proc/$$/stat; test $foreground = $$");
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    check_ge(master, 0);
    check_eq(grantpt(master) | unlockpt(master), 0);
    const int slave = ring3_fd_open(ptsname(master), O_RDWR | O_NOCTTY, 0);

    check_ge(slave, 0);
    plan.terminal = slave;
    plan.flags = RING3_SPAWN_SESSION | RING3_SPAWN_FOREGROUND;
    check_eq(run(&plan), 0);
    plan.terminal = ring3_fd_open("/dev/null", O_RDWR, 0);
    ring3_process_t child;

    check_eq(ring3_spawn(&plan, &child), -ENOTTY);
}

TEST(spawn, fails_cleanly_when_descriptors_run_out)
{
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = argv};
    ring3_process_t child;

    use_up_descriptors();
    check_eq(ring3_spawn(&plan, &child), -EMFILE);
    check_eq(waitpid(-1, NULL, WNOHANG), -1);
    check_eq(errno, ECHILD);
}

/* A copied address space is write-protected: each page written afterwards would fault. */
TEST(spawn, copies_no_page_tables)
{
    enum { SIZE = 64 << 20, PAGE = 4096 };
    char *argv[] = {"true", NULL};
    const ring3_spawn_plan_t plan = {.path = "/bin/true", .argv = argv};
    struct rusage before, after;
    char *const heap = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(heap != MAP_FAILED);
    madvise(heap, SIZE, MADV_NOHUGEPAGE);
    for (int i = 0; i < SIZE; i += PAGE)
        heap[i] = 1;
    check_eq(getrusage(RUSAGE_SELF, &before), 0);
    check_eq(run(&plan), 0);
    for (int i = 0; i < SIZE; i += PAGE)
        heap[i] = 2;
    check_eq(getrusage(RUSAGE_SELF, &after), 0);
    check_lt(after.ru_minflt - before.ru_minflt, SIZE / PAGE / 10);
}

TEST(spawn, a_pipeline_connects_its_stages_in_one_group)
{
    char *first[4], *second[4], *third[4];
    const int out = memfd_create("out", 0), descriptors = open_descriptors();
    const ring3_fd_map_t fds[] = {{out, 1}};
    ring3_process_t stages[3];
    char text[64] = {0};
    ring3_spawn_plan_t plans[] = {script(first, "echo one; echo two; echo three"),
                                  script(second, "sort"), script(third, "tr a-z A-Z")};

    plans[0].flags = RING3_SPAWN_GROUP;
    plans[2].fds = fds;
    plans[2].fd_count = 1;
    check_eq(ring3_pipeline(plans, 3, stages), 0);
    for (int i = 0; i < 3; i++)
        check_eq(getpgid(stages[i].pid), stages[0].pid);
    for (int i = 0; i < 3; i++)
        check_eq(exit_status(&stages[i]), 0);
    check_eq(ring3_fd_pread_full(out, text, sizeof text - 1, 0, NULL), -ENODATA);
    check_str_eq(text, "ONE\nTHREE\nTWO\n");
    check_eq(open_descriptors(), descriptors);
}

TEST(spawn, a_pipeline_that_cannot_start_leaves_nothing)
{
    char *first[4], *second[4];
    const int descriptors = open_descriptors();
    ring3_process_t stages[3];
    ring3_spawn_plan_t plans[] = {script(first, "exec sleep 1000"),
                                  script(second, "exec sleep 1000"),
                                  {.path = "/does/not/exist", .argv = first}};

    check_eq(ring3_pipeline(plans, 3, stages), -ENOENT);
    check_eq(waitpid(-1, NULL, WNOHANG), -1, "a stage is left");
    check_eq(open_descriptors(), descriptors);
    check_eq(ring3_pipeline(plans, 0, stages), -EINVAL);
}
