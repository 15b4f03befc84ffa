/* SPDX-License-Identifier: MIT */
/* One allocator call, named by the argument, is the first call this process makes. The program
 * needs no libc start-up beyond the loader's, prints nothing on success, and leaves with 0. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);

static int works(void *block, size_t size, size_t alignment)
{
    if (!block || (uintptr_t)block % alignment || malloc_usable_size(block) < size)
        return 1;
    memset(block, 1, size);
    free(block);
    return 0;
}

static volatile size_t too_large = (size_t)PTRDIFF_MAX + 1;

static int refuses(size_t size)
{
    errno = 0;
    return !malloc(size) && errno == ENOMEM;
}

static int zero(char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i])
            return 1;
    return works(block, size, 16);
}

int main(int argc, char **argv)
{
    const char *const call = argc > 1 ? argv[1] : "";
    void *block = NULL;

#define CALL(name, result)                                                                         \
    if (strcmp(call, name) == 0)                                                                   \
        return result;
    CALL("malloc", works(malloc(100), 100, 16))
    CALL("malloc-0", works(malloc(0), 0, 16))
    CALL("malloc-large", works(malloc(50 << 20), 50 << 20, 16))
    CALL("malloc-too-large", !refuses(too_large))
    CALL("refused", !refuses(200 << 20) || works(malloc(1 << 20), 1 << 20, 16))
    CALL("calloc", zero(calloc(10, 10), 100))
    CALL("realloc", works(realloc(NULL, 100), 100, 16))
    CALL("reallocarray", works(reallocarray(NULL, 10, 10), 100, 16))
    CALL("free", (free(NULL), 0))
    CALL("posix_memalign", posix_memalign(&block, 64, 100) || works(block, 100, 64))
    CALL("aligned_alloc", works(aligned_alloc(256, 512), 512, 256))
    CALL("memalign", works(memalign(4096, 100), 100, 4096))
    CALL("valloc", works(valloc(100), 100, 4096))
    CALL("pvalloc", works(pvalloc(100), 4096, 4096))
    CALL("malloc_usable_size", malloc_usable_size(NULL) != 0)
    CALL("malloc_trim", (malloc_trim(0), 0))
    CALL("mallopt", mallopt(M_TRIM_THRESHOLD, 1 << 20) != 1)
    CALL("mallopt-unknown", mallopt(12345, 1) != 0)
    CALL("mallinfo2", mallinfo2().uordblks > 1 << 20)
    CALL("malloc_stats", (malloc_stats(), 0))
    CALL("malloc_info", malloc_info(0, stdout))
    CALL("malloc_info-options", malloc_info(1, stdout) != EINVAL)
    CALL("__libc_malloc", works(__libc_malloc(100), 100, 16))
    CALL("__libc_calloc", zero(__libc_calloc(10, 10), 100))
    CALL("__libc_realloc", works(__libc_realloc(NULL, 100), 100, 16))
    CALL("__libc_free", (__libc_free(NULL), 0))
    CALL("__libc_memalign", works(__libc_memalign(64, 100), 100, 64))
    CALL("__libc_valloc", works(__libc_valloc(100), 100, 4096))
    CALL("__libc_pvalloc", works(__libc_pvalloc(1), 4096, 4096))
    return 2;
}
