/* SPDX-License-Identifier: MIT */
#include "mirror.h"

#include "call.h"

#include <sys/mman.h>
#include <unistd.h>

size_t ring3_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int map_over(unsigned char *place, size_t size, int protection, int fd, uint64_t offset)
{
    const int saved = errno;
    void *const got =
        mmap(place, size, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, (off_t)offset);
    const int err = got == MAP_FAILED ? -errno : 0;

    errno = saved;
    return err;
}

int ring3_mirror_map(void **base, int fd, uint64_t offset, size_t ahead, size_t capacity,
                     int protection)
{
    const int saved = errno;
    unsigned char *const place = mmap(NULL, ahead + 2 * capacity, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int err;

    errno = saved;
    if (place == MAP_FAILED)
        return -ENOMEM;
    err = map_over(place, ahead + capacity, protection, fd, offset);
    if (!err)
        err = map_over(place + ahead + capacity, capacity, protection, fd, offset + ahead);
    if (err)
        ring3_mirror_unmap(place, ahead, capacity);
    else
        *base = place;
    return err;
}

void ring3_mirror_unmap(void *base, size_t ahead, size_t capacity)
{
    (void)ring3_call(munmap(base, ahead + 2 * capacity));
}
