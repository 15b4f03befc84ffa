/* SPDX-License-Identifier: MIT */
/*
 * Blocks with pages of their own: pages that nobody may touch in front and behind, canaries in what
 * is left of the first and last page, and after the free the whole is forbidden and stays so for a
 * while. Who allocated and who freed is on record, and told when the program touches what it may
 * not.
 *
 *     | forbidden | canary  block  canary | forbidden |
 *
 * policy=debug serves everything from here, the sample layer a block now and then.
 */
#ifndef RING3_GUARDED_H
#define RING3_GUARDED_H

#include "policy.h"

#include <stdbool.h>
#include <stddef.h>

/* Once, before the rest: the handler that explains faults. */
void ring3_guarded_start(void);

/* True if the chunk owner is ours. */
bool ring3_guarded_owns(const void *owner);

/* As in policy.h. Errors besides: -EALREADY, -EOVERFLOW, -ERANGE (misuse.c says what they mean). */
void *ring3_guarded_allocate(size_t size, size_t alignment, size_t *dirty);
int ring3_guarded_release(void *owner, void *block);
int ring3_guarded_resize(void *owner, void *block, size_t size);
size_t ring3_guarded_usable(void *owner, const void *block);
void *ring3_guarded_covering(void *owner, const void *p);
size_t ring3_guarded_trim(void);
void ring3_guarded_statistics(ring3_malloc_statistics_t *statistics);
void ring3_guarded_walk(ring3_malloc_visit_t *visit, void *context);
void ring3_guarded_lock(void);
void ring3_guarded_unlock(void);
void ring3_guarded_after_fork(void);

/* Lines on stderr: who allocated and who freed the block around `p`. */
void ring3_guarded_show(void *owner, const void *p);

#endif
