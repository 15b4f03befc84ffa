/* SPDX-License-Identifier: MIT */
/* Guard pages: see redzone.h. Source: madvise(2), mprotect(2), vm.max_map_count. */
#include "redzone.h"

#include "ring3/atomic.h"
#include "ring3/env.h"
#include "ring3/pages.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

/* Each costs up to two mappings; the usual limit is 65530, of which the program keeps half. */
#define PROTECTED_MAX 16000

static uint32_t protected_now; /* zones made by mprotect, in this process */

enum { UNKNOWN, WORKS, MISSING };
static uint32_t marker; /* whether MADV_GUARD_INSTALL works here */

static bool by_marker(void *start, size_t length)
{
    if (ring3_load(&marker, RING3_RELAXED) == MISSING || ring3_env_disabled("guard"))
        return false;
    if (madvise(start, length, MADV_GUARD_INSTALL) == 0) {
        ring3_store(&marker, (uint32_t)WORKS, RING3_RELAXED);
        return true;
    }
    /* Once it has worked, a failure is about these pages only. */
    if (ring3_load(&marker, RING3_RELAXED) == UNKNOWN)
        ring3_store(&marker, (uint32_t)MISSING, RING3_RELAXED);
    return false;
}

static bool by_protection(void *start, size_t length)
{
    if (ring3_load(&marker, RING3_RELAXED) == WORKS)
        return false;
    if (ring3_fetch_add(&protected_now, UINT32_C(1), RING3_RELAXED) < PROTECTED_MAX) {
        (void)ring3_pages_purge(start, length);
        if (mprotect(start, length, PROT_NONE) == 0)
            return true;
    }
    ring3_fetch_sub(&protected_now, UINT32_C(1), RING3_RELAXED);
    return false;
}

bool ring3_redzone_set(void *start, size_t length)
{
    const int saved = errno;
    const bool set = by_marker(start, length) || by_protection(start, length);

    errno = saved;
    return set;
}

void ring3_redzone_clear(void *start, size_t length)
{
    const int saved = errno;

    if (ring3_load(&marker, RING3_RELAXED) == WORKS) {
        (void)madvise(start, length, MADV_GUARD_REMOVE);
    } else if (mprotect(start, length, PROT_READ | PROT_WRITE) == 0) {
        ring3_fetch_sub(&protected_now, UINT32_C(1), RING3_RELAXED);
    }
    errno = saved;
}
