/* SPDX-License-Identifier: MIT */
/* Pipelines and background lists (XCU 2.9.2, 2.9.3). */
#include "core/expand.h"
#include "core/jobs.h"
#include "core/traps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

void capture_from(struct shell *sh, int fd);
char **script_arguments(struct shell *sh, char **argv, const char *path);

static void become_stage(int in, int out)
{
    if (in >= 0)
        dup2(in, STDIN_FILENO);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
}

/* The words of a stage can be expanded here: they do nothing and look at nothing but variables. */
static bool is_harmless(struct shell *sh, const struct node *node)
{
    const struct simple *const simple = (const struct simple *)node;

    if (node->kind != NODE_SIMPLE || simple->assignments || !simple->words ||
        option_on(sh, OPTION_XTRACE) || option_on(sh, OPTION_NOUNSET) || sh->fork_always)
        return false;
    for (const struct word *word = simple->words; word; word = word->next)
        if (word->flags & (WORD_EFFECTS | WORD_COMMANDS))
            return false;
    return true;
}

static int start_program(struct shell *sh, struct job *job, const char *path, char **argv,
                         const struct redirect *redirects, int in, int out)
{
    struct stage stage;
    bool started;

    /* What is to have the terminal is forked in any case, and can redirect by itself. */
    if (redirects && job->monitored)
        return 0;
    stage_begin(&stage, in, out);
    started = stage_redirect(sh, &stage, redirects) && !job_start(sh, job, path, argv, &stage);
    stage_end(&stage);
    return started;
}

/* A stage without a copy of the shell: a program is spawned; what a small built-in has to say fits the empty
 * pipe. 1: done; 0: fork it. */
static int start_light(struct shell *sh, struct job *job, const struct node *node, int in, int out)
{
    const struct redirect *const redirects = node->kind == NODE_SIMPLE ? node->redirects : NULL;
    struct fields fields;
    const void *found;
    char **argv;
    enum command_kind kind;

    if (!is_harmless(sh, node))
        return 0;
    fields_begin(&fields, sh);
    for (const struct word *word = ((const struct simple *)node)->words; word; word = word->next)
        if (expand_fields(&fields, word))
            return 0;
    if (!fields.count)
        return 0;
    argv = fields_end(&fields);
    kind = command_look_up(sh, argv[0], &found);
    if (kind == COMMAND_FILE)
        return start_program(sh, job, found, argv, redirects, in, out);
    if (redirects)
        return 0;
    if (kind == COMMAND_BUILTIN && ((const struct builtin *)found)->flags & BUILTIN_PURE &&
        out >= 0 && !job->monitored) {
        struct out memory = {.fd = OUT_MEMORY};
        struct out *const capture = sh->capture;
        bool fits;

        sh->capture = &memory;
        run_builtin(sh, found, fields.count, argv, 0);
        sh->capture = capture;
        fits = memory.text.len <= PIPE_BUF &&
               (!memory.text.len ||
                write(out, memory.text.data, memory.text.len) == (ssize_t)memory.text.len);
        out_free(&memory);
        if (fits)
            job->list[job->count++] = (struct process){
                .pidfd = -1, .feed = -1, .status = sh->status << 8, .state = PROCESS_ENDED};
        return fits;
    }
    return 0;
}

/* A background list without job control does not read the terminal nor hear its keys. */
static void become_background(struct shell *sh, bool monitored, int in)
{
    int null;

    if (monitored)
        return;
    traps_ignore_interrupts(sh);
    if (in >= 0)
        return;
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null > STDIN_FILENO) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
}

static int start_stage(struct shell *sh, struct job *job, const struct node *node, int in, int out,
                       int next, bool background)
{
    const bool monitored = job->monitored;

    pid_t pid;

    if (!background && !job->times && start_light(sh, job, node, in, out))
        return 0;
    pid = job_fork(sh, job, !background);
    if (pid == 0) {
        become_stage(in, out);
        if (next >= 0)
            close(next);
        subshell_in_child(sh, false);
        if (background)
            become_background(sh, monitored, in);
        leave_process(sh, run_node(sh, node, RUN_LAST));
    }
    return pid < 0 ? -1 : 0;
}

