/* SPDX-License-Identifier: MIT */
#ifndef CONTEXT_FRAME_H
#define CONTEXT_FRAME_H

#include "ring3/context.h"

/* Where the registers of a stopped context lie, as arch/machine.h has them; NULL if ucontext has them, or
 * it never ran. Of one that runs it is where they were. */
const void *ring3_context_frame(const ring3_context_t *context);

#endif
