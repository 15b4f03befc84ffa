/* SPDX-License-Identifier: MIT */
#include "core/redir.h"
#include "core/expand.h"
#include "core/traps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a pipe takes without a reader. */
#define PIPE_ROOM PIPE_BUF

int fd_move_up(int fd)
{
    int up;

    if (fd >= REDIR_FDS_MAX || fd < 0)
        return fd;
    up = fcntl(fd, F_DUPFD_CLOEXEC, REDIR_FDS_MAX);
    close(fd);
    return up;
}

bool fd_is_ours(const struct shell *sh, int fd)
{
    const int flags = fd >= REDIR_FDS_MAX ? fcntl(fd, F_GETFD) : 0;

    (void)sh;
    return flags >= 0 && flags & FD_CLOEXEC;
}

bool redirect_needs_real_output(const struct redirect *list)
{
    for (; list; list = list->next) {
        if (list->word->flags & WORD_PROCESS)
            return true;
        if (list->kind == REDIRECT_DUP || list->kind == REDIRECT_DUP_INPUT) {
            if (!list->word->plain || strcmp(list->word->plain, "1") == 0)
                return true;
        }
        /* Opening /dev/stdout, /dev/fd/1 or /proc/self/fd/1 means it too. */
        if (list->kind <= REDIRECT_BOTH &&
            (!list->word->plain || strncmp(list->word->plain, "/dev/", 5) == 0 ||
             strncmp(list->word->plain, "/proc/", 6) == 0) &&
            !(list->word->plain && strcmp(list->word->plain, "/dev/null") == 0))
            return true;
    }
    return false;
}

