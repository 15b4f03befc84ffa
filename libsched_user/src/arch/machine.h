/* SPDX-License-Identifier: MIT */
/*
 * What a machine brings to contexts: the switch, its first frame, and the floating-point control
 * words, packed into 64 bits.
 *
 * A stopped context is the address of its saved registers, in the order of `machine_frame`; the
 * assembly files and this one must agree. Machines that are not here use ucontext.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>
#include <unwind.h>

#if defined(__x86_64__) && !defined(__ILP32__)

#define MACHINE_NAME  "x86-64"
#define MACHINE_ENTRY .r12
#define MACHINE_ARG   .rbx

struct machine_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    void (*resume)(void);
};

/* The MXCSR's control bits; below them are the flags of exceptions that happened, which are no
 * context's. */
#define MXCSR_CONTROL UINT32_C(0xffc0)

/* Low half: MXCSR; high half: x87 control word. */
static inline uint64_t machine_fp_read(void)
{
    uint32_t mxcsr;
    uint16_t x87;

    __asm__ __volatile__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return (uint64_t)x87 << 32 | (mxcsr & MXCSR_CONTROL);
}

static inline void machine_fp_write(uint64_t words)
{
    uint32_t mxcsr;
    const uint16_t x87 = (uint16_t)(words >> 32);

    __asm__ __volatile__("stmxcsr %0" : "=m"(mxcsr));
    mxcsr = (mxcsr & ~MXCSR_CONTROL) | (uint32_t)words;
    __asm__ __volatile__("ldmxcsr %0\n\tfldcw %1" ::"m"(mxcsr), "m"(x87));
}

#elif defined(__aarch64__) && !defined(__ILP32__)

#define MACHINE_NAME  "aarch64"
#define MACHINE_ENTRY .x19
#define MACHINE_ARG   .x20

struct machine_frame {
    uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, fp;
    void (*resume)(void);
    uint64_t d[8];
};

static inline uint64_t machine_fp_read(void)
{
    uint64_t fpcr;

    __asm__ __volatile__("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static inline void machine_fp_write(uint64_t words)
{
    __asm__ __volatile__("msr fpcr, %0" ::"r"(words));
}

#else

#define MACHINE_NAME "ucontext"
#define MACHINE_NONE 1

/* ucontext decides whose they are. */
static inline uint64_t machine_fp_read(void)
{
    return 0;
}

static inline void machine_fp_write(uint64_t words)
{
    (void)words;
}

/* Never called. */
static inline void *machine_first_frame(void *top, void (*entry)(void *), void *arg)
{
    (void)entry, (void)arg;
    return top;
}

static inline void machine_switch(void **from, void *to, void (*after)(void *), void *arg)
{
    (void)from, (void)to, (void)after, (void)arg;
}

#endif

#ifndef MACHINE_NONE

/* Save the registers on the stack and their address in *from, take the others' from `to`, and go on
 * there; if `after` is not NULL, by way of after(arg). */
__attribute__((visibility("hidden"))) void machine_switch(void **from, void *to,
                                                          void (*after)(void *), void *arg);

/* Where a new context begins: calls the entry function of its first frame, and machine_returned
 * should that return. */
__attribute__((visibility("hidden"))) void machine_start(void);

/* Walk the calls of a stopped context, whose stack must stay as it is; the first step is machine_walk
 * itself. Nothing is written to that stack. */
__attribute__((visibility("hidden"))) _Unwind_Reason_Code
machine_walk(const void *stopped, _Unwind_Trace_Fn step, void *arg);

/* Put the first frame below `top`; returns its address. */
static inline void *machine_first_frame(void *top, void (*entry)(void *), void *arg)
{
    struct machine_frame *const frame =
        (struct machine_frame *)((uintptr_t)top & ~(uintptr_t)15) - 1;

    *frame = (struct machine_frame){MACHINE_ENTRY = (uintptr_t)entry, MACHINE_ARG = (uintptr_t)arg,
                                    .resume = machine_start};
    return frame;
}

#endif

__attribute__((visibility("hidden"), noreturn)) void machine_returned(void);

#endif
