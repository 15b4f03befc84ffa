/* SPDX-License-Identifier: MIT */
/* Preloaded before the heap: from the FAIL_MAP-th on, every mmap and mprotect of the heap fails. What
 * the loader and libc map themselves does not come by here. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static int fails(void)
{
    static long calls, from;

    /* The heap's first calls may come before libc has an environment. */
    if (!from && environ) {
        const char *const text = getenv("FAIL_MAP");

        from = text ? strtol(text, NULL, 10) : -1;
    }
    return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) >= from && from > 0;
}

void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fails()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, start, length, protection, flags, fd, offset);
}

int mprotect(void *start, size_t length, int protection)
{
    if (fails()) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, start, length, protection);
}
