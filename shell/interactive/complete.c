/* SPDX-License-Identifier: MIT */
/*
 * Completion: commands, built-ins, functions, aliases, variables, users, jobs, options, files, and what
 * `complete` was told. It runs in a worker that has COMPLETION_MS, 50 milliseconds by default (functions 20 times as long), so that no file system makes
 * the prompt wait; what came until then is offered.
 *
 * The worker writes lines: text TAB display TAB description.
 */
#include "core/jobs.h"
#include "interactive/session.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS    50   /* $COMPLETION_MS */
#define FUNCTION_TIMES 20   /* as long, for functions: they run programs */
#define MOST           2000 /* choices; nobody reads more */

struct request {
    struct session *s;
    const char *text;
    size_t cursor;
    struct word_place place;
    struct buf word; /* without its quotes */
    char quote;      /* the one that is still open, or 0 */
    const struct completion *special;
};

struct answer {
    struct request *r;
    struct out out;
    size_t count;
};

/* The word as it will be read, as far as it is text. */
static void unquote(struct request *r)
{
    for (size_t i = r->place.start; i < r->cursor; i++) {
        const char c = r->text[i];

        if (r->quote != '\'' && c == '\\' && i + 1 < r->cursor)
            buf_addc(&r->word, r->text[++i]);
        else if ((c == '\'' || c == '"') && (!r->quote || r->quote == c))
            r->quote = r->quote ? '\0' : c;
        else
            buf_addc(&r->word, c);
    }
}

/* As it must be written, after what is written of it already. */
static void add_quoted(struct buf *to, const struct request *r, const char *text)
{
    const char *special = r->quote == '\''  ? ""
                          : r->quote == '"' ? "\"$`\\"
                                            : " \t'\"\\$`&|;<>()*?[]#~!{}";

    if (r->quote)
        buf_addc(to, r->quote);
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            buf_adds(to, r->quote ? "\n" : "'\n'");
        else if (r->quote == '\'' && *c == '\'')
            buf_adds(to, "'\\''");
        else {
            if (strchr(special, *c) && !(*c == '~' && c == text))
                buf_addc(to, '\\');
            buf_addc(to, *c);
        }
    }
}

static bool fits(const struct request *r, const char *text)
{
    return strncmp(text, buf_str(&r->word), r->word.len) == 0;
}

static void offer_as(struct answer *a, const char *text, const char *display,
                     const char *description)
{
    struct buf quoted = {0};

    if (a->count++ >= MOST)
        return;
    add_quoted(&quoted, a->r, text);
    if (a->r->quote && text[strlen(text) - 1] != '/')
        buf_addc(&quoted, a->r->quote);
    if (!strpbrk(buf_str(&quoted), "\n\t"))
        out_printf(&a->out, "%s\t%s\t%s\n", buf_str(&quoted), display ? display : "",
                   description ? description : "");
    buf_free(&quoted);
}

static void offer(struct answer *a, const char *text, const char *description)
{
    if (*text && fits(a->r, text))
        offer_as(a, text, NULL, description);
}

/* --- Files ------------------------------------------------------------------------------------------------------------ */

/*
 * Users and their homes, from the file: a static program has no other name services. Calls `each` for every user
 * until it returns false.
 */
static void each_user(bool (*each)(void *ctx, const char *name, const char *home), void *ctx)
{
    FILE *const file = fopen("/etc/passwd", "re");
    char line[1024];
    bool more = true;

    while (file && more && fgets(line, sizeof line, file)) {
        char *rest = line, *field[6];
        int n = 0;

        while (n < 6 && (field[n] = strsep(&rest, ":")))
            n++;
        if (n == 6)
            more = each(ctx, field[0], field[5]);
    }
    if (file)
        fclose(file);
}

struct wanted_home {
    const char *user;
    size_t len;
    char *home;
};

static bool is_wanted(void *ctx, const char *name, const char *home)
{
    struct wanted_home *const wanted = ctx;

    if (strlen(name) != wanted->len || memcmp(name, wanted->user, wanted->len) != 0)
        return true;
    wanted->home = strdup(home);
    return false;
}

