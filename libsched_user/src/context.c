/* SPDX-License-Identifier: MIT */
/*
 * Contexts over two back ends: the machine's assembly, and ucontext.
 *
 * A switch stops one context and starts another in the same way, so that the way is a property of
 * the one that is started (IN_UCONTEXT in its flags: how it was stopped) and any two contexts may
 * switch to each other.
 *
 * The fast path is two loads and the assembly. What needs more (ucontext, control words, sanitizers)
 * leaves an `arrival` on the old stack, which arrive() carries out on the new one.
 *
 * Who saves control words: contexts with RING3_CONTEXT_FP have words of their own, the others share
 * those of the kernel thread. Whoever enters a context with own words passes on the shared ones, in
 * its fp_outer, and it restores them when it switches to one without.
 */
#include "ring3/context.h"

#include "context_frame.h"

#include "arch/machine.h"
#include "ring3/arch.h"
#include "ring3/env.h"
#include "watchers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <ucontext.h>

#define OPTIONS     (RING3_CONTEXT_FP | RING3_CONTEXT_PORTABLE)
#define IN_UCONTEXT UINT32_C(4) /* `stopped` is a ucontext_t */

/* A switch that finds one of these on either side takes the slow path. */
#define SLOW (RING3_CONTEXT_FP | IN_UCONTEXT)

struct arrival {
    ring3_context_t *from, *to;
    void (*after)(void *);
    void *arg;
    uint64_t fp;
    bool set_fp;
};

#ifdef MACHINE_NONE
#define ALWAYS RING3_CONTEXT_PORTABLE
#else
#define ALWAYS 0U
#endif

#ifdef WATCH_VALGRIND
uint8_t watch_valgrind_known;
#endif

const char *ring3_context_backend(void)
{
    return MACHINE_NAME;
}

void machine_returned(void)
{
    ring3_env_complain((const char *[]){"ring3: the entry function of a context returned"}, 1);
    abort();
}

/* On the new stack. The old one is intact until `after` has run, and may be gone then. */
WATCH_REAL_FRAME static void arrive(void *at)
{
    const struct arrival arrival = *(const struct arrival *)at;

    watch_arrive(arrival.from, arrival.to);
    if (arrival.set_fp)
        machine_fp_write(arrival.fp);
    if (arrival.after)
        arrival.after(arrival.arg);
}

/* --- Ucontext ---------------------------------------------------------------------------------- */

/* What a new context needs to know, above its stack. */
struct portable_start {
    ucontext_t place;
    ring3_context_t *context;
    void (*entry)(void *);
    void *arg;
};

/* makecontext passes ints. */
static void portable_begin(unsigned high, unsigned low)
{
    const struct portable_start *const start =
        (const struct portable_start *)((uintptr_t)high << 16 << 16 | low);

    arrive(start->context->arrival);
    start->entry(start->arg);
    machine_returned();
}

static void portable_init(ring3_context_t *context, void (*entry)(void *), void *arg)
{
    const uintptr_t top = (uintptr_t)context->stack + context->size;
    struct portable_start *const start =
        (struct portable_start *)((top - sizeof *start) & ~(uintptr_t)63);
    const uintptr_t word = (uintptr_t)start;

    (void)getcontext(&start->place);
    start->context = context;
    start->entry = entry;
    start->arg = arg;
    start->place.uc_link = NULL;
    start->place.uc_stack.ss_sp = context->stack;
    start->place.uc_stack.ss_size = (size_t)((char *)start - context->stack);
    makecontext(&start->place, (void (*)(void))portable_begin, 2, (unsigned)(word >> 16 >> 16),
                (unsigned)word);
    context->stopped = start;
    context->flags |= IN_UCONTEXT;
}

const void *ring3_context_frame(const ring3_context_t *context)
{
    return context->flags & IN_UCONTEXT ? NULL : context->stopped;
}

/* --- The switch -------------------------------------------------------------------------------- */

