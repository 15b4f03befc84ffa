/* SPDX-License-Identifier: MIT */
/*
 * ring3/atomic.h for the explorer: the same operations, each a point where another thread may run
 * and, for loads, where an older value may be read. Shipped sources compile against this file.
 */
#ifndef RING3_ATOMIC_H
#define RING3_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING3_RELAXED __ATOMIC_RELAXED
#define RING3_ACQUIRE __ATOMIC_ACQUIRE
#define RING3_RELEASE __ATOMIC_RELEASE
#define RING3_ACQ_REL __ATOMIC_ACQ_REL
#define RING3_SEQ_CST __ATOMIC_SEQ_CST

/* Where an access stands in the source; what a mutation weakens. */
struct model_site {
    const char *file;
    int line, order;
    const char *what;
};

enum model_update { MODEL_SET, MODEL_ADD, MODEL_SUB, MODEL_AND, MODEL_OR, MODEL_XOR };

uint64_t model_load(const void *place, size_t size, const struct model_site *site);
void model_store(void *place, size_t size, uint64_t value, const struct model_site *site);
uint64_t model_update(void *place, size_t size, enum model_update how, uint64_t value,
                      const struct model_site *site);
bool model_cas(void *place, size_t size, uint64_t *expected, uint64_t value,
               const struct model_site *site);

/* Some orders are parameters of inline functions. */
#define model_here(operation, given)                                                               \
    (__extension__({                                                                               \
        static struct model_site site_ = {__FILE__, __LINE__,                                      \
                                          __builtin_constant_p(given) ? (given) : 0, operation};   \
        site_.order = (given);                                                                     \
        &site_;                                                                                    \
    }))

#define ring3_load(p, order)                                                                       \
    ((__typeof__(*(p)))model_load(p, sizeof *(p), model_here("load", order)))
#define ring3_store(p, v, order)                                                                   \
    model_store(p, sizeof *(p), (uint64_t)(v), model_here("store", order))
#define model_rmw(p, how, v, what, order)                                                          \
    ((__typeof__(*(p)))model_update(p, sizeof *(p), how, (uint64_t)(v), model_here(what, order)))
#define ring3_exchange(p, v, order)  model_rmw(p, MODEL_SET, v, "exchange", order)
#define ring3_fetch_add(p, v, order) model_rmw(p, MODEL_ADD, v, "fetch_add", order)
#define ring3_fetch_sub(p, v, order) model_rmw(p, MODEL_SUB, v, "fetch_sub", order)
#define ring3_fetch_and(p, v, order) model_rmw(p, MODEL_AND, v, "fetch_and", order)
#define ring3_fetch_or(p, v, order)  model_rmw(p, MODEL_OR, v, "fetch_or", order)
#define ring3_fetch_xor(p, v, order) model_rmw(p, MODEL_XOR, v, "fetch_xor", order)

#define ring3_cas_try(p, expected, v, order)                                                       \
    (__extension__({                                                                               \
        uint64_t expected_ = (uint64_t)(*(expected));                                              \
        const bool done_ =                                                                         \
            model_cas(p, sizeof *(p), &expected_, (uint64_t)(v), model_here("cas", order));        \
        *(expected) = (__typeof__(*(p)))expected_;                                                 \
        done_;                                                                                     \
    }))
#define ring3_cas_weak(p, expected, v, order) ring3_cas_try(p, expected, v, order)
#define ring3_cas(p, expected, v, order)                                                           \
    (__extension__({                                                                               \
        __typeof__(*(p)) ring3_seen_ = (expected);                                                 \
        (void)ring3_cas_try(p, &ring3_seen_, v, order);                                            \
        ring3_seen_;                                                                               \
    }))

#define ring3_test_and_set(p, order) ring3_exchange((uint8_t *)(p), 1, order)
#define ring3_clear(p, order)        ring3_store((uint8_t *)(p), 0, order)

#define ring3_read_once(p)           (*(const volatile __typeof__(*(p)) *)(p))
#define ring3_write_once(p, v)       (*(volatile __typeof__(*(p)) *)(p) = (v))
#define ring3_compiler_barrier()     ((void)0)

#endif