static char *home_of(struct shell *sh, const char *user, size_t len)
{
    struct wanted_home wanted = {user, len, NULL};

    if (len == 0)
        return variable_value(sh->home) ? strdup(variable_value(sh->home)) : NULL;
    each_user(is_wanted, &wanted);
    return wanted.home;
}

static bool is_directory(const char *directory, const struct dirent *entry)
{
    char path[4096];
    struct stat st;

    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_program(const char *directory, const struct dirent *entry)
{
    char path[4096];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Names in the directory that the word leads to. */
static void offer_files(struct answer *a, bool directories_only, bool programs_only)
{
    const char *const word = buf_str(&a->r->word), *const slash = strrchr(word, '/');
    const char *const name = slash ? slash + 1 : word;
    const size_t name_len = strlen(name);
    struct buf directory = {0}, path = {0};
    const struct dirent *entry;
    char *home = NULL;
    DIR *dir;

    if (word[0] == '~' && slash)
        home = home_of(a->r->s->sh, word + 1, strcspn(word, "/") - 1);
    if (home)
        buf_adds(&directory, home);
    if (slash)
        buf_add(&directory, word + (home ? strcspn(word, "/") : 0),
                (size_t)(slash - word) + 1 - (home ? strcspn(word, "/") : 0));
    dir = opendir(directory.len ? directory.data : ".");
    while (dir && (entry = readdir(dir)) && a->count < MOST) {
        const char *const found = entry->d_name;
        bool is_dir;

        if (strncmp(found, name, name_len) != 0 || (found[0] == '.' && name[0] != '.') ||
            strcmp(found, ".") == 0 || strcmp(found, "..") == 0)
            continue;
        is_dir = is_directory(directory.len ? directory.data : ".", entry);
        if (!is_dir &&
            (directories_only ||
             (programs_only && !is_program(directory.len ? directory.data : ".", entry))))
            continue;
        buf_clear(&path);
        buf_add(&path, word, (size_t)(name - word));
        buf_addf(&path, "%s%s", found, is_dir ? "/" : "");
        offer_as(a, buf_str(&path), path.data + (name - word), NULL);
    }
    if (dir)
        closedir(dir);
    free(home);
    buf_free(&directory);
    buf_free(&path);
}

/* --- Names ------------------------------------------------------------------------------------------------------------ */

static void offer_programs(struct answer *a)
{
    const char *path = variable_value(a->r->s->sh->path);

    while (path && *path) {
        const size_t len = strcspn(path, ":");
        char directory[4096];
        const struct dirent *entry;
        DIR *dir;

        snprintf(directory, sizeof directory, "%.*s", (int)(len ? len : 1), len ? path : ".");
        dir = opendir(directory);
        while (dir && (entry = readdir(dir)))
            if (entry->d_type != DT_DIR && fits(a->r, entry->d_name) &&
                is_program(directory, entry))
                offer(a, entry->d_name, NULL);
        if (dir)
            closedir(dir);
        path += len + (path[len] == ':');
    }
}

static void offer_commands(struct answer *a)
{
    static const char *const words[] = {"if", "while", "until", "for", "case", NULL};
    struct shell *const sh = a->r->s->sh;
    const struct builtin *list;
    size_t count;

    list = builtin_table(&count);
    for (size_t i = 0; i < count; i++)
        offer(a, list[i].name, "built-in");
    for (const char *const *word = words; *word; word++)
        offer(a, *word, "keyword");
    for (uint32_t i = 0; i < sh->function_table.size; i++)
        if (sh->function_table.slots[i])
            offer(a, ((const struct function *)sh->function_table.slots[i])->name, "function");
    for (uint32_t i = 0; i < sh->aliases.size; i++)
        if (sh->aliases.slots[i])
            offer(a, ((const struct alias *)sh->aliases.slots[i])->name, "alias");
    offer_programs(a);
}

/* $na and ${na: the name is what is completed. */
static bool offer_variables(struct answer *a)
{
    struct request *const r = a->r;
    const char *const word = buf_str(&r->word), *const dollar = strrchr(word, '$');
    struct variable **list;
    size_t count, prefix, len;

    if (!dollar || r->quote == '\'')
        return false;
    prefix = (size_t)(dollar - word) + 1 + (dollar[1] == '{');
    len = r->word.len - prefix;
    if (len > 0 && !is_name_text(word + prefix, len))
        return false;
    list = variables_sorted(r->s->sh, &count);
    for (size_t i = 0; list && i < count; i++) {
        const char *const value = variable_value(list[i]);

        if (!value || strncmp(list[i]->name, word + prefix, len) != 0)
            continue;
        /* What stands before the $ is kept as it was written. */
        if (!strpbrk(value, "\n\t") && a->count++ < MOST)
            out_printf(&a->out, "%.*s%s%s\t%s\t%.60s\n", (int)(r->cursor - r->place.start - len),
                       r->text + r->place.start, list[i]->name, dollar[1] == '{' ? "}" : "",
                       list[i]->name, value);
    }
    free(list);
    return true;
}

static bool offer_user(void *ctx, const char *user, const char *home)
{
    struct answer *const a = ctx;
    char name[80];

    snprintf(name, sizeof name, "~%.60s/", user);
    offer(a, name, home);
    return a->count < MOST;
}

static void offer_jobs(struct answer *a)
{
    char name[24];

    for (const struct job *job = a->r->s->sh->jobs; job; job = job->next) {
        if (!job->number)
            continue;
        snprintf(name, sizeof name, "%%%d", job->number);
        if (fits(a->r, name) && job->text && !strpbrk(job->text, "\n\t") && a->count++ < MOST)
            out_printf(&a->out, "%s\t\t%s\n", name, job->text);
    }
}

/* Options, as the command's own --help names them in the man page or nowhere: those it was called with before. */
static void offer_options(struct answer *a, const char *command)
{
    struct history *const h = a->r->s->history;
    const size_t len = strlen(command);
    size_t looked = 0;

    for (size_t back = 1; looked < 5000 && a->count < 40; back++, looked++) {
        const struct history_entry *const entry = history_back(h, back);
        const char *c;

        if (!entry)
            return;
        if (strncmp(entry->text, command, len) != 0 || entry->text[len] != ' ')
            continue;
        for (c = entry->text + len; (c = strstr(c, " -"));) {
            const size_t size = strcspn(c + 1, " \t\n|;&<>()'\"$`");
            char option[64];

            if (size < sizeof option && size > 1) {
                snprintf(option, sizeof option, "%.*s", (int)size, c + 1);
                offer(a, option, "used before");
            }
            c += 1 + size;
        }
    }
}

static void offer_hosts(struct answer *a)
{
    FILE *const file = fopen("/etc/hosts", "re");
    char line[512];

    while (file && fgets(line, sizeof line, file)) {
        char *rest = line, *name;

        line[strcspn(line, "#\n")] = '\0';
        strtok_r(line, " \t", &rest);
        while ((name = strtok_r(NULL, " \t", &rest)))
            offer(a, name, "host");
    }
    if (file)
        fclose(file);
}

/* --- What `complete` was told --------------------------------------------------------------------------------------- */

static void offer_words(struct answer *a, const char *words)
{
    char *const copy = strdup(words);
    char *rest = copy;

    for (char *word; copy && (word = strtok_r(rest, " \t\n", &rest));)
        offer(a, word, NULL);
    free(copy);
}

/* The function prints choices; its arguments are the command, the word and the whole line. */
static void offer_by_function(struct answer *a, const char *function, int out)
{
    struct shell *const sh = a->r->s->sh;
    struct buf call = {0};
    struct out quoted;

    out_init(&quoted, OUT_MEMORY);
    out_puts(&quoted, function);
    out_putc(&quoted, ' ');
    out_quoted(&quoted, a->r->special->command);
    out_putc(&quoted, ' ');
    out_quoted(&quoted, buf_str(&a->r->word));
    out_putc(&quoted, ' ');
    buf_add(&call, a->r->text, a->r->cursor);
    out_quoted(&quoted, buf_str(&call));
    dup2(out, STDOUT_FILENO);
    subshell_in_child(sh, false);
    run_text(sh, "complete", quoted.text.data, quoted.text.len, 0);
    out_flush(&sh->out);
}

static void by_command(struct answer *a, const char *command, int out)
{
    if (a->r->special && a->r->special->function)
        offer_by_function(a, a->r->special->function, out);
    else if (a->r->special)
        offer_words(a, a->r->special->words);
    if (a->r->special)
        return;
    if (buf_str(&a->r->word)[0] == '-')
        offer_options(a, command);
    else if (strcmp(command, "ssh") == 0 || strcmp(command, "ping") == 0 ||
             strcmp(command, "host") == 0)
        offer_hosts(a);
    else
        offer_files(a, strcmp(command, "cd") == 0 || strcmp(command, "rmdir") == 0, false);
}

static void work(void *argument, int out)
{
    struct request *const r = argument;
    struct answer a = {.r = r};
    const char *const word = buf_str(&r->word);
    char command[256] = "";

    out_init(&a.out, out);
    if (r->place.command_end - r->place.command_start < sizeof command)
        memcpy(command, r->text + r->place.command_start,
               r->place.command_end - r->place.command_start);
    if (offer_variables(&a))
        ;
    else if (word[0] == '~' && !strchr(word, '/'))
        each_user(offer_user, &a);
    else if (word[0] == '%' && !r->place.command)
        offer_jobs(&a);
    else if (r->place.redirect)
        offer_files(&a, false, false);
    else if (r->place.command && !strchr(word, '/'))
        offer_commands(&a);
    else if (r->place.command)
        offer_files(&a, false, true);
    else
        by_command(&a, command, out);
    out_flush(&a.out);
}

/* --- The choices, sorted and each once -------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_line(struct edit_candidates *to, char *line, bool plain_word)
{
    char *const display = strchr(line, '\t');
    char *const description = display ? strchr(display + 1, '\t') : NULL;

    if (display)
        *display = '\0';
    if (description)
        *description = '\0';
    if (to->count && strcmp(to->list[to->count - 1].text, line) == 0)
        return;
    if (plain_word) /* printed by a function: text TAB description */
        edit_candidate_add(to, line, NULL, display && display[1] ? display + 1 : NULL);
    else
        edit_candidate_add(to, line, display && display[1] ? display + 1 : NULL,
                           description && description[1] ? description + 1 : NULL);
}

static void take_answer(struct request *r, struct buf *answer, struct edit_candidates *to)
{
    const bool by_function = r->special && r->special->function;
    size_t count = 0, cap = 0;
    char **lines = NULL, *rest = answer->data;

    if (!answer->len)
        return;
    for (char *line; (line = strsep(&rest, "\n")) && rest;) {
        if (count == cap) {
            char **more = realloc(lines, (cap = cap ? cap * 2 : 64) * sizeof *more);

            if (!more)
                break;
            lines = more;
        }
        if (*line && (!by_function || fits(r, line)))
            lines[count++] = line;
    }
    if (count)
        qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count; i++)
        take_line(to, lines[i], by_function);
    free(lines);
}

