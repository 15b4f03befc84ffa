/* SPDX-License-Identifier: MIT */
/*
 * The switch on x86-64 (System V ABI): rbx, rbp and r12 to r15 are the callee's to preserve, and so
 * are the floating-point control words, which context.c sees to where they matter.
 *
 * It pops and jumps: a return would be predicted to go back to the caller of this call, which it
 * never does. `after` is entered as if the resumed code had called it.
 *
 * The call frame information holds on both sides, since both stacks have the same layout.
 */
#if defined(__x86_64__) && !defined(__ILP32__)
    .text

/* machine_switch(rdi: void **from, rsi: void *to, rdx: after, rcx: arg) */
    .globl machine_switch
    .hidden machine_switch
    .type machine_switch, @function
    .p2align 4
machine_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0

    movq %rsp, (%rdi)
    movq %rsi, %rsp

    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    testq %rdx, %rdx
    jnz 1f
    popq %r8
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %r8
    notrack jmp *%r8

1:  .cfi_def_cfa_offset 8
    .cfi_offset %rip, -8
    movq %rcx, %rdi
    jmp *%rdx
    .cfi_endproc
    .size machine_switch, . - machine_switch

/* machine_walk(rdi: stopped, rsi: step, rdx: arg): _Unwind_Backtrace(step, arg), but to the unwinder the
 * caller is the stopped context, since that is what is said here of the registers. */
    .globl machine_walk
    .hidden machine_walk
    .type machine_walk, @function
    .p2align 4
machine_walk:
    .cfi_startproc
    endbr64
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    movq %rdi, %rbx
    movq %rsi, %rdi
    movq %rdx, %rsi
    .cfi_remember_state
    .cfi_def_cfa %rbx, 56
    .cfi_offset %r15, -56
    .cfi_offset %r14, -48
    .cfi_offset %r13, -40
    .cfi_offset %r12, -32
    .cfi_offset %rbx, -24
    .cfi_offset %rbp, -16
    .cfi_offset %rip, -8
    call *_Unwind_Backtrace@GOTPCREL(%rip)
    .cfi_restore_state
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size machine_walk, . - machine_walk

/* The first frame: rbx is the argument, r12 the entry function. Unwinders stop here. They look up a
 * return address by the byte before it, so the description begins one byte early. */
    .type machine_start, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined %rip
    nop
    .globl machine_start
    .hidden machine_start
    .hidden machine_returned
machine_start:
    endbr64
    movq %rbx, %rdi
    call *%r12
    call machine_returned
    .cfi_endproc
    .size machine_start, . - machine_start
#endif
    .section .note.GNU-stack, "", @progbits
