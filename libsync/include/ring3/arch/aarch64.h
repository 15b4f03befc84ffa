/* SPDX-License-Identifier: MIT */
/* AArch64 instructions behind ring3/arch.h. */
#ifndef RING3_ARCH_AARCH64_H
#define RING3_ARCH_AARCH64_H

#include <stddef.h>
#include <stdint.h>

/* Some cores prefetch lines in pairs, and Apple's have lines of 128 bytes. */
#define RING3_CACHE_LINE 128

/* `yield` is a no-op on most cores; `isb` drains the pipeline, which is about what x86 `pause`
 * costs. */
static inline void ring3_cpu_relax(void)
{
    __asm__ __volatile__("isb" ::: "memory");
}

static inline uint64_t ring3_cycles(void)
{
    uint64_t ticks;

    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}

/*
 * The word `offset` bytes from the thread control block. Read anew each time: a context may be
 * switched to another kernel thread.
 */
static inline uint32_t ring3_thread_word(ptrdiff_t offset)
{
    char *block;

    __asm__ __volatile__("mrs %0, tpidr_el0" : "=r"(block));
    return *(volatile uint32_t *)(void *)(block + offset);
}

/* The same for pointers: where the thread-local one of that name is, from the thread control block,
 * and the pointer at such a place. */
#define RING3_HAVE_THREAD_POINTERS 1
#define RING3_THREAD_OFFSET(name)                                                                  \
    __extension__({                                                                                \
        ptrdiff_t offset_;                                                                         \
        __asm__("adrp %0, :gottprel:" #name "\n\t"                                                 \
                "ldr %0, [%0, :gottprel_lo12:" #name "]"                                           \
                : "=r"(offset_));                                                                  \
        offset_;                                                                                   \
    })

static inline void *ring3_thread_pointer(ptrdiff_t offset)
{
    char *block;

    __asm__ __volatile__("mrs %0, tpidr_el0" : "=r"(block));
    return *(void *volatile *)(void *)(block + offset);
}

static inline void ring3_thread_pointer_set(ptrdiff_t offset, void *pointer)
{
    char *block;

    __asm__ __volatile__("mrs %0, tpidr_el0" : "=r"(block));
    *(void *volatile *)(void *)(block + offset) = pointer;
}

#endif
