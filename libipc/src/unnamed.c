/* SPDX-License-Identifier: MIT */
#include "unnamed.h"

#include "call.h"
#include "feature.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ring3_feature_t tmpfile_feature = {"tmpfile", 0};

/* A killed process may leave a name made here; whoever gets its thread id next overwrites it. */
static void make_name(ring3_unnamed_t *file)
{
    snprintf(file->temporary, sizeof file->temporary, ".ring3-%d.tmp", (int)gettid());
}

static int open_named(ring3_unnamed_t *file, mode_t mode)
{
    make_name(file);
    (void)ring3_call(unlinkat(file->directory, file->temporary, 0));
    file->fd = ring3_fd_open_at(file->directory, file->temporary, O_RDWR | O_CREAT | O_EXCL, mode);
    return file->fd < 0 ? file->fd : 0;
}

int ring3_unnamed_open(ring3_unnamed_t *file, int directory, mode_t mode)
{
    *file = (ring3_unnamed_t){.fd = -1, .directory = directory};
    if (ring3_feature_usable(&tmpfile_feature)) {
        file->fd = ring3_fd_open_at(directory, ".", O_RDWR | O_TMPFILE, mode);
        if (file->fd >= 0)
            return 0;
        if (file->fd != -EOPNOTSUPP && file->fd != -EISDIR && file->fd != -EINVAL)
            return file->fd;
    }
    return open_named(file, mode);
}

int ring3_unnamed_link(ring3_unnamed_t *file, const char *name)
{
    char self[32];

    if (file->temporary[0])
        return ring3_call(linkat(file->directory, file->temporary, file->directory, name, 0));
    /* AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH before Linux 6.10. */
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    return ring3_call(linkat(AT_FDCWD, self, file->directory, name, AT_SYMLINK_FOLLOW));
}

int ring3_unnamed_replace(ring3_unnamed_t *file, const char *name)
{
    if (!file->temporary[0]) {
        ring3_unnamed_t named = *file;

        make_name(&named);
        (void)ring3_call(unlinkat(file->directory, named.temporary, 0));
        const int err = ring3_unnamed_link(file, named.temporary);

        if (err)
            return err;
        *file = named;
    }
    const int err = ring3_call(renameat(file->directory, file->temporary, file->directory, name));

    if (!err)
        file->temporary[0] = '\0';
    return err;
}

void ring3_unnamed_close(ring3_unnamed_t *file)
{
    if (file->temporary[0])
        (void)ring3_call(unlinkat(file->directory, file->temporary, 0));
    if (file->fd >= 0)
        ring3_fd_close(file->fd);
    file->fd = -1;
}

int ring3_unnamed_directory(const char *path, const char **name)
{
    char directory[PATH_MAX];
    const char *const slash = strrchr(path, '/');
    /* The slash belongs to the directory, for the sake of "/name". */
    const size_t length = slash ? (size_t)(slash - path) + 1 : 0;

    *name = slash ? slash + 1 : path;
    if (!**name)
        return *path ? -EISDIR : -ENOENT;
    if (length == 0)
        return ring3_fd_open(".", O_RDONLY | O_DIRECTORY, 0);
    if (length >= sizeof directory)
        return -ENAMETOOLONG;
    memcpy(directory, path, length);
    directory[length] = '\0';
    return ring3_fd_open(directory, O_RDONLY | O_DIRECTORY, 0);
}
