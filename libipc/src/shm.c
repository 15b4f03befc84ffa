/* SPDX-License-Identifier: MIT */
/* Shared memory that is a file: memfd, POSIX, and files proper. */
#include "shm.h"

#include "call.h"
#include "ring3/fd.h"
#include "ring3/memfd.h"
#include "stale.h"
#include "unnamed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

int ring3_shm_prefix_make(ring3_shm_prefix_t *prefix, size_t size)
{
    *prefix = (ring3_shm_prefix_t){.magic = RING3_SHM_MAGIC, .size = size};
    return ring3_identity_self(&prefix->owner);
}

int ring3_shm_prefix_check(const ring3_shm_prefix_t *prefix, size_t whole)
{
    return whole > RING3_SHM_PREFIX && prefix->magic == RING3_SHM_MAGIC &&
                   prefix->size == whole - RING3_SHM_PREFIX
               ? 0
               : -EBADMSG;
}

int ring3_shm_read_prefix(int fd, ring3_shm_prefix_t *prefix)
{
    struct stat about;
    int err = ring3_call(fstat(fd, &about));

    if (!err && !S_ISREG(about.st_mode))
        err = -EBADMSG;
    if (!err)
        err = ring3_fd_pread_full(fd, prefix, sizeof *prefix, 0, NULL);
    if (err)
        return err == -ENODATA ? -EBADMSG : err;
    return ring3_shm_prefix_check(prefix, (size_t)about.st_size);
}

int ring3_shm_read_owner(int fd, ring3_identity_t *owner)
{
    ring3_shm_prefix_t prefix;
    const int err = ring3_shm_read_prefix(fd, &prefix);

    if (!err)
        *owner = prefix.owner;
    return err;
}

/* Maps `prefix` bytes that are not the user's and `size` that are. */
static int map(ring3_shm_t *shm, ring3_shm_kind_t kind, int fd, size_t prefix, size_t size,
               bool writable)
{
    const int protection = PROT_READ | (writable ? PROT_WRITE : 0), before = errno;
    char *const mapped = mmap(NULL, prefix + size, protection, MAP_SHARED, fd, 0);

    if (mapped == MAP_FAILED) {
        const int err = -errno;

        errno = before;
        return err;
    }
    *shm = (ring3_shm_t){.address = mapped + prefix,
                         .size = size,
                         .kind = kind,
                         .fd = -1,
                         .id = -1,
                         .mapped = mapped};
    return 0;
}

void ring3_shm_close(ring3_shm_t *shm)
{
    if (shm->mapped && shm->kind == RING3_SHM_SYSV)
        (void)ring3_call(shmdt(shm->mapped));
    else if (shm->mapped)
        (void)ring3_call(
            munmap(shm->mapped, (size_t)((char *)shm->address - (char *)shm->mapped) + shm->size));
    if (shm->fd >= 0)
        ring3_fd_close(shm->fd);
    *shm = (ring3_shm_t){.fd = -1, .id = -1};
}

int ring3_shm_create(ring3_shm_t *shm, size_t size)
{
    if (size == 0)
        return -EINVAL;
    const int fd = ring3_memfd_create("ring3-shm", size);

    if (fd < 0)
        return fd;
    int err = ring3_memfd_seal(fd, RING3_MEMFD_FIXED);

    if (!err)
        err = map(shm, RING3_SHM_MEMFD, fd, 0, size, true);
    if (err)
        ring3_fd_close(fd);
    else
        shm->fd = fd;
    return err;
}

int ring3_shm_attach(ring3_shm_t *shm, int fd, bool writable)
{
    uint64_t size;
    const int err = ring3_memfd_check(fd, RING3_F_SEAL_SHRINK, &size);

    if (err)
        return err;
    if (size == 0 || size > PTRDIFF_MAX)
        return -EINVAL;
    return map(shm, RING3_SHM_MEMFD, fd, 0, (size_t)size, writable);
}

