/* SPDX-License-Identifier: MIT */
#include "ring3/file.h"

#include "call.h"
#include "quiet.h"
#include "ring3/fd.h"
#include "unnamed.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof((ring3_replacement_t){0}.reserved) == RING3_UNNAMED_SIZE,
               "reserved holds the temporary name");

int ring3_replacement_begin(ring3_replacement_t *r, const char *path, mode_t mode)
{
    ring3_unnamed_t file;
    const int directory = ring3_unnamed_directory(path, &r->name);

    if (directory < 0)
        return directory;
    const int err = ring3_unnamed_open(&file, directory, mode);

    if (err) {
        ring3_fd_close(directory);
        return err;
    }
    r->fd = file.fd;
    r->directory = directory;
    memcpy(r->reserved, file.temporary, sizeof r->reserved);
    return 0;
}

static ring3_unnamed_t file_of(const ring3_replacement_t *r)
{
    ring3_unnamed_t file = {.fd = r->fd, .directory = r->directory};

    memcpy(file.temporary, r->reserved, sizeof r->reserved);
    return file;
}

static void end(ring3_replacement_t *r, ring3_unnamed_t *file)
{
    ring3_unnamed_close(file);
    ring3_fd_close(r->directory);
    r->fd = r->directory = -1;
}

int ring3_replacement_commit(ring3_replacement_t *r)
{
    ring3_unnamed_t file = file_of(r);
    int err = ring3_retry(fsync(file.fd));

    if (!err)
        err = ring3_unnamed_replace(&file, r->name);
    if (!err)
        err = ring3_retry(fsync(r->directory));
    end(r, &file);
    return err;
}

void ring3_replacement_abort(ring3_replacement_t *r)
{
    ring3_unnamed_t file = file_of(r);

    end(r, &file);
}

int ring3_file_replace(const char *path, const void *content, size_t length, mode_t mode)
{
    ring3_replacement_t r;
    int err = ring3_replacement_begin(&r, path, mode);

    if (err)
        return err;
    err = ring3_fd_write_full(r.fd, content, length, NULL, NULL);
    if (err) {
        ring3_replacement_abort(&r);
        return err;
    }
    return ring3_replacement_commit(&r);
}

int ring3_log_open(const char *path, mode_t mode)
{
    return ring3_fd_open(path, O_WRONLY | O_APPEND | O_CREAT, mode);
}

int ring3_log_appendv(int fd, const struct iovec *pieces, int count)
{
    size_t length = 0;

    for (int i = 0; i < count; i++)
        length += pieces[i].iov_len;
    const ssize_t put = ring3_quiet_writev(fd, pieces, count, -1, 0);

    if (put < 0)
        return (int)put;
    return (size_t)put == length ? 0 : -ENOSPC;
}

int ring3_log_append(int fd, const void *record, size_t length)
{
    const struct iovec one = {(void *)(uintptr_t)record, length};

    return ring3_log_appendv(fd, &one, 1);
}
