/* SPDX-License-Identifier: MIT */
#include "stale.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/filelock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: the name may be a FIFO. */
int ring3_stale_open(int directory, const char *name, ring3_owner_reader_t read_owner,
                     ring3_identity_t *owner)
{
    const int fd = ring3_fd_open_at(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);

    if (fd < 0)
        return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? -EBADMSG : fd;
    const int err = read_owner(fd, owner);

    if (!err)
        return fd;
    ring3_fd_close(fd);
    return err == -ESPIPE ? -EBADMSG : err;
}

static bool still_means(int directory, const char *name, int fd)
{
    struct stat named, open_one;

    return ring3_call(fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW)) == 0 &&
           ring3_call(fstat(fd, &open_one)) == 0 && named.st_ino == open_one.st_ino &&
           named.st_dev == open_one.st_dev;
}

int ring3_stale_remove(int directory, const char *name, ring3_owner_reader_t read_owner,
                       ring3_identity_t *owner)
{
    const int fd = ring3_stale_open(directory, name, read_owner, owner);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int err = -EBUSY;

    if (ring3_identity_alive(owner) == 0) {
        err = ring3_filelock_lock(fd, RING3_FILELOCK_WRITE, 0, 0, NULL);
        if (!err && still_means(directory, name, fd))
            err = ring3_call(unlinkat(directory, name, 0));
    }
    ring3_fd_close(fd);
    return err;
}