/* Checks the name and opens the folder: *plain is the name without its slash. */
static int open_folder(const char *name, const char **plain)
{
    *plain = name + 1;
    if (name[0] != '/' || !name[1] || strchr(*plain, '/') || strcmp(*plain, ".") == 0 ||
        strcmp(*plain, "..") == 0)
        return -EINVAL;
    if (strlen(name) >= RING3_SHM_NAME)
        return -ENAMETOOLONG;
    return ring3_fd_open(RING3_SHM_FOLDER, O_RDONLY | O_DIRECTORY, 0);
}

static int fill_posix(ring3_shm_t *shm, int fd, size_t size)
{
    ring3_shm_prefix_t prefix;
    int err = ring3_shm_prefix_make(&prefix, size);

    if (!err)
        err = ring3_fd_pwrite_full(fd, &prefix, sizeof prefix, 0, NULL);
    if (!err) /* a hole stays in between */
        err = ring3_fd_allocate(fd, (off_t)RING3_SHM_PREFIX, (off_t)size);
    return err ? err : map(shm, RING3_SHM_POSIX, fd, RING3_SHM_PREFIX, size, true);
}

int ring3_shm_posix_create(ring3_shm_t *shm, const char *name, size_t size, mode_t mode)
{
    ring3_unnamed_t file;
    ring3_identity_t owner;
    const char *plain;

    if (size == 0 || size > PTRDIFF_MAX - RING3_SHM_PREFIX)
        return -EINVAL;
    const int folder = open_folder(name, &plain);

    if (folder < 0)
        return folder;
    int err = ring3_unnamed_open(&file, folder, mode);

    if (err)
        goto close_folder;
    err = fill_posix(shm, file.fd, size);
    if (err)
        goto close_file;
    while ((err = ring3_unnamed_link(&file, plain)) == -EEXIST) {
        err = ring3_stale_remove(folder, plain, ring3_shm_read_owner, &owner);
        if (err)
            break;
    }
    if (err)
        ring3_shm_close(shm);
close_file:
    ring3_unnamed_close(&file);
close_folder:
    ring3_fd_close(folder);
    return err;
}

int ring3_shm_posix_open(ring3_shm_t *shm, const char *name, bool writable)
{
    ring3_shm_prefix_t prefix;
    const char *plain;
    const int folder = open_folder(name, &plain);

    if (folder < 0)
        return folder;
    const int fd = ring3_fd_open_at(folder, plain,
                                    (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK, 0);
    int err = fd < 0 ? fd : ring3_shm_read_prefix(fd, &prefix);

    if (!err)
        err = map(shm, RING3_SHM_POSIX, fd, RING3_SHM_PREFIX, (size_t)prefix.size, writable);
    if (fd >= 0)
        ring3_fd_close(fd);
    ring3_fd_close(folder);
    return err;
}

int ring3_shm_posix_remove(const char *name)
{
    const char *plain;
    const int folder = open_folder(name, &plain);

    if (folder < 0)
        return folder;
    const int err = ring3_call(unlinkat(folder, plain, 0));

    ring3_fd_close(folder);
    return err;
}

int ring3_shm_file_open(ring3_shm_t *shm, const char *path, size_t size, bool writable, mode_t mode)
{
    struct stat about;

    if (size > PTRDIFF_MAX || (size > 0 && !writable))
        return -EINVAL;
    const int fd =
        ring3_fd_open(path, (writable ? O_RDWR : O_RDONLY) | (size > 0 ? O_CREAT : 0), mode);

    if (fd < 0)
        return fd;
    int err = ring3_fd_allocate(fd, 0, (off_t)size);

    if (!err && size == 0) {
        err = ring3_call(fstat(fd, &about));
        size = err ? 0 : (size_t)about.st_size;
    }
    if (!err)
        err = size == 0 ? -EINVAL : map(shm, RING3_SHM_FILE, fd, 0, size, writable);
    ring3_fd_close(fd);
    return err;
}
