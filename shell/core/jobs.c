/* SPDX-License-Identifier: MIT */
/* The job table: making processes, and having them in the foreground or not. jobwait.c waits for them. */
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"
#include "core/vars.h"

#include <errno.h>
#include <fcntl.h>
#include <ring3/process.h>
#include <ring3/spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct job *job_new(struct shell *sh, int processes, bool monitored)
{
    const size_t size = sizeof(struct job) + (size_t)processes * sizeof(struct process);
    struct job *const job = must_alloc(size);

    jobs_forget_inherited(sh);
    memset(job, 0, size);
    job->monitored = monitored;
    if (monitored)
        clock_gettime(CLOCK_MONOTONIC, &job->began);
    job->next = sh->jobs;
    sh->jobs = job;
    return job;
}

void job_release(struct job *job)
{
    for (int i = 0; i < job->count; i++) {
        struct process *const process = &job->list[i];

        if (process->held)
            waitpid(process->pid, NULL, WNOHANG);
        process->held = false;
        if (process->pidfd >= 0)
            close(process->pidfd);
        if (process->feed >= 0)
            close(process->feed);
        process->pidfd = process->feed = -1;
    }
}

void job_free(struct shell *sh, struct job *job)
{
    struct job **link = &sh->jobs;

    while (*link && *link != job)
        link = &(*link)->next;
    if (*link)
        *link = job->next;
    job_release(job);
    free(job->text);
    free(job->times);
    free(job);
}

void jobs_inherit(struct shell *sh)
{
    for (struct job *job = sh->jobs; job; job = job->next)
        job_release(job);
    sh->jobs_inherited = true;
}

void jobs_forget_inherited(struct shell *sh)
{
    while (sh->jobs_inherited && sh->jobs)
        job_free(sh, sh->jobs);
    sh->jobs_inherited = false;
}

/* pidfd: -1, or the child's, which the job then owns. */
static void add_process(struct shell *sh, struct job *job, pid_t pid, int pidfd, bool foreground)
{
    if (!job->count)
        job->group = pid;
    if (job->times)
        job->times[job->count].began = time_now();
    if (!job->monitored && pidfd >= 0) {
        close(pidfd);
        pidfd = -1;
    }
    job->list[job->count++] = (struct process){.pid = pid, .pidfd = fd_move_up(pidfd), .feed = -1};
    if (job->monitored) {
        setpgid(pid, job->group); /* the child does it too: whoever comes first */
        if (foreground && job->count == 1)
            terminal_give(sh, job->group);
    }
}

