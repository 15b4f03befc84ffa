/* SPDX-License-Identifier: MIT */
/* Mistakes of the caller that cost too much to report by error code: debug builds stop at them. */
#ifndef RING3_MISUSE_H
#define RING3_MISUSE_H

#include "ring3/self.h"

#ifdef RING3_DEBUG

#define RING3_DEBUGGING 1

#include "ring3/env.h"

#include <stdint.h>
#include <stdlib.h>

static inline void ring3_misuse(const char *what, const void *object)
{
    static const char digits[] = "0123456789abcdef";
    char address[] = "0000000000000000";
    const char *const parts[] = {"ring3: ", what, " (object 0x", address, ")"};

    for (int i = 0; i < 16; i++)
        address[i] = digits[(uintptr_t)object >> (60 - 4 * i) & 15];
    ring3_env_complain(parts, 5);
    abort();
}

#else

#define RING3_DEBUGGING 0

static inline void ring3_misuse(const char *what, const void *object)
{
    (void)what;
    (void)object;
}

#endif

/* Defined by an object that gives spinlocks to programs as their mutexes, under which they may sleep. */
extern const char ring3_spinlocks_are_mutexes __attribute__((weak));

/* Called where a context is about to sleep on `object`. */
static inline void ring3_may_sleep(const void *object)
{
    if (RING3_DEBUGGING && !&ring3_spinlocks_are_mutexes && ring3_self()->no_preempt > 0)
        ring3_misuse("sleeping while a spinlock is held", object);
}

#endif