/* A descriptor to read the text from. */
static int open_text(const char *text, size_t length)
{
    int ends[2], fd;

    if (length <= PIPE_ROOM) {
        if (pipe2(ends, O_CLOEXEC))
            return -1;
        if (length && write(ends[1], text, length) < 0) {
            close(ends[0]);
            ends[0] = -1;
        }
        close(ends[1]);
        return ends[0];
    }
    fd = memfd_create("here-document", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    for (size_t done = 0; done < length;) {
        const ssize_t n = write(fd, text + done, length - done);

        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int open_output(struct shell *sh, const char *file)
{
    struct stat st;
    int fd;

    if (!option_on(sh, OPTION_NOCLOBBER))
        return open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    /* What is no regular file may be written to. */
    fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

int redirect_open(struct shell *sh, int kind, const char *file)
{
    int fd;

    do {
        switch (kind) {
        case REDIRECT_INPUT:
            fd = open(file, O_RDONLY | O_CLOEXEC);
            break;
        case REDIRECT_OUTPUT:
            fd = open_output(sh, file);
            break;
        case REDIRECT_CLOBBER:
            fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
            break;
        case REDIRECT_APPEND:
            fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
            break;
        default:
            fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            break;
        }
    } while (fd < 0 && errno == EINTR && !traps_pending(sh));
    return fd;
}

/* Remember what fd is now, once. */
static int save(struct shell *sh, struct redirected *saved, int fd)
{
    int copy;

    for (int i = 0; i < saved->count; i++)
        if (saved->saved[i].fd == fd)
            return 0;
    reader_settle_fd(sh, fd);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, REDIR_FDS_MAX);
    if (copy < 0 && errno != EBADF)
        return -errno;
    if (saved->count == saved->room) {
        struct saved_fd *const more =
            arena_alloc(&sh->arena, (size_t)(saved->room + 4) * sizeof(*more));

        if (saved->count)
            memcpy(more, saved->saved, (size_t)saved->count * sizeof(*more));
        saved->saved = more;
        saved->room += 4;
    }
    saved->saved[saved->count++] = (struct saved_fd){fd, copy};
    if (fd == STDOUT_FILENO)
        sh->capture = NULL;
    return 0;
}

static int duplicate(struct shell *sh, const struct redirect *r, struct redirected *saved,
                     const char *word)
{
    char *end;
    long from;
    int flags, err;

    if (strcmp(word, "-") == 0) {
        err = save(sh, saved, r->fd);
        close(r->fd);
        return err;
    }
    from = strtol(word, &end, 10);
    if (*end || end == word || from < 0 || from > INT_MAX) {
        complain_at(sh, r->at, "%s: not a file descriptor", word);
        return 1;
    }
    reader_settle_fd(sh, (int)from);
    flags = fcntl((int)from, F_GETFL);
    if (flags < 0 || fd_is_ours(sh, (int)from)) {
        complain_at(sh, r->at, "%ld: %s", from, strerror(EBADF));
        return 1;
    }
    if ((r->kind == REDIRECT_DUP && (flags & O_ACCMODE) == O_RDONLY) ||
        (r->kind == REDIRECT_DUP_INPUT && (flags & O_ACCMODE) == O_WRONLY)) {
        complain_at(sh, r->at, "%ld: is not open for %s", from,
                    r->kind == REDIRECT_DUP ? "writing" : "reading");
        return 1;
    }
    err = save(sh, saved, r->fd);
    if (err)
        return err;
    if (from == r->fd)
        return fcntl(r->fd, F_SETFD, 0) < 0 ? -errno : 0;
    return dup2((int)from, r->fd) < 0 ? -errno : 0;
}

/* 0, a negative errno, or 1 after a message. */
static int redirect_one(struct shell *sh, const struct redirect *r, struct redirected *saved,
                        const char **word)
{
    size_t length;
    int fd, err;

    *word = "descriptor";
    if (fd_is_ours(sh, r->fd)) {
        complain_at(sh, r->at, "%d: descriptor is in use by the shell", r->fd);
        return 1;
    }
    *word = expand_string(sh, r->word, &length);
    if (!*word)
        return 2;
    if (r->kind == REDIRECT_DUP || r->kind == REDIRECT_DUP_INPUT)
        return duplicate(sh, r, saved, *word);
    if (r->kind == REDIRECT_STRING) {
        char *const line = arena_copy(&sh->arena, *word, length + 1);

        line[length] = '\n';
        fd = open_text(line, length + 1);
    } else if (r->kind == REDIRECT_HERE) {
        fd = open_text(*word, length);
        *word = "here-document";
    } else {
        fd = redirect_open(sh, r->kind, *word);
    }
    if (fd < 0)
        return -errno;
    if (fd < REDIR_FDS_MAX) /* it may have taken the very number, which was closed */
        fd = fd_move_up(fd);
    if (fd < 0)
        return -errno;
    err = save(sh, saved, r->fd);
    if (!err && dup2(fd, r->fd) < 0)
        err = -errno;
    close(fd);
    return err;
}

int redirect(struct shell *sh, const struct redirect *list, struct redirected *saved)
{
    *saved = (struct redirected){.capture = sh->capture, .forks = sh->forks};
    for (; list; list = list->next) {
        const char *word;
        const int err = redirect_one(sh, list, saved, &word);

        if (!err)
            continue;
        if (err < 0) /* to where stderr was sent by now */
            complain_at(sh, list->at, "%s: %s", word, strerror(-err));
        redirect_undo(sh, saved);
        return err == 2 ? -2 : -1;
    }
    return 0;
}

void redirect_undo(struct shell *sh, struct redirected *saved)
{
    out_flush(&sh->err);
    while (saved->count) {
        const struct saved_fd *const one = &saved->saved[--saved->count];

        reader_settle_fd(sh, one->fd);
        if (one->copy >= 0) {
            dup2(one->copy, one->fd);
            close(one->copy);
        } else {
            close(one->fd);
        }
    }
    /* A child that went on as the subshell meanwhile writes to its descriptor, not to the parent's memory. */
    if (sh->forks == saved->forks)
        sh->capture = saved->capture;
}

void redirect_keep(struct shell *sh, struct redirected *saved)
{
    (void)sh;
    while (saved->count) {
        const struct saved_fd *const one = &saved->saved[--saved->count];

        if (one->copy >= 0)
            close(one->copy);
    }
}
