/* SPDX-License-Identifier: MIT */
/* Finding named shared memory, and removing what the dead have left. */
#include "call.h"
#include "ring3/fd.h"
#include "shm.h"
#include "stale.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

static int visit_posix(int folder, const char *name,
                       int (*visit)(const ring3_shm_object_t *object, void *context), void *context)
{
    ring3_shm_object_t object = {.kind = RING3_SHM_POSIX, .id = -1};
    ring3_shm_prefix_t prefix;

    if ((size_t)snprintf(object.name, sizeof object.name, "/%s", name) >= sizeof object.name)
        return 0;
    const int fd = ring3_fd_open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    const int err = fd < 0 ? fd : ring3_shm_read_prefix(fd, &prefix);

    if (fd >= 0)
        ring3_fd_close(fd);
    if (err)
        return 0;
    object.size = (size_t)prefix.size;
    object.owner = prefix.owner;
    object.alive = ring3_identity_alive(&object.owner);
    return visit(&object, context);
}

int ring3_shm_each(int (*visit)(const ring3_shm_object_t *object, void *context), void *context)
{
    const struct dirent *entry;
    const int before = errno;
    DIR *const folder = opendir(RING3_SHM_FOLDER);
    int result = folder ? 0 : -errno;

    while (!result && (entry = readdir(folder)))
        result = visit_posix(dirfd(folder), entry->d_name, visit, context);
    if (folder)
        closedir(folder);
    errno = before;
    return result ? result : ring3_shm_sysv_each(visit, context);
}

int ring3_shm_reclaim(const ring3_shm_object_t *object)
{
    ring3_identity_t owner;

    if (object->kind == RING3_SHM_SYSV)
        return ring3_shm_sysv_reclaim(object);
    if (object->kind != RING3_SHM_POSIX || object->name[0] != '/')
        return -EINVAL;
    const int folder = ring3_fd_open(RING3_SHM_FOLDER, O_RDONLY | O_DIRECTORY, 0);

    if (folder < 0)
        return folder;
    const int err = ring3_stale_remove(folder, object->name + 1, ring3_shm_read_owner, &owner);

    ring3_fd_close(folder);
    return err;
}
