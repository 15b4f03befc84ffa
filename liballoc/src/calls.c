/* SPDX-License-Identifier: MIT */
/* Return addresses by the unwind tables, which every program has, unlike frame pointers. */
#include "calls.h"

#include "number.h"

#include "ring3/env.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unwind.h>

struct walk {
    void **calls;
    int count, skip;
};

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *walk_)
{
    struct walk *const walk = walk_;
    const uintptr_t at = _Unwind_GetIP(context);

    if (walk->skip-- > 0)
        return _URC_NO_REASON;
    if (!at || walk->count == CALLS_MAX)
        return _URC_END_OF_STACK;
    walk->calls[walk->count++] = (void *)at;
    return _URC_NO_REASON;
}

void ring3_calls_note(void *calls[CALLS_MAX])
{
    /* Without this function and its caller, which are of no interest. */
    struct walk walk = {.calls = calls, .skip = 2};

    (void)_Unwind_Backtrace(note, &walk);
    if (walk.count < CALLS_MAX)
        calls[walk.count] = NULL;
}

int ring3_calls_first(void *const calls[CALLS_MAX])
{
    Dl_info own, found;
    int i = 0;

    if (!dladdr((void *)(uintptr_t)ring3_calls_show, &own) || !strstr(own.dli_fname, "libring3-"))
        return 0;
    while (i < CALLS_MAX && calls[i] && dladdr(calls[i], &found) &&
           found.dli_fbase == own.dli_fbase)
        i++;
    return i;
}

void ring3_calls_show(void *const calls[CALLS_MAX])
{
    for (int i = ring3_calls_first(calls); i < CALLS_MAX && calls[i]; i++) {
        char address[NUMBER_MAX], offset[NUMBER_MAX];
        /* A return address may be the first byte of the next function. */
        const uintptr_t at = (uintptr_t)calls[i] - 1;
        Dl_info found;
        const bool known = dladdr((void *)at, &found) != 0;
        const char *const parts[] = {
            "    at 0x", number_text(at, 16, address),
            " ",         known && found.dli_sname ? found.dli_sname : "",
            " (",        known ? found.dli_fname : "?",
            "+0x",       number_text(known ? at - (uintptr_t)found.dli_fbase : 0, 16, offset),
            ")",
        };

        ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
    }
}
