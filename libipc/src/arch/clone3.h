/* SPDX-License-Identifier: MIT */
/*
 * clone3(2) for a child that calls a function on a stack of its own and never returns from it. libc has no such
 * call; without it, CLONE_CLEAR_SIGHAND and what came later cannot be had.
 *
 * The child has our registers and the end of its stack as stack pointer: what it is to call is in registers that
 * the kernel preserves. A negative result is the kernel's error; -ENOSYS on machines not named here.
 */
#ifndef RING3_ARCH_CLONE3_H
#define RING3_ARCH_CLONE3_H

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long ring3_clone3(struct clone_args *args, int (*function)(void *), void *argument)
{
    long result = SYS_clone3;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "movq %[argument], %%rdi\n\t"
                     "call *%[function]\n\t"
                     "ud2\n"
                     "1:"
                     : "+a"(result)
                     : "D"(args),
                       "S"(sizeof *args), [function] "r"(function), [argument] "r"(argument)
                     : "rcx", "r11", "cc", "memory");
    return result;
}

#elif defined(__aarch64__)

static inline long ring3_clone3(struct clone_args *args, int (*function)(void *), void *argument)
{
    register long x0 __asm__("x0") = (long)args;
    register size_t x1 __asm__("x1") = sizeof *args;
    register long x8 __asm__("x8") = SYS_clone3;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x0, %[argument]\n\t"
                     "blr %[function]\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x1), "r"(x8), [function] "r"(function), [argument] "r"(argument)
                     : "cc", "memory");
    return x0;
}

#else

static inline long ring3_clone3(struct clone_args *args, int (*function)(void *), void *argument)
{
    (void)args, (void)function, (void)argument;
    return -ENOSYS;
}

#endif

#endif
