/* SPDX-License-Identifier: MIT */
/* What ring3/arch.h falls back to on machines without a file of their own. */
#ifndef RING3_ARCH_PORTABLE_H
#define RING3_ARCH_PORTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RING3_CACHE_LINE 64

static inline void ring3_cpu_relax(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Nanoseconds stand in for cycles. */
static inline uint64_t ring3_cycles(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint32_t ring3_thread_word(ptrdiff_t offset)
{
    return *(volatile uint32_t *)(void *)((char *)__builtin_thread_pointer() + offset);
}

#endif
