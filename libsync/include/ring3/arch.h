/* SPDX-License-Identifier: MIT */
/*
 * The machine: spinning politely, counting cycles, knowing the CPU, and fences.
 *
 * Fences come as an asymmetric pair. Where one side runs a million times more often than the other
 * (unlock against going to sleep), the frequent side pays nothing and the rare side pays for both:
 *
 *     unlock:   store lock = free;    ring3_fence_light();  load sleepers
 *     sleeper:  store sleepers = 1;   ring3_fence_heavy();  load lock
 *
 * The light fence is a compiler barrier; the heavy one is membarrier, a fence on every CPU.
 *
 * At least one of the two loads sees the other side's store. Without membarrier (old kernels, some
 * sandboxes, or RING3_DISABLE=membarrier) both sides are ordinary sequentially consistent fences.
 *
 * Source: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED; Dice, Huang and Yang, "Asymmetric Dekker
 * synchronization", 2001.
 */
#ifndef RING3_ARCH_H
#define RING3_ARCH_H

#include "ring3/api.h"
#include "ring3/atomic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "ring3/arch/x86_64.h"
#elif defined(__aarch64__)
#include "ring3/arch/aarch64.h"
#else
#include "ring3/arch/portable.h"
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING3_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define RING3_TSAN 1
#endif

#define ring3_likely(claim)   __builtin_expect(!!(claim), 1)
#define ring3_unlikely(claim) __builtin_expect(!!(claim), 0)

/* A structure that starts on a cache line of its own. */
#define RING3_CACHE_ALIGNED __attribute__((aligned(RING3_CACHE_LINE)))

/* Constructor priority of what other constructors may need (the lowest that is not reserved for the
 * compiler). */
#define RING3_START_FIRST 101

RING3_API_BEGIN

/*
 * ring3_cpu_relax()    tell the core that this is a spin loop; some tens of cycles
 * ring3_cycles()       a counter that runs at a constant rate (not serialising): the time stamp
 *                      counter, or the generic timer
 * ring3_thread_word()  a word of the thread control block
 */

/* What the process may use; constant after the first use of libsync. Private to the functions
 * below. */
struct ring3_arch {
    uint32_t membarrier; /* RING3_MEMBARRIER_* */
    int32_t cpus;        /* CPUs this process may run on when it started */
    uint32_t no_rseq;    /* rseq is missing or disabled */
};
extern struct ring3_arch ring3_arch;

#define RING3_MEMBARRIER_UNKNOWN 0 /* not yet asked for: light fences are full */
#define RING3_MEMBARRIER_YES     1
#define RING3_MEMBARRIER_NO      2

/* A full fence that TSan understands (it does not model stand-alone fences). */
static inline void ring3_fence_full(void)
{
#ifdef RING3_TSAN
    uint32_t word = 0;

    (void)ring3_fetch_add(&word, 0, RING3_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/** Loads before stay before everything after. */
static inline void ring3_fence_acquire(void)
{
#ifdef RING3_TSAN
    ring3_fence_full();
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/** Everything before stays before the stores after. */
static inline void ring3_fence_release(void)
{
#ifdef RING3_TSAN
    ring3_fence_full();
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/** The frequent side of the pair above. */
static inline void ring3_fence_light(void)
{
    if (ring3_likely(ring3_load(&ring3_arch.membarrier, RING3_RELAXED) == RING3_MEMBARRIER_YES))
        ring3_compiler_barrier();
    else
        ring3_fence_full();
}

/**
 * The rare side: on return every other thread of the process has passed a full fence.
 *
 * @return true; false if the kernel refused although it had agreed before (a sandbox was entered):
 * then nothing was ordered against light fences, and the caller must not wait without a time limit
 *
 * Costs about 0.3 us in a single-threaded process and some microseconds otherwise.
 * Async-signal-safe.
 */
bool ring3_fence_heavy(void);

/** True if the heavy fence reaches threads that make do with a compiler barrier: code that cannot
 * pay for the light fence's fall-back asks this before it relies on the pair. */
static inline bool ring3_fence_is_asymmetric(void)
{
    return ring3_load(&ring3_arch.membarrier, RING3_RELAXED) == RING3_MEMBARRIER_YES;
}

/**
 * Take part in the heavy fences of other processes, from now on and in forked children. Then a light
 * side in this process that is only a compiler barrier pairs with ring3_fence_global elsewhere.
 *
 * @return true; false if the kernel has no such fence: light sides must then be full fences
 */
bool ring3_fence_global_join(void);

/**
 * On return every thread of every process that has joined, and this one, has passed a full fence.
 *
 * @return true; false if the kernel refused: only this thread has passed one, so do not wait
 * without a time limit for a peer that has joined
 *
 * Costs some microseconds. Async-signal-safe.
 * Source: membarrier(2), MEMBARRIER_CMD_GLOBAL_EXPEDITED.
 */
bool ring3_fence_global(void);

int ring3_cpu_slow(void);

/**
 * The CPU this thread runs on, or -1 if the machine cannot tell cheaply. A hint: it may be stale on
 * return.
 *
 * One load from the restartable-sequence area that glibc 2.35 and later register for every thread.
 * In a program that statically links an older C library, or with RING3_DISABLE=rseq, it is the
 * getcpu system call (often a vDSO call).
 */
static inline int ring3_cpu(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
    extern const ptrdiff_t __rseq_offset;
    if (ring3_likely(!ring3_load(&ring3_arch.no_rseq, RING3_RELAXED)))
        /* struct rseq: cpu_id_start, cpu_id. Only the kernel writes it, between any two of our
         * instructions. */
        return (int)ring3_thread_word(__rseq_offset + 4);
#endif
    return ring3_cpu_slow();
}

RING3_API_END

#endif
