/* SPDX-License-Identifier: MIT */
/* x86-64 instructions behind ring3/arch.h. */
#ifndef RING3_ARCH_X86_64_H
#define RING3_ARCH_X86_64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING3_CACHE_LINE 64

static inline void ring3_cpu_relax(void)
{
    __asm__ __volatile__("pause" ::: "memory");
}

static inline uint64_t ring3_cycles(void)
{
    uint32_t low, high;

    __asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/*
 * The word `offset` bytes from the thread control block, in one instruction: a context that is
 * switched to another kernel thread must not read what belongs to the one before.
 */
static inline uint32_t ring3_thread_word(ptrdiff_t offset)
{
    uint32_t word;

    __asm__ __volatile__("movl %%fs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
}

/* The same for pointers: where the thread-local one of that name is, from the thread control block,
 * and the pointer at such a place. */
#define RING3_HAVE_THREAD_POINTERS 1
#define RING3_THREAD_OFFSET(name)                                                                  \
    __extension__({                                                                                \
        ptrdiff_t offset_;                                                                         \
        __asm__("movq " #name "@gottpoff(%%rip), %0" : "=r"(offset_));                             \
        offset_;                                                                                   \
    })

static inline void *ring3_thread_pointer(ptrdiff_t offset)
{
    void *pointer;

    __asm__ __volatile__("movq %%fs:(%1), %0" : "=r"(pointer) : "r"(offset));
    return pointer;
}

static inline void ring3_thread_pointer_set(ptrdiff_t offset, void *pointer)
{
    __asm__ __volatile__("movq %1, %%fs:(%0)" ::"r"(offset), "r"(pointer));
}

/*
 * *word += value, if this thread runs on `cpu` from the comparison to the addition; false, and
 * nothing added, if not. `area` is where the thread's struct rseq lies, from the thread control
 * block. The kernel jumps to 4 when it preempts or interrupts between 1 and 2; the bytes before 4
 * are the signature it asks for (rseq(2)). The descriptor is withdrawn at the end, in case this
 * code is unloaded.
 */
#define RING3_HAVE_RSEQ 1
static inline bool ring3_rseq_add(ptrdiff_t area, uint32_t cpu, uint64_t *word, uint64_t value)
{
    __asm__ goto(".pushsection __rseq_cs, \"aw\"\n"
                 ".balign 32\n"
                 "3: .long 0, 0\n"
                 ".quad 1f, 2f - 1f, 4f\n"
                 ".popsection\n"
                 "leaq 3b(%%rip), %%rax\n"
                 "movq %%rax, %%fs:8(%0)\n"
                 "1: cmpl %1, %%fs:4(%0)\n"
                 "jnz %l[moved]\n"
                 "addq %3, (%2)\n"
                 "2: movq $0, %%fs:8(%0)\n"
                 ".pushsection __rseq_failure, \"ax\"\n"
                 ".byte 0x0f, 0xb9, 0x3d\n"
                 ".long 0x53053053\n"
                 "4: jmp %l[moved]\n"
                 ".popsection\n" ::"r"(area),
                 "r"(cpu), "r"(word), "r"(value)
                 : "rax", "cc", "memory"
                 : moved);
    return true;
moved:
    return false;
}

#endif
