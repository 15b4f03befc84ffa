/* SPDX-License-Identifier: MIT */
/*
 * Prompts: the usual backslash escapes first, then expansions as POSIX has them. What an escape stands for
 * is quoted, so that no directory's or branch's name is ever run. In posix mode there are no escapes, and !
 * is the number of the next command.
 *
 *     \u user  \h host  \w directory  \W its last part  \$ # for root  \t \T \@ \A times  \d date  \j jobs
 *     \n \r \a \e \nnn characters  \[ \] around what takes no room  \! \# command's number  \s shell  \v version
 *     \? exit status  \D how long the last command ran  \R report of status and time, when worth one  \g git branch
 */
#include "core/expand.h"
#include "core/jobs.h"
#include "interactive/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A command that ran this long has its time shown. */
#define WORTH_TELLING_MS 2000

static void add_quoted(struct buf *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '$' || *text == '`' || *text == '\\')
            buf_addc(to, '\\');
        if ((unsigned char)*text >= 32 && *text != 127) /* nothing that moves the cursor */
            buf_addc(to, *text);
    }
}

void prompt_directory(struct shell *sh, struct buf *to)
{
    const char *const pwd = variable_get(sh, "PWD"), *const home = variable_value(sh->home);
    const size_t len = home ? strlen(home) : 0;

    if (!pwd)
        buf_adds(to, "?");
    else if (len > 1 && strncmp(pwd, home, len) == 0 && (pwd[len] == '/' || pwd[len] == '\0'))
        buf_addf(to, "~%s", pwd + len);
    else
        buf_adds(to, pwd);
}

static void add_directory(struct session *s, struct buf *to, bool last)
{
    struct buf name = {0};
    const char *slash;

    prompt_directory(s->sh, &name);
    slash = last ? strrchr(buf_str(&name), '/') : NULL;
    add_quoted(to, slash && slash[1] ? slash + 1 : buf_str(&name));
    buf_free(&name);
}

static void add_time(struct buf *to, const char *format)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[64];

    localtime_r(&now, &parts);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    strftime(text, sizeof text, format, &parts);
#pragma GCC diagnostic pop
    add_quoted(to, text);
}

static void add_duration(struct buf *to, int64_t ms)
{
    if (ms < 0)
        return;
    if (ms < 60000)
        buf_addf(to, "%lld.%llds", (long long)ms / 1000, (long long)ms % 1000 / 100);
    else
        buf_addf(to, "%lldm%llds", (long long)ms / 60000, (long long)ms / 1000 % 60);
}

static void add_report(struct session *s, struct buf *to)
{
    if (s->status != 0)
        buf_addf(to, "\033[31mexit %d\033[m ", s->status);
    if (s->milliseconds >= WORTH_TELLING_MS) {
        buf_adds(to, "\033[90mtook ");
        add_duration(to, s->milliseconds);
        buf_adds(to, "\033[m ");
    }
}

static void add_user(struct buf *to, struct shell *sh)
{
    const char *const name =
        variable_get(sh, "USER") ? variable_get(sh, "USER") : variable_get(sh, "LOGNAME");

    if (name)
        add_quoted(to, name);
    else
        buf_addf(to, "%u", geteuid());
}

static void add_host(struct buf *to, bool whole)
{
    char name[256] = "";

    gethostname(name, sizeof name - 1);
    if (!whole)
        name[strcspn(name, ".")] = '\0';
    add_quoted(to, name);
}

static int count_jobs(const struct shell *sh)
{
    int count = 0;

    for (const struct job *job = sh->jobs; job; job = job->next)
        count += job->number != 0;
    return count;
}

static void add_branch(struct session *s, struct buf *to)
{
    if (!s->branch.len)
        return;
    buf_adds(to, " (");
    add_quoted(to, s->branch.data);
    buf_adds(to, ")");
}

