/* SPDX-License-Identifier: MIT */
/*
 * Lock files. Taking one is link(2) of a complete file to the name, which fails if the name exists:
 * the same exclusion as open with O_EXCL, without the moment in which the file exists and is empty.
 */
#include "call.h"
#include "ring3/fd.h"
#include "ring3/filelock.h"
#include "stale.h"
#include "unnamed.h"

#include <unistd.h>

static int read_holder(int fd, ring3_identity_t *holder)
{
    char text[RING3_IDENTITY_TEXT];
    size_t got;
    const int err = ring3_fd_pread_full(fd, text, sizeof text, 0, &got);

    if (err != -ENODATA)
        return err ? err : -EBADMSG;
    return ring3_identity_parse(text, got, holder);
}

static int write_own(ring3_unnamed_t *file)
{
    char text[RING3_IDENTITY_TEXT];
    ring3_identity_t self;
    const int err = ring3_identity_self(&self);

    if (err)
        return err;
    const size_t length = ring3_identity_format(&self, text);

    text[length] = '\n';
    return ring3_fd_pwrite_full(file->fd, text, length + 1, 0, NULL);
}

int ring3_lockfile_take(const char *path, ring3_identity_t *holder)
{
    ring3_identity_t somebody;
    ring3_unnamed_t file;
    const char *name;
    const int directory = ring3_unnamed_directory(path, &name);

    if (directory < 0)
        return directory;
    int err = ring3_unnamed_open(&file, directory, 0644);

    if (err)
        goto close_directory;
    err = write_own(&file);
    while (!err) {
        err = ring3_unnamed_link(&file, name);
        if (err != -EEXIST)
            break;
        err = ring3_stale_remove(directory, name, read_holder, holder ? holder : &somebody);
    }
    ring3_unnamed_close(&file);
close_directory:
    ring3_fd_close(directory);
    return err;
}

int ring3_lockfile_release(const char *path)
{
    ring3_identity_t self, holder;
    const char *name;
    const int directory = ring3_unnamed_directory(path, &name);

    if (directory < 0)
        return directory;
    const int fd = ring3_stale_open(directory, name, read_holder, &holder);
    int err = fd < 0 ? fd : ring3_identity_self(&self);

    if (!err)
        err = ring3_identity_equal(&self, &holder) ? ring3_call(unlinkat(directory, name, 0))
                                                   : -EPERM;
    if (fd >= 0)
        ring3_fd_close(fd);
    ring3_fd_close(directory);
    return err;
}
