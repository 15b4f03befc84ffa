/* SPDX-License-Identifier: MIT */
#include "ring3/memfd.h"

#include "call.h"
#include "feature.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

_Static_assert(RING3_F_SEAL_SEAL == F_SEAL_SEAL && RING3_F_SEAL_SHRINK == F_SEAL_SHRINK &&
                   RING3_F_SEAL_GROW == F_SEAL_GROW && RING3_F_SEAL_WRITE == F_SEAL_WRITE &&
                   RING3_F_SEAL_FUTURE_WRITE == F_SEAL_FUTURE_WRITE,
               "the header spells out the kernel's bits, which need _GNU_SOURCE");

static ring3_feature_t noexec = {"memfd_noexec", 0};

static int create(const char *name)
{
    if (ring3_feature_usable(&noexec)) {
        const int fd =
            ring3_call(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));

        if (fd != -EINVAL) /* an unknown flag, or a name that is too long: the next call tells */
            return fd;
    }
    return ring3_call(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

int ring3_memfd_create(const char *name, uint64_t size)
{
    if (size > INT64_MAX)
        return -EINVAL;
    const int fd = create(name);

    if (fd < 0)
        return fd;
    const int err = ring3_fd_allocate(fd, 0, (off_t)size);

    if (err) {
        ring3_fd_close(fd);
        return err;
    }
    return fd;
}

int ring3_memfd_seal(int fd, unsigned seals)
{
    return ring3_call(fcntl(fd, F_ADD_SEALS, seals));
}

int ring3_memfd_seals(int fd)
{
    return ring3_call(fcntl(fd, F_GET_SEALS));
}

int ring3_memfd_check(int fd, unsigned seals, uint64_t *size)
{
    struct stat about;
    const int have = ring3_memfd_seals(fd);

    if (have < 0)
        return have;
    if (!(seals & RING3_F_SEAL_SHRINK))
        return -EINVAL;
    if ((seals & ~(unsigned)have) != 0)
        return -EPERM;
    const int err = ring3_call(fstat(fd, &about));

    if (err)
        return err;
    *size = (uint64_t)about.st_size;
    return 0;
}
