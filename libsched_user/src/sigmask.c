/* SPDX-License-Identifier: MIT */
/*
 * Signal masks of user threads. The kernel knows only those of kernel threads: a carrier remembers what
 * it last told the kernel, and tells it again when a thread with another mask is to run.
 */
#include "runtime.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

static uint64_t bits_of(const sigset_t *set)
{
    uint64_t bits = 0;

    for (int signal = 1; signal < 64; signal++)
        bits |= sigismember(set, signal) == 1 ? bit(signal) : 0;
    if (runtime.options.dump_signal)
        bits &= ~bit(runtime.options.dump_signal);
    return bits & ~(bit(SIGURG) | bit(SIGSEGV) | bit(SIGBUS));
}

static void set_of(uint64_t bits, sigset_t *set)
{
    (void)sigemptyset(set);
    for (int signal = 1; signal < 64; signal++)
        if (bits & bit(signal))
            (void)sigaddset(set, signal);
}

void mask_of_carrier(struct carrier *carrier)
{
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &carrier->own_mask, sizeof(uint64_t));
    carrier->mask = carrier->own_mask;
}

void mask_for(struct carrier *carrier, const struct thread *thread)
{
    const uint64_t wanted = thread && thread->masked ? thread->rare->mask : carrier->own_mask;

    if (wanted == carrier->mask)
        return;
    carrier->mask = wanted;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &wanted, NULL, sizeof wanted);
}

int ring3_thread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    struct thread *const self = thread_here();
    struct carrier *carrier;
    uint64_t mask;

    if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
        return -EINVAL;
    if (!self)
        return -pthread_sigmask(how, set, old);
    worker_hold(self->worker);
    carrier = self->worker->carrier;
    mask = self->masked ? self->rare->mask : carrier->own_mask;
    if (old)
        set_of(mask, old);
    if (set) {
        mask = how == SIG_BLOCK     ? mask | bits_of(set)
               : how == SIG_UNBLOCK ? mask & ~bits_of(set)
                                    : bits_of(set);
        self->rare->mask = mask;
        self->masked = true;
        ring3_store(&runtime.masks, 1, RING3_RELAXED);
        if (ring3_load(&runtime.quick, RING3_RELAXED))
            ring3_store(&runtime.quick, false, RING3_RELAXED);
        mask_for(carrier, self);
    }
    worker_let_go(self->worker);
    return 0;
}
