/* SPDX-License-Identifier: MIT */
/*
 * What a signal handler that was set by a bare rt_sigaction returns to. Where the kernel maps such code itself
 * (aarch64: in its vdso) there is nothing to name.
 *
 * RING3_RESTORER_FLAG  to be set in the action's flags, or 0
 */
#ifndef RING3_ARCH_RESTORER_H
#define RING3_ARCH_RESTORER_H

#include <stdint.h>

#if defined(__x86_64__)

void ring3_signal_return(void) __attribute__((visibility("hidden")));

/* The stack pointer is at the frame that the kernel made; 15 is rt_sigreturn. */
__asm__(".pushsection .text\n"
        ".hidden ring3_signal_return\n"
        ".type ring3_signal_return, @function\n"
        "ring3_signal_return:\n"
        "\tmovl $15, %eax\n"
        "\tsyscall\n"
        ".size ring3_signal_return, .-ring3_signal_return\n"
        ".popsection\n");

#define RING3_RESTORER_FLAG UINT64_C(0x04000000)
#define RING3_RESTORER      ((uintptr_t)ring3_signal_return)

#else

#define RING3_RESTORER_FLAG UINT64_C(0)
#define RING3_RESTORER      ((uintptr_t)0)

#endif

#endif
