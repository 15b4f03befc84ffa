/* SPDX-License-Identifier: MIT */
#ifndef RING3_MISUSE_H
#define RING3_MISUSE_H

#include <stddef.h>

struct ring3_policy;

/* Say on one line what is wrong with the pointer given to `call`, and abort. `owner` is the chunk's
 * owner or NULL, `err` what the policy said. No lock may be held. */
_Noreturn void ring3_misuse(const char *call, const void *p, const struct ring3_policy *policy,
                            void *owner, int err);

/* The block at `p` is smaller than the caller of free_sized believes. */
_Noreturn void ring3_misuse_size(const char *call, const void *p, size_t usable, size_t size);

#endif
