/* SPDX-License-Identifier: MIT */
/*
 * A byte of our own for every 16 bytes of heap, far from the heap: what the hardening knows about
 * the block that starts there. No overflow of a block reaches it.
 */
#ifndef RING3_SHADOW_H
#define RING3_SHADOW_H

#include <stdint.h>

#define SHADOW_SHIFT 4

/* The byte of `block`, a pointer into the heap. NULL when there is no memory for it. All are zero at
 * first. Without a lock. */
uint8_t *ring3_shadow(const void *block);

/* Every block whose byte is not zero, by address. Nobody else may be about. */
void ring3_shadow_for_each(void (*visit)(void *block, uint8_t state));

#endif
