/* SPDX-License-Identifier: MIT */
/* Misuse of the heap: one line, then SIGABRT. Neither stdio nor the heap is used on the way. */
#include "misuse.h"

#include "guarded.h"
#include "number.h"
#include "policy.h"

#include "ring3/env.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

_Noreturn void ring3_misuse(const char *call, const void *p, const struct ring3_policy *policy,
                            void *owner, int err)
{
    char pointer[NUMBER_MAX], start[NUMBER_MAX], size[NUMBER_MAX];
    const char *parts[] = {"ring3 malloc: ",
                           call,
                           "(0x",
                           number_text((uintptr_t)p, 16, pointer),
                           "): ",
                           "",
                           "",
                           "",
                           "",
                           ""};
    const int count = sizeof parts / sizeof parts[0];
    const void *block;

    if (!owner) {
        parts[5] = "not a pointer of this heap";
    } else if (err == -EUCLEAN) {
        parts[5] = "the boundary tag of this block or a neighbour was overwritten";
    } else if (err == -EOVERFLOW) {
        parts[5] = "something was written beyond the end of this block";
    } else if (err == -ERANGE) {
        parts[5] = "something was written before the start of this block";
    } else if (err == -ESTALE) {
        parts[5] = "something was written to this block after it was freed";
    } else if (err == -EALREADY) {
        parts[5] = "freed already";
    } else if ((block = policy->covering(owner, p)) && block != p) {
        parts[5] = "inside the block of ";
        parts[6] = number_text(policy->usable(owner, block), 10, size);
        parts[7] = " bytes at 0x";
        parts[8] = number_text((uintptr_t)block, 16, start);
        parts[9] = ", not its start";
    } else if ((uintptr_t)p % 16) {
        parts[5] = "misaligned, and in no block in use";
    } else {
        parts[5] = "no block in use: freed already, or never returned by malloc";
    }
    ring3_env_complain(parts, count);
    if (owner && ring3_guarded_owns(owner))
        ring3_guarded_show(owner, p);
    abort();
}

_Noreturn void ring3_misuse_size(const char *call, const void *p, size_t usable, size_t size)
{
    char pointer[NUMBER_MAX], has[NUMBER_MAX], said[NUMBER_MAX];
    const char *const parts[] = {
        "ring3 malloc: ",
        call,
        "(0x",
        number_text((uintptr_t)p, 16, pointer),
        "): the block has ",
        number_text(usable, 10, has),
        " bytes, the caller says ",
        number_text(size, 10, said),
    };

    ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
    abort();
}
