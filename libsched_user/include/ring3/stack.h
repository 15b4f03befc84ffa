/* SPDX-License-Identifier: MIT */
/*
 * Stacks for contexts, guarded and used again.
 *
 *     ring3_stack_t *stack;
 *     int err = ring3_stack_get(64 << 10, "parser", &stack);
 *     …use stack->base, stack->size…
 *     ring3_stack_put(stack);
 *
 * Sizes come in classes of 16K, 64K, 256K, 1M and 4M, less one page that guards the lower end. Each
 * class reserves address space in slabs that double in size; memory is bound to a stack only where
 * it is touched, and a stack that is given back is the next to be handed out. Free stacks keep
 * their pages up to RING3_STACK_WARM bytes of each class; beyond that pages go back to the kernel
 * with the stack.
 *
 * The guard is the best that can be had:
 *   RING3_STACK_MARKED     a guard marker in the page table (Linux 6.13), at no cost in mappings
 *   RING3_STACK_PROTECTED  mprotect, which costs two mappings, for so many stacks as the budget allows
 *   RING3_STACK_CANARY     a pattern at the lower end, looked at when the stack is given back; the
 *                          first such stack is told in one line on stderr
 * RING3_DISABLE=guard (ring3_env_disable) does without the first.
 *
 * A kernel thread that called ring3_stack_watch tells an overflow by name before it dies of it:
 *
 *     ring3: stack overflow in parser (16 KiB), created at /usr/bin/prog+0x1234
 *
 * where `addr2line -e /usr/bin/prog 0x1234` knows the line.
 *
 * Thread-safe. Not async-signal-safe. A forked child has all stacks of its parent and may give back
 * those that it does not run on.
 */
#ifndef RING3_STACK_H
#define RING3_STACK_H

#include "ring3/api.h"

#include <stddef.h>
#include <stdint.h>

RING3_API_BEGIN

typedef enum ring3_stack_guard {
    RING3_STACK_MARKED,
    RING3_STACK_PROTECTED,
    RING3_STACK_CANARY,
    RING3_STACK_GUARDS /* how many kinds there are */
} ring3_stack_guard_t;

typedef struct ring3_stack {
    char *base;  /* lowest byte that may be used */
    size_t size; /* bytes that may be used */
    /* The rest is private. */
    const char *name;
    const void *maker; /* code address that ring3_stack_get returned to */
    struct ring3_stack *next;
    uint8_t class_index, guard, fresh, unused[5];
} ring3_stack_t;

/* Bytes of stacks that a class keeps warm. */
#define RING3_STACK_WARM ((size_t)4 << 20)

/* The largest class. */
#define RING3_STACK_MAX ((size_t)4 << 20)

/**
 * Take a stack.
 *
 * @param size  bytes wanted, guard included: the smallest class that has as much is taken.
 *              0: the smallest
 * @param name  for the message on overflow; must live as long as the stack is out. NULL: "a context"
 * @return 0; -EINVAL for a size beyond RING3_STACK_MAX; -EAGAIN if address space ran out
 *
 * The contents are arbitrary. O(1), and no system call once the class has free stacks.
 */
int ring3_stack_get(size_t size, const char *name, ring3_stack_t **stack);

/** Say who made the stack, for the message on overflow: a code address, such as
 * __builtin_return_address(0). */
void ring3_stack_set_maker(ring3_stack_t *stack, const void *maker);

/**
 * Give a stack back. Nobody may run on it. A canary that was overwritten is told on stderr.
 *
 * @return 0; -EOVERFLOW if its canary was overwritten: what lies below was damaged
 */
int ring3_stack_put(ring3_stack_t *stack);

/**
 * Bytes of the stack that were ever touched since its pages were last returned to the kernel, by
 * this user or an earlier one; whole pages. Swapped-out pages do not count.
 */
size_t ring3_stack_high_water(const ring3_stack_t *stack);

/** Return the pages of all free stacks to the kernel. One system call for each warm stack. */
void ring3_stack_reap(void);

/** How many stacks may be guarded by mprotect (8192 unless set: 16384 mappings of the 65530 that
 * Linux allows by default). Stacks that have their guard keep it. */
void ring3_stack_set_budget(uint32_t stacks);

/**
 * Make this kernel thread tell overflows: gives it an alternate signal stack, unless it has one,
 * which goes when the thread ends, and handles SIGSEGV and SIGBUS for the process. Faults that are
 * no overflow go to the handlers that were there before. Cheap when called again.
 *
 * @return 0 or a negative errno: then overflows end the process without a word
 */
int ring3_stack_watch(void);

typedef struct ring3_stack_stats {
    size_t reserved;                     /* bytes of address space */
    uint64_t used;                       /* stacks that are out */
    uint64_t warm, cold;                 /* free stacks with and without their pages */
    uint64_t guards[RING3_STACK_GUARDS]; /* stacks ever handed out, by guard */
} ring3_stack_stats_t;

/** Counts of this moment. */
void ring3_stack_stats(ring3_stack_stats_t *stats);

RING3_API_END

#endif
