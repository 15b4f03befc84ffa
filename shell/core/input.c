/* SPDX-License-Identifier: MIT */
#include "core/input.h"
#include "core/expand.h"
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"
#include "interactive/session.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BLOCK 16384

static void prompt(struct shell *sh, bool continued)
{
    const char *const text = variable_get(sh, continued ? "PS2" : "PS1");
    const struct arena_mark mark = arena_mark(&sh->arena);
    const int status = sh->status;

    if (!continued)
        jobs_notify(sh);
    if (text)
        out_puts(&sh->err, expand_prompt(sh, text));
    out_flush(&sh->err);
    arena_release(&sh->arena, mark);
    sh->status = status;
}

/* NUL bytes have no meaning in a script. */
static size_t without_nuls(char *text, size_t length)
{
    size_t to = 0;

    if (!memchr(text, '\0', length))
        return length;
    for (size_t i = 0; i < length; i++)
        if (text[i])
            text[to++] = text[i];
    return to;
}

static ssize_t read_some(struct file_input *file, char *to, size_t size)
{
    for (;;) {
        const ssize_t n = read(file->fd, to, size);

        if (n >= 0)
            return n;
        if (errno == EAGAIN) { /* someone left it non-blocking */
            const int flags = fcntl(file->fd, F_GETFL);

            if (flags >= 0 && flags & O_NONBLOCK && !fcntl(file->fd, F_SETFL, flags & ~O_NONBLOCK))
                continue;
        }
        if (errno != EINTR)
            return -errno;
        if (signals_any && file->prompts) {
            const enum flow flow = traps_run(file->sh);

            if (flow == FLOW_EXIT) {
                file->sh->flow = FLOW_EXIT;
                return 0;
            }
            if (flow == FLOW_ERROR)
                return -EINTR;
        } else if (signals_any) {
            const enum flow flow = traps_run(file->sh);

            if (flow != FLOW_NEXT) {
                file->sh->flow = flow;
                return 0;
            }
        }
    }
}

/* One line of a pipe or terminal. */
static ssize_t read_line(struct file_input *file)
{
    struct buf *const text = &file->input.text;
    const size_t before = text->len;
    char c;
    ssize_t n;

    do {
        n = read_some(file, &c, 1);
        if (n == 1 && c)
            buf_addc(text, c);
    } while (n == 1 && c != '\n');
    return n < 0 ? n : (ssize_t)(text->len - before);
}

/* All but the first line. */
static void give_back(struct file_input *file, size_t from)
{
    struct buf *const text = &file->input.text;
    const char *const newline = memchr(text->data + from, '\n', text->len - from);
    const size_t keep = newline ? (size_t)(newline + 1 - text->data) : text->len;

    if (lseek(file->fd, -(off_t)(text->len - keep), SEEK_CUR) >= 0)
        text->len = keep;
}

static int more(struct input *input, bool continued)
{
    struct file_input *const file = input->context;
    struct shell *const sh = file->sh;
    struct buf *const text = &input->text;
    const size_t before = text->len;
    ssize_t n;

    if (file->ended)
        return 0;
    if (file->prompts && !sh->session)
        prompt(sh, continued);
    if (file->prompts && sh->session) {
        n = session_read(sh->session, text, continued);
    } else if (file->shared && lseek(file->fd, 0, SEEK_CUR) < 0) {
        n = read_line(file);
    } else {
        if (buf_reserve(text, BLOCK))
            return -ENOMEM;
        n = read_some(file, text->data + text->len, BLOCK);
        if (n > 0) {
            text->len += without_nuls(text->data + text->len, (size_t)n);
            if (file->shared &&
                option_on(sh, OPTION_VERBOSE)) /* lines are shown as they are taken */
                give_back(file, before);
            text->data[text->len] = '\0';
            if (text->len == before)
                return more(input, continued);
        }
    }
    if (n <= 0) {
        if (!file->prompts)
            file->ended = true;
        return (int)n;
    }
    if (option_on(sh, OPTION_VERBOSE)) {
        out_write(&sh->err, text->data + before, text->len - before);
        out_flush(&sh->err);
    }
    return 1;
}

void file_input_open(struct file_input *file, struct shell *sh, const char *name, int fd,
                     bool shared)
{
    *file = (struct file_input){.sh = sh, .fd = shared ? fd : fd_move_up(fd), .shared = shared};
    file->input = (struct input){.name = name, .more = more, .context = file, .line = 1};
}

void file_input_close(struct file_input *file)
{
    if (!file->shared && file->fd >= 0)
        close(file->fd);
    buf_free(&file->input.text);
}

void file_input_settle(struct input *input, const char *next)
{
    const struct file_input *const file = input->context;
    const off_t rest = (off_t)(input->text.data + input->text.len - next);

    if (input->more != more || !file->shared || !rest)
        return;
    if (lseek(file->fd, -rest, SEEK_CUR) >= 0) {
        input->text.len -= (size_t)rest;
        input->text.data[input->text.len] = '\0';
    }
}
