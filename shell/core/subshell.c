/* SPDX-License-Identifier: MIT */
/* Subshells in this process, and their becoming real (see shell.h). */
#include "core/jobs.h"
#include "core/traps.h"
#include "core/vars.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bool in_virtual_subshell(const struct shell *sh)
{
    return sh->subshell && !sh->subshell->real;
}

void subshell_enter(struct shell *sh, struct subshell *sub)
{
    *sub = (struct subshell){.outer = sh->subshell,
                             .journal = sh->journal_count,
                             .options = sh->options,
                             .arguments = sh->arguments,
                             .directory = -1,
                             .capture = sh->capture,
                             .functions = sh->functions,
                             .loops = sh->loops,
                             .dots = sh->dots,
                             .in_trap = sh->in_trap};
    sh->arguments->references++;
    sh->subshell = sub;
    sh->scope++;
    sh->loops = 0;
    sh->in_trap = false;
}

void subshell_leave(struct shell *sh, struct subshell *sub)
{
    journal_unwind(sh, sub->journal);
    sh->scope--;
    sh->stage_count = 0;
    sh->subshell = sub->outer;
    if ((sh->options ^ sub->options) >> OPTION_POSIX & 1)
        sh->generation++;
    sh->options = sub->options;
    sh->capture = sub->capture;
    sh->functions = sub->functions;
    sh->loops = sub->loops;
    sh->dots = sub->dots;
    sh->in_trap = sub->in_trap;
    arguments_drop(sh->arguments);
    sh->arguments = sub->arguments;
    if (sub->directory >= 0) {
        if (fchdir(sub->directory))
            complain(sh, "cannot go back to the working directory: %s", strerror(errno));
        close(sub->directory);
    }
    if (sub->mask_saved)
        umask(sub->mask);
}

enum flow subshell_save_directory(struct shell *sh)
{
    if (!in_virtual_subshell(sh) || sh->subshell->directory >= 0)
        return FLOW_NEXT;
    sh->subshell->directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (sh->subshell->directory < 0)
        return subshell_become_real(sh);
    if (sh->subshell->directory < 10)
        sh->subshell->directory = fcntl(sh->subshell->directory, F_DUPFD_CLOEXEC, 10);
    return FLOW_NEXT;
}

void subshell_in_child(struct shell *sh, bool job_control)
{
    sh->forked = true;
    sh->forks++;
    sh->subshell = NULL;
    /* The scope stays: variables remember the one they were kept for. */
    sh->capture = NULL;
    buf_cut(&sh->out.text, 0);
    if (!job_control)
        sh->options &= ~(1u << OPTION_MONITOR);
    jobs_inherit(sh);
    traps_in_child(sh, true);
}

static void read_all(struct shell *sh, int fd, struct out *to)
{
    char block[8192];

    (void)sh;
    for (;;) {
        const ssize_t n = read(fd, block, sizeof block);

        if (n > 0)
            out_write(to, block, (size_t)n);
        else if (n == 0 || errno != EINTR)
            return;
    }
}

void capture_from(struct shell *sh, int fd);

void capture_from(struct shell *sh, int fd)
{
    read_all(sh, fd, sh->capture);
}

enum flow subshell_become_real(struct shell *sh)
{
    struct subshell *const sub = sh->subshell;
    int ends[2] = {-1, -1}, status;
    pid_t pid;

    if (!in_virtual_subshell(sh))
        return FLOW_NEXT;
    if (sh->capture && pipe2(ends, O_CLOEXEC)) {
        complain(sh, "pipe: %s", strerror(errno));
        return FLOW_ERROR;
    }
    out_flush(&sh->err);
    reader_settle(sh);
    pid = fork();
    if (pid == 0) {
        const uint32_t scope = sh->scope;

        if (ends[1] >= 0)
            dup2(ends[1], STDOUT_FILENO);
        subshell_in_child(sh, false);
        sub->real = true;
        sh->subshell = sub;
        sh->scope = scope;
        return FLOW_NEXT;
    }
    if (ends[1] >= 0)
        close(ends[1]);
    if (pid < 0) {
        complain(sh, "fork: %s", strerror(errno));
        if (ends[0] >= 0)
            close(ends[0]);
        sh->status = 2;
        return FLOW_ERROR;
    }
    if (ends[0] >= 0) {
        capture_from(sh, ends[0]);
        close(ends[0]);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sh->status = exit_status_of(status);
    sh->handed_over = true;
    return FLOW_EXIT;
}

void leave_process(struct shell *sh, enum flow flow)
{
    if (flow == FLOW_ERROR && sh->status == 0)
        sh->status = 2;
    sh->subshell = NULL;
    reader_settle(sh);
    traps_exit(sh);
    out_flush(&sh->out);
    out_flush(&sh->err);
    _exit(sh->status & 0xff);
}

/* What a subshell's end means to the shell around it. */
static enum flow end_of(struct shell *sh, struct subshell *sub, enum flow flow)
{
    if ((flow == FLOW_ERROR || flow == FLOW_FAULT) && sh->status == 0)
        sh->status = 2;
    if (sub->real)
        leave_process(sh, flow);
    subshell_leave(sh, sub);
    sh->handed_over = false;
    return FLOW_NEXT;
}

static enum flow fork_subshell(struct shell *sh, const struct list *list, unsigned flags)
{
    struct job *job = job_new(sh, 1, option_on(sh, OPTION_MONITOR));
    pid_t pid = job_fork(sh, job, true);

