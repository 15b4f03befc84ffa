/* SPDX-License-Identifier: MIT */
/* The built-in utilities, and what they may ask the shell. */
#include "core/jobs.h"
#include "core/redir.h"
#include "intrinsics/intrinsics.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* In order of their names: found by halving. */
static const struct builtin table[] = {
    {".", intrinsic_dot, BUILTIN_SPECIAL},
    {":", builtin_colon, BUILTIN_SPECIAL},
    {"[", builtin_test, BUILTIN_PURE | BUILTIN_SEARCHED},
    {"alias", intrinsic_alias, 0},
    {"bg", intrinsic_bg, BUILTIN_FOREVER},
    {"bind", intrinsic_bind, 0},
    {"break", intrinsic_break, BUILTIN_SPECIAL},
    {"cd", intrinsic_cd, 0},
    {"command", intrinsic_command, 0},
    {"complete", intrinsic_complete, 0},
    {"continue", intrinsic_break, BUILTIN_SPECIAL},
    {"declare", intrinsic_declare, 0},
    {"disown", intrinsic_disown, 0},
    {"echo", builtin_echo, BUILTIN_PURE | BUILTIN_SEARCHED},
    {"eval", intrinsic_eval, BUILTIN_SPECIAL},
    {"exec", intrinsic_exec, BUILTIN_SPECIAL | BUILTIN_FOREVER},
    {"exit", intrinsic_exit, BUILTIN_SPECIAL},
    {"export", intrinsic_export, BUILTIN_SPECIAL},
    {"false", builtin_false, BUILTIN_PURE},
    {"fc", intrinsic_fc, 0},
    {"fg", intrinsic_fg, BUILTIN_FOREVER},
    {"getopts", intrinsic_getopts, 0},
    {"hash", intrinsic_hash, 0},
    {"help", intrinsic_help, BUILTIN_PURE},
    {"history", intrinsic_history, 0},
    {"jobs", intrinsic_jobs, 0},
    {"kill", builtin_kill, BUILTIN_FOREVER},
    {"local", intrinsic_local, 0},
    {"printf", builtin_printf, BUILTIN_PURE | BUILTIN_SEARCHED},
    {"pwd", builtin_pwd, BUILTIN_PURE},
    {"read", intrinsic_read, 0},
    {"readonly", intrinsic_export, BUILTIN_SPECIAL},
    {"return", intrinsic_return, BUILTIN_SPECIAL},
    {"set", intrinsic_set, BUILTIN_SPECIAL},
    {"shift", intrinsic_shift, BUILTIN_SPECIAL},
    {"suspend", intrinsic_suspend, BUILTIN_FOREVER},
    {"test", builtin_test, BUILTIN_PURE | BUILTIN_SEARCHED},
    {"times", builtin_times, BUILTIN_SPECIAL},
    {"trap", intrinsic_trap, BUILTIN_SPECIAL},
    {"true", builtin_true, BUILTIN_PURE},
    {"type", intrinsic_type, 0},
    {"typeset", intrinsic_declare, 0},
    {"ulimit", builtin_ulimit, BUILTIN_FOREVER},
    {"umask", intrinsic_umask, 0},
    {"unalias", intrinsic_unalias, 0},
    {"unset", intrinsic_unset, BUILTIN_SPECIAL},
    {"wait", intrinsic_wait, BUILTIN_FOREVER},
};

const struct builtin *builtin_table(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}

const struct builtin *builtin_find(const char *name)
{
    size_t low = 0, high = sizeof table / sizeof *table;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = strcmp(name, table[middle].name);

        if (order == 0)
            return &table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int intrinsic_fail(struct shell *sh, int status, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) >= 0) {
        complain(sh, "%s", text);
        free(text);
    }
    va_end(args);
    sh->flow = FLOW_FAULT;
    return status;
}

int intrinsic_usage(struct shell *sh, const char *name, const struct builtin_options *o)
{
    return intrinsic_fail(sh, BUILTIN_USAGE, "%s: -%c: unknown option", name,
                          o->value ? *o->value : '?');
}

long intrinsic_number(const char *text)
{
    char *end;
    long value;

    if (*text < '0' || *text > '9')
        return -1;
    errno = 0;
    value = strtol(text, &end, 10);
    return *end || errno ? -1 : value;
}

/* --- What the leaf built-ins ask ------------------------------------------------------------- */

static int host_job(void *shell, const char *spec, pid_t *pid)
{
    const char *why;
    const struct job *job;

    jobs_look(shell);
    job = job_find(shell, spec, &why);
    if (!job || job_state(job) == PROCESS_ENDED) /* its number may be another's now */
        return -ESRCH;
    *pid = job->monitored ? -job->group : job->list[0].pid;
    return 0;
}

/* A stopped job that is to end must run to hear of it. */
static void host_signalled(void *shell, const char *spec, int signo)
{
    const char *why;
    struct job *const job = job_find(shell, spec, &why);

    if (job && job->monitored && job_state(job) == PROCESS_STOPPED &&
        (signo == SIGTERM || signo == SIGHUP))
        kill(-job->group, SIGCONT);
}

static int host_fd(void *shell, int fd)
{
    struct shell *const sh = shell;

    return (fd == STDOUT_FILENO && sh->capture) || fd_is_ours(sh, fd) ? -1 : fd;
}

static const char *host_variable(void *shell, const char *name)
{
    return variable_get(shell, name);
}

const struct builtin_host shell_builtin_host = {
    .job = host_job, .signalled = host_signalled, .fd = host_fd, .variable = host_variable};