/* Start them all. NULL after a message. Captured output is to be read from *output. */
static struct job *start_stages(struct shell *sh, const struct node **stages, int count,
                                bool background, bool timed, int *output)
{
    struct job *const job = job_new(sh, count, option_on(sh, OPTION_MONITOR));
    const int pipes = sh->capture && !background ? count : count - 1;
    bool failed = false;
    int in = -1;

    if (timed) {
        job->times = must_alloc((size_t)count * sizeof(*job->times));
        memset(job->times, 0, (size_t)count * sizeof(*job->times));
    }
    for (int i = 0; i < count && !failed; i++) {
        int ends[2] = {-1, -1};

        if (i < pipes && pipe2(ends, O_CLOEXEC)) {
            complain(sh, "pipe: %s", strerror(errno));
            failed = true;
        } else {
            failed = start_stage(sh, job, stages[i], in, ends[1], ends[0], background) != 0;
        }
        if (in >= 0)
            close(in);
        if (ends[1] >= 0)
            close(ends[1]);
        in = ends[0];
    }
    if (failed) {
        if (in >= 0)
            close(in);
        if (!job->count)
            job_free(sh, job);
        sh->status = 2;
        return NULL;
    }
    *output = in;
    return job;
}

static enum flow run_stages(struct shell *sh, const struct pipeline *pipeline)
{
    int output;
    struct job *const job =
        start_stages(sh, (const struct node **)pipeline->stages, (int)pipeline->count, false,
                     pipeline->timed && !pipeline->plain_times, &output);

    if (!job)
        return FLOW_ERROR;
    if (output >= 0) {
        capture_from(sh, output);
        close(output);
    }
    if (job->monitored) {
        struct buf text = {0};

        print_node(&text, &pipeline->node);
        job->text = buf_take(&text);
    }
    sh->status = job_foreground(sh, job);
    return sh->line_left ? FLOW_ERROR : FLOW_NEXT;
}

static enum flow run_untimed(struct shell *sh, const struct pipeline *pipeline, unsigned flags)
{
    enum flow flow;

    if (pipeline->count == 1) {
        flow = run_node(sh, pipeline->stages[0],
                        pipeline->negated ? (flags & ~RUN_LAST) | RUN_TESTED : flags);
    } else {
        if (in_virtual_subshell(sh) && !(flags & RUN_LAST)) {
            flow = subshell_become_real(sh);
            if (flow != FLOW_NEXT)
                return flow;
        }
        flow = run_stages(sh, pipeline);
    }
    if (pipeline->negated && flow == FLOW_NEXT)
        sh->status = !sh->status;
    return flow;
}

enum flow run_pipeline(struct shell *sh, const struct pipeline *pipeline, unsigned flags)
{
    struct times_mark mark;
    enum flow flow;

    if (!pipeline->timed)
        return run_untimed(sh, pipeline, flags);
    if (in_virtual_subshell(sh)) { /* what runs outside its process would be counted for another */
        flow = subshell_become_real(sh);
        if (flow != FLOW_NEXT)
            return flow;
    }
    times_begin(&mark);
    flow = run_untimed(sh, pipeline, flags & ~RUN_LAST);
    times_tell(sh, &mark, pipeline->plain_times);
    return flow;
}

enum flow run_background(struct shell *sh, const struct node *node)
{
    const struct pipeline *const pipeline = (const struct pipeline *)node;
    const enum flow flow = subshell_become_real(sh);
    const struct node **stages = &node;
    struct job *job;
    int output, count = 1;

    if (flow != FLOW_NEXT)
        return flow;
    jobs_look(sh);
    jobs_prune(sh);
    if (node->kind == NODE_PIPELINE && !pipeline->negated) {
        stages = (const struct node **)pipeline->stages;
        count = (int)pipeline->count;
    }
    job = start_stages(sh, stages, count, true, false, &output);
    if (!job)
        return FLOW_ERROR;
    job_enter(sh, job, node);
    sh->last_background = job->list[job->count - 1].pid;
    if (is_interactive(sh)) {
        out_printf(&sh->err, "[%d] %d\n", job->number, (int)sh->last_background);
        out_flush(&sh->err);
    }
    sh->status = 0;
    return FLOW_NEXT;
}
