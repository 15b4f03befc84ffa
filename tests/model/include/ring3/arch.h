/* SPDX-License-Identifier: MIT */
/*
 * ring3/arch.h for the explorer. One CPU, so that nobody spins for long: every schedule of spinning
 * threads is also one of threads that look again when they are woken.
 */
#ifndef RING3_ARCH_H
#define RING3_ARCH_H

#include "ring3/api.h"
#include "ring3/atomic.h"

#define RING3_CACHE_LINE      64
#define RING3_CACHE_ALIGNED   __attribute__((aligned(RING3_CACHE_LINE)))
#define RING3_START_FIRST     101
#define ring3_likely(claim)   __builtin_expect(!!(claim), 1)
#define ring3_unlikely(claim) __builtin_expect(!!(claim), 0)

struct ring3_arch {
    uint32_t membarrier;
    int32_t cpus;
    uint32_t no_rseq;
};
extern struct ring3_arch ring3_arch;

enum model_fence { MODEL_FULL, MODEL_ACQUIRE, MODEL_RELEASE, MODEL_LIGHT, MODEL_HEAVY };
void model_fence(enum model_fence kind, const struct model_site *site);
void model_relax(void);

/* The order stands for "may be left out": a mutation makes it relaxed. */
#define ring3_fence_full()    model_fence(MODEL_FULL, model_here("full fence", RING3_SEQ_CST))
#define ring3_fence_acquire() model_fence(MODEL_ACQUIRE, model_here("acquire fence", RING3_ACQUIRE))
#define ring3_fence_release() model_fence(MODEL_RELEASE, model_here("release fence", RING3_RELEASE))
#define ring3_fence_light()   model_fence(MODEL_LIGHT, model_here("light fence", RING3_RELAXED))
#define ring3_fence_heavy()                                                                        \
    (model_fence(MODEL_HEAVY, model_here("heavy fence", RING3_SEQ_CST)), true)

/* Between processes, which are threads here. */
#define ring3_fence_global()                                                                       \
    (model_fence(MODEL_HEAVY, model_here("global fence", RING3_SEQ_CST)), true)

static inline bool ring3_fence_global_join(void)
{
    return true;
}

static inline void ring3_cpu_relax(void)
{
    model_relax();
}

static inline int ring3_cpu(void)
{
    return 0;
}

static inline uint64_t ring3_cycles(void)
{
    return 0;
}

#endif