static int deadline(const struct request *r)
{
    const char *const text = variable_get(r->s->sh, "COMPLETION_MS");
    const int ms = text ? atoi(text) : 0;

    return (ms > 0 && ms < 600000 ? ms : DEADLINE_MS) *
           (r->special && r->special->function ? FUNCTION_TIMES : 1);
}

void session_complete(void *ctx, const char *text, size_t len, size_t cursor,
                      struct edit_candidates *to)
{
    struct request r = {.s = ctx, .text = text, .cursor = cursor};
    struct buf answer = {0};
    pid_t worker;
    int fd;

    (void)len;
    session_find_word(r.s->sh, text, cursor, &r.place);
    unquote(&r);
    for (r.special = r.s->completions; r.special && !r.place.command; r.special = r.special->next)
        if (strlen(r.special->command) == r.place.command_end - r.place.command_start &&
            memcmp(r.special->command, text + r.place.command_start, strlen(r.special->command)) ==
                0)
            break;
    if (r.place.command || r.place.redirect)
        r.special = NULL;
    history_count(r.s->history); /* is read here, not in each worker */
    worker = worker_start(work, &r, &fd);
    if (worker > 0) {
        worker_collect(worker, fd, deadline(&r), &answer);
        take_answer(&r, &answer, to);
    }
    to->start = r.place.start;
    to->end = cursor;
    to->open_ended = to->count == 1 && to->list[0].text[0] &&
                     to->list[0].text[strlen(to->list[0].text) - 1] == '/';
    buf_free(&answer);
    buf_free(&r.word);
}
