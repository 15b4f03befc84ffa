/* SPDX-License-Identifier: MIT */
/*
 * Atomic access: every word that two threads touch at once is read and written through this header,
 * with its memory order stated at the access.
 *
 *     old = ring3_fetch_add(&lock->next, 1, RING3_RELAXED);
 *     while (ring3_load(&lock->serving, RING3_ACQUIRE) != old) …
 *
 * The operations are generic over integers and pointers of 1, 2, 4 and 8 bytes, work on plain
 * fields (public structs stay valid C++), and compile to the GCC __atomic builtins. Orders are
 * those of C11; there is no consume. Fences that stand alone are in ring3/arch.h, because they need
 * a comment for TSan and, on some machines, a system call.
 *
 * Safe in signal handlers and across fork. Source: ISO C11 section 7.17; the three named operations
 * of the literature (test-and-set, fetch-and-add, compare-and-swap) carry those names.
 */
#ifndef RING3_ATOMIC_H
#define RING3_ATOMIC_H

#define RING3_RELAXED __ATOMIC_RELAXED
#define RING3_ACQUIRE __ATOMIC_ACQUIRE
#define RING3_RELEASE __ATOMIC_RELEASE
#define RING3_ACQ_REL __ATOMIC_ACQ_REL
#define RING3_SEQ_CST __ATOMIC_SEQ_CST

/** The value of *p. Order: relaxed, acquire or seq_cst. */
#define ring3_load(p, order) __atomic_load_n(p, order)

/** Write v to *p. Order: relaxed, release or seq_cst. */
#define ring3_store(p, v, order) __atomic_store_n(p, v, order)

/** Write v to *p and return what was there. */
#define ring3_exchange(p, v, order) __atomic_exchange_n(p, v, order)

/** Arithmetic and logic on *p; each returns the value before the operation. */
#define ring3_fetch_add(p, v, order) __atomic_fetch_add(p, v, order)
#define ring3_fetch_sub(p, v, order) __atomic_fetch_sub(p, v, order)
#define ring3_fetch_and(p, v, order) __atomic_fetch_and(p, v, order)
#define ring3_fetch_or(p, v, order)  __atomic_fetch_or(p, v, order)
#define ring3_fetch_xor(p, v, order) __atomic_fetch_xor(p, v, order)

/* A failed compare-and-swap is a load: it keeps the acquire part of the order and drops the release
 * part. */
#define ring3_failure_order(order)                                                                 \
    ((order) == RING3_SEQ_CST                                                                      \
         ? RING3_SEQ_CST                                                                           \
         : ((order) == RING3_ACQUIRE || (order) == RING3_ACQ_REL ? RING3_ACQUIRE : RING3_RELAXED))

/**
 * Compare-and-swap, try form: if *p equals *expected, write v and return true; else copy *p to
 * *expected and return false. Never fails spuriously.
 */
#define ring3_cas_try(p, expected, v, order)                                                       \
    __atomic_compare_exchange_n(p, expected, v, 0, order, ring3_failure_order(order))

/** Compare-and-swap, try form for loops: as above, but may fail although the values were equal
 * (LL/SC machines). */
#define ring3_cas_weak(p, expected, v, order)                                                      \
    __atomic_compare_exchange_n(p, expected, v, 1, order, ring3_failure_order(order))

/** Compare-and-swap, value form: if *p equals `expected`, write v. Returns what was in *p, so
 * success is "== expected". */
#define ring3_cas(p, expected, v, order)                                                           \
    (__extension__({                                                                               \
        __typeof__(*(p)) ring3_seen_ = (expected);                                                 \
        (void)ring3_cas_try(p, &ring3_seen_, v, order);                                            \
        ring3_seen_;                                                                               \
    }))

/** Set the flag byte *p; true if it was set already. Cleared by ring3_clear. */
#define ring3_test_and_set(p, order) __atomic_test_and_set(p, order)
#define ring3_clear(p, order)        __atomic_clear(p, order)

/**
 * Read or write once: the compiler may neither tear, repeat, merge nor invent the access. No order,
 * and no atomicity beyond what one aligned machine word has. For values that only signal handlers
 * of the same thread, or a debugger, share; between threads use ring3_load and ring3_store.
 */
#define ring3_read_once(p)     (*(const volatile __typeof__(*(p)) *)(p))
#define ring3_write_once(p, v) (*(volatile __typeof__(*(p)) *)(p) = (v))

/** Keep the compiler (not the machine) from moving memory accesses across this point. */
#define ring3_compiler_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