pid_t job_fork(struct shell *sh, struct job *job, bool foreground)
{
    sigset_t all, before;
    pid_t pid;

    out_flush(&sh->err);
    reader_settle(sh);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        if (job->monitored) {
            setpgid(0, job->group);
            if (foreground && !job->count)
                terminal_give(sh, getpid());
            sh->group = job->group ? job->group : getpid();
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return 0;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        complain(sh, "fork: %s", strerror(errno));
    else
        add_process(sh, job, pid, job->monitored ? ring3_pidfd_open(pid) : -1, foreground);
    return pid;
}

/* By a copy of the shell. */
static int start_by_fork(struct shell *sh, struct job *job, const char *path, char **argv,
                         const struct stage *stage)
{
    ring3_fd_map_t map[REDIR_FDS_MAX];
    size_t count;
    pid_t pid;

    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
        return -errno;
    pid = job_fork(sh, job, true);
    if (pid < 0)
        return -EAGAIN;
    if (pid > 0)
        return 0;
    count = stage_map(stage, map);
    for (size_t i = 0; i < count; i++)
        dup2(map[i].from, map[i].to);
    exec_program(sh, argv, path);
}

static int start_by_spawn(struct shell *sh, struct job *job, const char *path, char **argv,
                          const struct stage *stage)
{
    ring3_fd_map_t map[REDIR_FDS_MAX];
    ring3_process_t process;
    sigset_t defaults;
    ring3_spawn_plan_t plan = {.path = path,
                               .argv = argv,
                               .environment = variables_environment(sh),
                               .fds = map,
                               .fd_count = stage_map(stage, map),
                               .defaults = traps_ignored_by_us(sh, &defaults),
                               .flags = job->monitored ? RING3_SPAWN_GROUP : RING3_SPAWN_NO_PIDFD,
                               .group = job->group};
    int err;

    out_flush(&sh->err);
    reader_settle(sh);
    err = ring3_spawn(&plan, &process);
    if (err)
        return err;
    add_process(sh, job, process.pid, process.pidfd, false);
    return 0;
}

int job_start(struct shell *sh, struct job *job, const char *path, char **argv,
              const struct stage *stage)
{
    /* Who spawns sleeps until the child executes its program, and cannot be woken. A child that has the terminal may
     * be stopped before that by the keyboard, and nobody would be left to continue it. */
    if (job->monitored && sh->terminal >= 0)
        return start_by_fork(sh, job, path, argv, stage);
    return start_by_spawn(sh, job, path, argv, stage);
}

static uint64_t next_turn(struct shell *sh)
{
    uint64_t turn = 0;

    for (const struct job *job = sh->jobs; job; job = job->next)
        if (job->turn > turn)
            turn = job->turn;
    return turn + 1;
}

void job_number(struct shell *sh, struct job *job)
{
    int number = 1;

    for (const struct job *other = sh->jobs; other; other = other->next)
        if (other->number >= number)
            number = other->number + 1;
    if (!job->number)
        job->number = number;
    job->turn = next_turn(sh);
}

/* The terminal is the shell's again, in modes it can work with. */
static void take_terminal_back(struct shell *sh, struct job *job, int status)
{
    const bool stopped = job_state(job) == PROCESS_STOPPED;

    if (stopped)
        job->has_modes = !tcgetattr(sh->terminal, &job->modes);
    terminal_give(sh, sh->group);
    /* Modes that a program which did well leaves behind are meant (stty); others are wreckage. */
    if (stopped || status)
        terminal_restore(sh);
    else
        terminal_remember(sh);
}

static void tell_signal(struct shell *sh, const struct job *job)
{
    const int wait_status = job->list[job->count - 1].status;

    if (!is_interactive(sh) || !WIFSIGNALED(wait_status))
        return;
    if (WTERMSIG(wait_status) == SIGINT)
        out_puts(&sh->err, "\n");
    else if (WTERMSIG(wait_status) != SIGPIPE)
        out_printf(&sh->err, "%s%s\n", strsignal(WTERMSIG(wait_status)),
                   WCOREDUMP(wait_status) ? " (core dumped)" : "");
    out_flush(&sh->err);
}

void job_tell_stopped(struct shell *sh, struct job *job)
{
    job_number(sh, job);
    job->background = true;
    job->changed = false;
    if (!is_interactive(sh))
        return;
    out_puts(&sh->err, "\n");
    job_describe(sh, &sh->err, job, JOB_LINE);
    out_flush(&sh->err);
}

/* PIPESTATUS. */
static void keep_statuses(struct shell *sh, const struct job *job)
{
    if (job->count < 2 || in_posix_mode(sh))
        return;
    if (job->count > sh->stage_room) {
        sh->stage_room = job->count;
        sh->stage_status = must_realloc(sh->stage_status, (size_t)job->count * sizeof(int));
    }
    for (int i = 0; i < job->count; i++)
        sh->stage_status[i] = exit_status_of(job->list[i].status);
    sh->stage_count = job->count;
}

int job_foreground(struct shell *sh, struct job *job)
{
    int status;

    job_wait(sh, job);
    status = job_status(sh, job);
    if (job_state(job) == PROCESS_STOPPED && sh->line_run && !sh->subshell)
        signals_stoppable(sh, false); /* another ^Z is meant for the job, and finds it stopped */
    if (job->monitored && sh->terminal >= 0)
        take_terminal_back(sh, job, status);
    if (job_state(job) == PROCESS_STOPPED) {
        if (rest_split(sh, &job, &status))
            sh->line_left = true;
        else if (sh->forked)
            return status; /* we are the rest, and the job is over */
        job_tell_stopped(sh, job);
        return status;
    }
    tell_signal(sh, job);
    /* The keyboard's signal went to the job alone, and is meant for the line. */
    if (job->monitored && sh->line_run && is_interactive(sh) && status == 128 + SIGINT &&
        WIFSIGNALED(job->list[job->count - 1].status) && !trap_action(sh, SIGINT))
        sh->line_left = true;
    keep_statuses(sh, job);
    if (job->times)
        times_tell_stages(sh, job);
    job_free(sh, job);
    return status;
}

void job_enter(struct shell *sh, struct job *job, const struct node *node)
{
    struct buf text = {0};

    print_node(&text, node);
    job->text = buf_take(&text);
    job->background = true;
    job_number(sh, job);
    /* A stopped job stays the current one. */
    for (struct job *other = sh->jobs; other; other = other->next)
        if (other != job && other->number && job_state(other) == PROCESS_STOPPED)
            other->turn = next_turn(sh);
}

/* Keys that came while the terminal was still the shell's are meant for the job that it is given to. */
static void pass_keys(struct shell *sh, const struct job *job)
{
    static const int keys[] = {SIGINT, SIGTSTP};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!is_interactive(sh) || !signals_seen[keys[i]] || trap_action(sh, keys[i]))
            continue;
        signals_seen[keys[i]] = 0;
        kill(-job->group, keys[i]);
    }
}

int job_continue(struct shell *sh, struct job *job, bool foreground)
{
    job->background = !foreground;
    job->turn = next_turn(sh);
    if (foreground && sh->terminal >= 0) {
        terminal_give(sh, job->group);
        if (job->has_modes)
            terminal_set(sh, &job->modes);
    }
    for (int i = 0; i < job->count; i++)
        if (job->list[i].state == PROCESS_STOPPED)
            job->list[i].state = PROCESS_RUNNING;
    job->changed = false;
    /* At least one member is not reaped, or the job would have ended: the group is ours. */
    if (kill(-job->group, SIGCONT) && errno != ESRCH)
        complain(sh, "cannot continue the job: %s", strerror(errno));
    if (foreground && sh->terminal >= 0)
        pass_keys(sh, job);
    return foreground ? job_foreground(sh, job) : 0;
}