static void choose_fp(ring3_context_t *from, ring3_context_t *to, struct arrival *arrival)
{
    const uint64_t now = machine_fp_read();
    uint64_t outer = now;

    if (from->flags & RING3_CONTEXT_FP) {
        from->fp = now;
        outer = from->fp_outer;
    }
    arrival->fp = outer;
    if (to->flags & RING3_CONTEXT_FP) {
        to->fp_outer = outer;
        arrival->fp = to->fp;
    }
    arrival->set_fp = true;
}

/*
 * Two functions because a ucontext_t is large. TSan counts calls for each context: after watch_leave
 * nothing may be called but what switches.
 */
WATCH_REAL_FRAME static void switch_machine(struct arrival *arrival, bool for_good)
{
    ring3_context_t *const from = arrival->from, *const to = arrival->to;

    watch_leave(from, to, for_good);
    machine_switch(&from->stopped, to->stopped, arrive, arrival);
}

/* swapcontext sets the signal mask of its target: let it set the present one. */
WATCH_REAL_FRAME static void switch_portable(struct arrival *arrival, bool for_good)
{
    ring3_context_t *const from = arrival->from, *const to = arrival->to;
    ucontext_t here, *const there = to->stopped;

    (void)pthread_sigmask(SIG_SETMASK, NULL, &there->uc_sigmask);
    from->stopped = &here;
    to->arrival = arrival;
    watch_leave(from, to, for_good);
    (void)swapcontext(&here, there);
    arrive(from->arrival);
}

WATCH_REAL_FRAME static void switch_slow(ring3_context_t *from, ring3_context_t *to,
                                         void (*after)(void *), void *arg, bool for_good)
{
    const uint32_t how = to->flags & IN_UCONTEXT;
    struct arrival arrival = {.from = from, .to = to, .after = after, .arg = arg};

    /* swapcontext brings old words back, so they are set after it in any case. */
    if (((from->flags | to->flags) & RING3_CONTEXT_FP) || how)
        choose_fp(from, to, &arrival);
    from->flags = (from->flags & ~IN_UCONTEXT) | how;
    if (how)
        switch_portable(&arrival, for_good);
    else
        switch_machine(&arrival, for_good);
}

void ring3_context_switch(ring3_context_t *from, ring3_context_t *to, void (*after)(void *),
                          void *arg)
{
    if (ring3_likely(!((from->flags | to->flags) & SLOW)) && !watch_switches())
        machine_switch(&from->stopped, to->stopped, after, arg);
    else
        switch_slow(from, to, after, arg, false);
}

void ring3_context_exit(ring3_context_t *from, ring3_context_t *to, void (*after)(void *),
                        void *arg)
{
    if (ring3_likely(!((from->flags | to->flags) & SLOW)) && !watch_switches())
        machine_switch(&from->stopped, to->stopped, after, arg);
    else
        switch_slow(from, to, after, arg, true);
    __builtin_unreachable();
}

/* --- Beginning and end ------------------------------------------------------------------------- */

int ring3_context_init(ring3_context_t *context, void *stack, size_t size, void (*entry)(void *arg),
                       void *arg, uint32_t options)
{
    const bool portable = ((options | ALWAYS) & RING3_CONTEXT_PORTABLE) != 0;
    const size_t least = RING3_CONTEXT_STACK_MIN + (portable ? 2 * sizeof(ucontext_t) : 0);

    if (!stack || size < least || !entry || (options & ~OPTIONS))
        return -EINVAL;
    *context = (ring3_context_t){.flags = options, .stack = stack, .size = size};
    if (options & RING3_CONTEXT_FP)
        context->fp = machine_fp_read();
    watch_begin(context);
    if (portable)
        portable_init(context, entry, arg);
    else
        context->stopped = machine_first_frame(context->stack + size, entry, arg);
    return 0;
}

void ring3_context_fini(ring3_context_t *context)
{
    watch_end(context);
    context->stopped = NULL;
}
