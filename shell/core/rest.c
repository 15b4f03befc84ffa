/* SPDX-License-Identifier: MIT */
/*
 * Stopping a line of several commands. When the keyboard stops one of them, what is left of the line (of a function,
 * a loop, an and-or list) must neither run now nor be lost. The shell forks: the copy joins the job's process group,
 * stopped like the others, and has the rest of the line before it on its stack; the shell itself goes back to its
 * prompt. The copy is no parent of the stopped processes, so the shell tells it how they ended.
 *
 * So fg, bg, kill, ^Z and ^C work on such a line as on any job; what the rest changes in variables is lost, as in a
 * subshell.
 */
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct node *line_node(const struct shell *sh)
{
    const struct list *const list = sh->line_run->list;

    return list->items->next || list->items->background ? &list->node : list->items->command;
}

/* Whether something would follow the command that runs. */
static bool is_something_left(const struct shell *sh)
{
    const struct node *node = line_node(sh);

    if (sh->running != sh->line_run || sh->functions)
        return true;
    if (node->kind == NODE_PIPELINE) {
        const struct pipeline *const pipeline = (const struct pipeline *)node;

        if (pipeline->negated)
            return true;
        if (pipeline->count > 1)
            return false;
        node = pipeline->stages[0];
    }
    return node->kind != NODE_SIMPLE && node->kind != NODE_SUBSHELL;
}

static void set_text(struct shell *sh, struct job *job)
{
    struct buf text = {0};

    print_node(&text, line_node(sh));
    free(job->text);
    job->text = buf_take(&text);
}

/* A job has room for the processes it began with. */
static struct job *make_room(struct shell *sh, struct job *job)
{
    struct job **link = &sh->jobs;
    struct job *const larger =
        realloc(job, sizeof *job + (size_t)(job->count + 1) * sizeof(struct process));

    if (!larger)
        return NULL;
    while (*link != job)
        link = &(*link)->next;
    *link = larger;
    if (larger->times) {
        larger->times =
            must_realloc(larger->times, (size_t)(larger->count + 1) * sizeof(*larger->times));
        memset(&larger->times[larger->count], 0, sizeof(*larger->times));
    }
    return larger;
}

/* In the copy: as stopped as the others; then it is the shell of what is left. */
static void become_rest(struct shell *sh)
{
    const uint32_t scope = sh->scope;

    sh->unstoppable = false;
    subshell_in_child(sh, false);
    sh->scope = scope;
    kill(getpid(), SIGSTOP);
}

/* So that nobody continues it before. It may also have been killed meanwhile. */
static void await_stop(struct process *process, int status)
{
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)process->pid, &info, WSTOPPED | WEXITED | WNOWAIT) && errno == EINTR)
        ;
    if (info.si_code == CLD_STOPPED)
        waitid(P_PID, (id_t)process->pid, &info, WSTOPPED | WNOHANG);
    process->state = PROCESS_STOPPED;
    process->status = status;
}

static int read_status(int fd)
{
    int status;
    ssize_t n;

    do
        n = recv(fd, &status, sizeof status, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof status) /* the shell is gone */
        _exit(128 + SIGHUP);
    close(fd);
    return status;
}

bool rest_split(struct shell *sh, struct job **at, int *status)
{
    struct job *job = *at;
    int ends[2], stop = 0;

    if (!is_interactive(sh) || !sh->line_run || sh->subshell || !is_something_left(sh))
        return false;
    job = make_room(sh, job);
    if (!job || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        complain(sh, "the rest of the line is dropped: %s", strerror(errno));
        return true;
    }
    *at = job;
    for (int i = 0; i < job->count && !stop; i++)
        stop = job->list[i].state == PROCESS_STOPPED ? job->list[i].status : 0;
    switch (job_fork(sh, job, false)) {
    case 0:
        close(ends[1]);
        become_rest(sh);
        *status = read_status(ends[0]);
        return false;
    case -1:
        close(ends[1]);
        break;
    default:
        job->list[job->count - 1].feed = fd_move_up(ends[1]);
        job->list[job->count - 1].rest = true;
        await_stop(&job->list[job->count - 1], stop);
        if (!job->number) /* or it was continued by this line, and keeps its name */
            set_text(sh, job);
    }
    close(ends[0]);
    return true;
}

enum flow rest_stop(struct shell *sh)
{
    struct job *job;

    if (!sh->line_run || sh->subshell || sh->unstoppable || !option_on(sh, OPTION_MONITOR))
        return FLOW_NEXT;
    job = job_new(sh, 1, true);
    switch (job_fork(sh, job, false)) {
    case 0:
        become_rest(sh);
        return FLOW_NEXT;
    case -1:
        job_free(sh, job);
        return FLOW_NEXT;
    default:
        job->list[0].rest = true;
        await_stop(&job->list[0], SIGTSTP << 8 | 0x7f);
        set_text(sh, job);
        job_tell_stopped(sh, job);
        sh->status = 128 + SIGTSTP;
        sh->line_left = true;
        return FLOW_ERROR;
    }
}

void rest_feed(struct shell *sh, struct job *job)
{
    for (int i = 0; i < job->count; i++) {
        struct process *const process = &job->list[i];
        int status;

        if (process->feed >= 0 && i > 0) {
            status = job_status_of_first(sh, job, i);
            send(process->feed, &status, sizeof status, MSG_NOSIGNAL);
            close(process->feed);
            process->feed = -1;
        }
        if (process->state != PROCESS_ENDED)
            return;
    }
}