/* The escape behind a backslash: how many bytes it takes. */
static size_t add_escape(struct session *s, struct buf *to, const char *text)
{
    struct shell *const sh = s->sh;
    size_t n = 0;
    int value = 0;

    for (; n < 3 && text[n] >= '0' && text[n] <= '7'; n++)
        value = value * 8 + text[n] - '0';
    if (n > 0) {
        buf_addc(to, (char)value);
        return n;
    }
    switch (*text) {
    case 'u':
        add_user(to, sh);
        break;
    case 'h':
    case 'H':
        add_host(to, *text == 'H');
        break;
    case 'w':
    case 'W':
        add_directory(s, to, *text == 'W');
        break;
    case '$':
        buf_adds(to, geteuid() ? "\\$" : "#");
        break;
    case 't':
        add_time(to, "%H:%M:%S");
        break;
    case 'T':
        add_time(to, "%I:%M:%S");
        break;
    case '@':
        add_time(to, "%I:%M %p");
        break;
    case 'A':
        add_time(to, "%H:%M");
        break;
    case 'd':
        add_time(to, "%a %b %d");
        break;
    case 'j':
        buf_addf(to, "%d", count_jobs(sh));
        break;
    case 'n':
        buf_addc(to, '\n');
        break;
    case 'r':
        buf_addc(to, '\r');
        break;
    case 'a':
        buf_addc(to, '\a');
        break;
    case 'e':
        buf_addc(to, '\033');
        break;
    case '[':
        buf_addc(to, '\001');
        break;
    case ']':
        buf_addc(to, '\002');
        break;
    case '!':
    case '#':
        buf_addf(to, "%zu", history_count(s->history) + 1);
        break;
    case 's':
        buf_adds(to, "r3sh");
        break;
    case 'v':
        buf_adds(to, "0.1.0");
        break;
    case '?':
        buf_addf(to, "%d", s->status);
        break;
    case 'D':
        add_duration(to, s->milliseconds);
        break;
    case 'R':
        add_report(s, to);
        break;
    case 'g':
        add_branch(s, to);
        break;
    default: /* for the expansion */
        buf_addc(to, '\\');
        if (*text)
            buf_addc(to, *text);
    }
    return *text ? 1 : 0;
}

char *prompt_text(struct session *s, const char *format)
{
    struct buf text = {0};
    const int status = s->sh->status;
    char *expanded;

    for (const char *c = format; *c; c++) {
        if (*c == '\\' && !in_posix_mode(s->sh))
            c += add_escape(s, &text, c + 1);
        else if (*c == '!' && in_posix_mode(s->sh) && c[1] == '!')
            buf_addc(&text, *c++);
        else if (*c == '!' && in_posix_mode(s->sh))
            buf_addf(&text, "%zu", history_count(s->history) + 1);
        else
            buf_addc(&text, *c);
    }
    expanded = expand_prompt(s->sh, buf_str(&text));
    buf_free(&text);
    s->sh->status = status;
    return expanded;
}

/* --- The git branch ------------------------------------------------------------------------------------------------- */

static ssize_t read_whole(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

/* HEAD of a repository: a branch, or the beginning of a commit. */
static bool read_head(const char *directory, int out)
{
    static const char branch[] = "ref: refs/heads/";
    char path[4200], text[512], *name = text;
    size_t len;

    snprintf(path, sizeof path, "%s/HEAD", directory);
    if (read_whole(path, text, sizeof text) <= 0)
        return false;
    len = strcspn(text, "\n");
    if (strncmp(text, branch, sizeof branch - 1) == 0) {
        name += sizeof branch - 1;
        len -= sizeof branch - 1;
    } else if (len > 7) {
        len = 7;
    }
    return write(out, name, len) > 0;
}

static void find_branch(void *argument, int out)
{
    char directory[4096], path[4104], text[4096];
    char *slash;

    (void)argument;
    if (!getcwd(directory, sizeof directory))
        return;
    for (;;) {
        snprintf(path, sizeof path, "%s/.git", directory);
        if (read_head(path, out))
            return;
        if (read_whole(path, text, sizeof text) > 0 &&
            strncmp(text, "gitdir: ", 8) == 0) { /* a worktree */
            text[strcspn(text, "\n")] = '\0';
            read_head(text + 8, out);
            return;
        }
        slash = strrchr(directory, '/');
        if (!slash || slash == directory)
            return;
        *slash = '\0';
    }
}

void prompt_forget_branch(struct session *s)
{
    if (s->branch_fd < 0)
        return;
    worker_end(s->branch_worker, s->branch_fd);
    s->branch_fd = -1;
}

bool prompt_branch_came(struct session *s)
{
    char name[256];
    const ssize_t n = read(s->branch_fd, name, sizeof name);
    const bool changes =
        n > 0 ? (size_t)n != s->branch.len || memcmp(name, s->branch.data, (size_t)n) != 0
              : s->branch.len > 0;

    buf_clear(&s->branch);
    if (n > 0)
        buf_add(&s->branch, name, (size_t)n);
    prompt_forget_branch(s);
    return changes;
}

/* Within that time, or it is shown when it comes. */
void prompt_look_for_branch(struct session *s, int milliseconds)
{
    struct pollfd wait;

    prompt_forget_branch(s);
    s->branch_worker = worker_start(find_branch, NULL, &s->branch_fd);
    if (s->branch_worker < 0) {
        s->branch_fd = -1;
        return;
    }
    wait = (struct pollfd){s->branch_fd, POLLIN, 0};
    if (poll(&wait, 1, milliseconds) > 0)
        prompt_branch_came(s);
}
