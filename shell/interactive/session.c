/* SPDX-License-Identifier: MIT */
#include "interactive/session.h"

#include "core/jobs.h"
#include "core/traps.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* After a command that ran this long the terminal is rung: one looks elsewhere meanwhile. */
#define LONG_MS 10000
/* The branch may take this long before the prompt comes without it. */
#define BRANCH_MS 50

static const char default_prompt[] =
    "\\[\\e[1;34m\\]\\w\\[\\e[m\\]\\[\\e[90m\\]\\g\\[\\e[m\\] \\$ ";
static const char default_right[] = "\\R";

static int64_t milliseconds_since(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

/* --- What the editor asks ------------------------------------------------------------------------------------------- */

static const char *old_line(void *ctx, size_t back)
{
    struct session *const s = ctx;
    const struct history_entry *const entry = history_back(s->history, back);

    return entry ? entry->text : NULL;
}

static size_t numbered(void *ctx, size_t number)
{
    struct session *const s = ctx;

    return history_steps(s->history, number - 1);
}

static const char *suggest(void *ctx, const char *text, size_t len)
{
    struct session *const s = ctx;
    const struct history_entry *const entry = history_beginning(s->history, text, len);

    return entry ? entry->text + len : NULL;
}

static const char *macro(void *ctx, char letter)
{
    struct session *const s = ctx;
    const char name[] = {'_', letter, '\0'};
    const struct alias *const alias = alias_find(s->sh, name);

    return alias ? alias->value : NULL;
}

static char *read_file(const char *path)
{
    FILE *const file = fopen(path, "re");
    struct buf text = {0};
    int c;

    if (!file)
        return NULL;
    while ((c = getc(file)) != EOF)
        if (c != '\0')
            buf_addc(&text, (char)c);
    fclose(file);
    while (text.len && text.data[text.len - 1] == '\n')
        buf_cut(&text, text.len - 1);
    return buf_take(&text);
}

/* Runs $VISUAL, $EDITOR or vi on the line, as a command of the shell. */
static char *edit_elsewhere(void *ctx, const char *text)
{
    struct session *const s = ctx;
    const char *program = variable_get(s->sh, "VISUAL");
    char path[] = "/tmp/r3sh-line-XXXXXX", *edited = NULL;
    const int fd = mkstemp(path);
    struct buf command = {0};
    const size_t len = strlen(text);

    if (fd < 0)
        return NULL;
    if (!program)
        program = variable_get(s->sh, "EDITOR");
    buf_addf(&command, "%s %s", program ? program : "vi", path);
    if (write(fd, text, len) == (ssize_t)len && write(fd, "\n", 1) == 1) {
        const int status = s->sh->status;

        edit_leave(s->edit, &s->terminal);
        run_text(s->sh, "edit", command.data, command.len, 0);
        edit_return(s->edit, &s->terminal);
        if (s->sh->status == 0)
            edited = read_file(path);
        s->sh->status = status;
    }
    close(fd);
    unlink(path);
    buf_free(&command);
    return edited;
}

/* A key bound to a command of the shell: it runs below the line, which then comes back. */
static bool run_bound(void *ctx, struct edit *e, const char *name)
{
    struct session *const s = ctx;
    const int status = s->sh->status;

    edit_leave(e, &s->terminal);
    run_text(s->sh, "bind", name, strlen(name), 0);
    out_flush(&s->sh->out);
    edit_return(e, &s->terminal);
    s->sh->status = status;
    return true;
}

/* --- Waiting -------------------------------------------------------------------------------------------------------- */

static char *current_prompt(struct session *s, bool continued)
{
    const char *const text = variable_get(s->sh, continued ? "PS2" : "PS1");

    return prompt_text(s, text ? text : "");
}

static char *right_prompt(struct session *s)
{
    const char *const text = variable_get(s->sh, "RPS1");

    return text && *text ? prompt_text(s, text) : NULL;
}

/* Under set -b what became of jobs is told at once. */
static void tell_of_jobs(struct session *s, struct edit *e)
{
    struct shell *const sh = s->sh;
    bool news = false;

    jobs_look(sh);
    for (const struct job *job = sh->jobs; job; job = job->next)
        news = news || (job->changed && job->number);
    if (!news || !option_on(sh, OPTION_NOTIFY))
        return;
    edit_leave(e, &s->terminal);
    jobs_notify(sh);
    out_flush(&sh->err);
    edit_return(e, &s->terminal);
}

/* Signals came: traps run. */
static int hear_signals(struct session *s, struct edit *e)
{
    struct shell *const sh = s->sh;
    const bool shows = traps_pending(sh) || signals_seen[SIGHUP];
    enum flow flow;

    if (shows)
        edit_leave(e, &s->terminal);
    flow = traps_run(sh);
    out_flush(&sh->out);
    if (shows)
        edit_return(e, &s->terminal);
    if (flow != FLOW_EXIT)
        return -EINTR;
    sh->flow = FLOW_EXIT;
    return -ECANCELED;
}

static void wake_up(int signo)
{
    (void)signo;
}

/* Sleeps until there is input or a signal, children's among them; all signals are blocked outside. */
static int sleep_for(struct session *s, struct pollfd wait[2], int milliseconds,
                     const sigset_t *outside)
{
    const struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    sigset_t mask = *outside;
    struct sigaction before;
    int n;

    sigaction(SIGCHLD, NULL, &before);
    if (before.sa_handler == SIG_DFL) {
        const struct sigaction wake = {.sa_handler = wake_up};

        sigaction(SIGCHLD, &wake, NULL);
    }
    sigdelset(&mask, SIGCHLD);
    n = ppoll(wait, s->branch_fd >= 0 ? 2 : 1, milliseconds < 0 ? NULL : &limit, &mask);
    n = n < 0 ? -errno : n;
    sigaction(SIGCHLD, &before, NULL);
    return n;
}

static int wait_for_keys(void *ctx, struct edit *e, int fd, int milliseconds)
{
    struct session *const s = ctx;
    struct pollfd wait[2] = {{fd, POLLIN, 0}, {s->branch_fd, POLLIN, 0}};
    sigset_t before;
    int n;

    signals_block(&before);
    tell_of_jobs(s, e);
    n = signals_any ? -EINTR : sleep_for(s, wait, milliseconds, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (n < 0)
        return n == -EINTR ? hear_signals(s, e) : n;
    if (n > 0 && s->branch_fd >= 0 && wait[1].revents && prompt_branch_came(s))
        edit_set_prompt(e, current_prompt(s, false), right_prompt(s));
    return n > 0 && wait[0].revents ? 1 : n > 0 ? -EINTR : 0;
}

/* --- Lines ---------------------------------------------------------------------------------------------------------- */

static void write_marks(struct session *s, const char *what)
{
    if (s->marks && write(STDERR_FILENO, what, strlen(what)) < 0)
        s->marks = false;
}

/* The command that ran is over: its end is recorded, and the terminal told. */
static void note_end(struct session *s)
{
    char mark[32];

    s->status = s->sh->status;
    if (!s->sequence)
        return;
    s->milliseconds = milliseconds_since(&s->began);
    history_done(s->history, (uint32_t)s->sequence, s->status, s->milliseconds);
    s->sequence = 0;
    snprintf(mark, sizeof mark, "\033]133;D;%d\a", s->status);
    write_marks(s, mark);
    if (s->milliseconds >= LONG_MS)
        write_marks(s, "\a");
}

/* OSC 7: where we are, so that a new window opens there. */
static void tell_directory(struct session *s)
{
    const char *const pwd = variable_get(s->sh, "PWD");
    struct buf mark = {0}, shown = {0};
    char host[256] = "";

    if (!pwd || !s->marks)
        return;
    gethostname(host, sizeof host - 1);
    buf_addf(&mark, "\033]7;file://%s", host);
    for (const char *c = pwd; *c; c++) {
        if ((unsigned char)*c <= 32 || (unsigned char)*c >= 127 || *c == '%')
            buf_addf(&mark, "%%%02X", (unsigned char)*c);
        else
            buf_addc(&mark, *c);
    }
    prompt_directory(s->sh, &shown);
    for (size_t i = 0; i < shown.len; i++)
        if ((unsigned char)shown.data[i] < 32)
            shown.data[i] = '?';
    buf_addf(&mark, "\a\033]0;%s\a", buf_str(&shown));
    write_marks(s, buf_str(&mark));
    buf_free(&mark);
    buf_free(&shown);
}

static void record(struct session *s, const char *line)
{
    const char *const pwd = variable_get(s->sh, "PWD");
    const struct history_entry *const last = history_back(s->history, 1);
    int64_t sequence;

    if (!line[strspn(line, " \t\n")] || *line == ' ') /* a leading blank keeps it out */
        return;
    if (last && strcmp(last->text, line) == 0 && last->status == 0 && s->status == 0 &&
        s->milliseconds >= 0)
        return; /* the same once more */
    sequence = history_add(s->history, line, pwd ? pwd : "", time(NULL));
    s->sequence = sequence > 0 ? sequence : 0;
}

static bool shows_branch(struct session *s)
{
    const char *const text = variable_get(s->sh, "PS1");

    return text && strstr(text, "\\g") && !in_posix_mode(s->sh);
}

static char *begin_prompt(struct session *s, bool continued)
{
    struct buf prompt = {0};
    char *text;

    if (!continued && shows_branch(s))
        prompt_look_for_branch(s, BRANCH_MS);
    text = current_prompt(s, continued);
    if (!s->marks || continued)
        return text;
    buf_addf(&prompt, "\033]133;A\a%s\033]133;B\a", text);
    text = arena_copy(&s->sh->arena, buf_str(&prompt), prompt.len);
    buf_free(&prompt);
    return text;
}

ssize_t session_read(struct session *s, struct buf *text, bool continued)
{
    struct shell *const sh = s->sh;
    const struct arena_mark mark = arena_mark(&sh->arena);
    ssize_t result = 0;
    int state;

    if (!continued) {
        note_end(s);
        jobs_look(sh);
        jobs_notify(sh);
        history_refresh(s->history);
        tell_directory(s);
    }
    out_flush(&sh->err);
    locale_need(sh);
    edit_set_mode(s->edit, option_on(sh, OPTION_VI) ? EDIT_VI : EDIT_EMACS);
    state = edit_read(s->edit, &s->terminal, begin_prompt(s, continued),
                      continued ? NULL : right_prompt(s));
    prompt_forget_branch(s);
    arena_release(&sh->arena, mark);
    if (state == EDIT_LINE) {
        if (!continued)
            record(s, edit_text(s->edit));
        buf_add(text, edit_text(s->edit), edit_length(s->edit));
        buf_addc(text, '\n');
        result = (ssize_t)edit_length(s->edit) + 1;
        clock_gettime(CLOCK_MONOTONIC, &s->began);
        write_marks(s, "\033]133;C\a");
    } else if (state == EDIT_INTERRUPTED) {
        sh->status = 128 + SIGINT;
        result = -EINTR;
    } else if (state < 0 && state != -ECANCELED) {
        result = state;
    }
    return result;
}

/* --- Beginning and end ---------------------------------------------------------------------------------------------- */

static struct history *open_history(struct shell *sh)
{
    const char *const file = variable_get(sh, "HISTFILE"), *const home = variable_value(sh->home);
    char path[4096];

    if (file)
        return history_open(*file ? file : NULL);
    if (!home || (size_t)snprintf(path, sizeof path, "%s/.r3sh_history", home) >= sizeof path)
        return history_open(NULL);
    return history_open(path);
}

static void set_prompts(struct shell *sh)
{
    const char *const prompt = variable_get(sh, "PS1");

    if (in_posix_mode(sh))
        return;
    if (!prompt || strcmp(prompt, "$ ") == 0 || strcmp(prompt, "# ") == 0)
        variable_set_name(sh, "PS1", default_prompt);
    if (!variable_get(sh, "RPS1"))
        variable_set_name(sh, "RPS1", default_right);
}

void session_start(struct shell *sh)
{
    static const struct edit_host host = {
        .is_complete = session_is_complete,
        .highlight = session_highlight,
        .complete = session_complete,
        .suggest = suggest,
        .history = old_line,
        .numbered = numbered,
        .edit_elsewhere = edit_elsewhere,
        .macro = macro,
        .command = run_bound,
    };
    const char *const term = variable_get(sh, "TERM");
    struct session *s;

    if (!is_interactive(sh) || sh->session || !edit_usable(STDIN_FILENO, STDERR_FILENO, term))
        return;
    s = calloc(1, sizeof *s);
    if (!s)
        return;
    s->sh = sh;
    s->terminal = (struct edit_terminal){
        .in = STDIN_FILENO, .out = STDERR_FILENO, .wait = wait_for_keys, .ctx = s};
    s->branch_fd = -1;
    s->milliseconds = -1;
    s->marks = strcmp(term, "linux") != 0;
    s->edit = edit_new(&host, s);
    s->history = history_open(NULL);
    if (!s->edit || !s->history) {
        edit_free(s->edit);
        history_close(s->history);
        free(s);
        return;
    }
    sh->session = s;
    set_prompts(sh);
}

void session_ready(struct shell *sh)
{
    struct session *const s = sh->session;
    struct history *const history = s ? open_history(sh) : NULL;

    if (!history)
        return;
    history_close(s->history);
    s->history = history;
}

void session_end(struct shell *sh)
{
    struct session *const s = sh->session;

    if (!s || sh->forked)
        return;
    note_end(s);
    sh->session = NULL;
    prompt_forget_branch(s);
    edit_free(s->edit);
    history_close(s->history);
    while (s->completions) {
        struct completion *const next = s->completions->next;

        free(s->completions->words);
        free(s->completions->function);
        free(s->completions);
        s->completions = next;
    }
    buf_free(&s->branch);
    free(s);
}