    if (pid == 0) {
        subshell_in_child(sh, false);
        leave_process(sh, run_list(sh, list, (flags & (RUN_TESTED | RUN_WITHIN)) | RUN_LAST));
    }
    if (pid < 0) {
        job_free(sh, job);
        sh->status = 2;
        return FLOW_ERROR;
    }
    job->text = NULL;
    sh->status = job_foreground(sh, job);
    return sh->line_left ? FLOW_ERROR : FLOW_NEXT;
}

enum flow run_subshell(struct shell *sh, const struct list *list, unsigned flags)
{
    struct subshell sub;
    enum flow flow;

    if (sh->forked && flags & RUN_LAST && !traps_forbid_exec(sh) && !in_virtual_subshell(sh)) {
        /* This process has nothing else to do: be the subshell. */
        traps_in_child(sh, true);
        leave_process(sh, run_list(sh, list, flags));
    }
    if (sh->fork_always || option_on(sh, OPTION_MONITOR)) {
        flow = subshell_become_real(sh);
        return flow == FLOW_NEXT ? fork_subshell(sh, list, flags) : flow;
    }
    subshell_enter(sh, &sub);
    flow = run_list(sh, list, (flags & (RUN_TESTED | RUN_WITHIN)) | RUN_LAST);
    return end_of(sh, &sub, flow);
}

/* --- Command substitution ---------------------------------------------------------------------- */

/* With aliases about, the commands are what they make of its text, line by line. */
static enum flow run_commands(struct shell *sh, const struct program *program)
{
    struct input input = {.name = program->file, .line = program->at.line};
    enum flow flow;

    if (!program->text || (!sh->aliases.count && !program->may_alias))
        return run_list(sh, program->list, RUN_LAST);
    buf_add(&input.text, program->text, program->length);
    flow = run_input(sh, &input, RUN_LAST);
    buf_free(&input.text);
    return flow;
}

static enum flow fork_substitution(struct shell *sh, const struct program *program,
                                   struct out *capture)
{
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC)) {
        complain(sh, "pipe: %s", strerror(errno));
        return FLOW_ERROR;
    }
    out_flush(&sh->err);
    reader_settle(sh);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        subshell_in_child(sh, false);
        sh->loops = 0;
        leave_process(sh, run_commands(sh, program));
    }
    close(ends[1]);
    if (pid > 0)
        read_all(sh, ends[0], capture);
    close(ends[0]);
    if (pid < 0) {
        complain(sh, "fork: %s", strerror(errno));
        return FLOW_ERROR;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sh->status = exit_status_of(status);
    return FLOW_NEXT;
}

enum flow run_substitution(struct shell *sh, const struct program *program, char **text,
                           size_t *length)
{
    struct out capture = {.fd = OUT_MEMORY};
    const bool failed = sh->substitution_failed; /* one before, in the same command */
    enum flow flow;
    size_t to = 0;

    const bool unstoppable = sh->unstoppable;

    if (!program->list->items)
        sh->status = 0;
    signals_stoppable(sh, false);
    if (sh->fork_always) {
        flow = fork_substitution(sh, program, &capture);
    } else {
        struct subshell sub;

        subshell_enter(sh, &sub);
        sh->capture = &capture;
        sh->options &= ~(1u << OPTION_MONITOR);
        flow = end_of(sh, &sub, run_commands(sh, program));
    }
    signals_stoppable(sh, !unstoppable);
    sh->substituted = true;
    sh->substitution_failed = failed || sh->status;
    *text = arena_alloc(&sh->arena, capture.text.len + 1);
    for (size_t i = 0; i < capture.text.len; i++)
        if (capture.text.data[i])
            (*text)[to++] = capture.text.data[i];
    while (to && (*text)[to - 1] == '\n')
        to--;
    (*text)[to] = '\0';
    *length = to;
    out_free(&capture);
    return flow;
}
