/* SPDX-License-Identifier: MIT */
/*
 * Pages that nobody may touch. MADV_GUARD_INSTALL (Linux 6.13) makes them without a mapping of their
 * own; where it is missing (or RING3_DISABLE=guard) mprotect does, for a bounded number of them,
 * because each splits a mapping and the kernel allows a process only so many.
 */
#ifndef RING3_REDZONE_H
#define RING3_REDZONE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Forbid whole pages. Their content is lost. False if that would be one mapping too many: they are
 * as they were, or cleared.
 */
bool ring3_redzone_set(void *start, size_t length);

/* Allow what ring3_redzone_set forbade; it reads as zero. */
void ring3_redzone_clear(void *start, size_t length);

#endif
