/* SPDX-License-Identifier: MIT */
/*
 * The switch on aarch64 (AAPCS64): x19 to x30, d8 to d15 and sp are the callee's to preserve, and
 * so is FPCR, which context.c sees to where it matters.
 *
 * It ends with `ret`, the only indirect branch that needs no landing pad under branch target
 * identification. `after` is entered as if the resumed code had called it; x16 is a register that
 * may branch to a function's pad.
 */
#if defined(__aarch64__) && !defined(__ILP32__)
    .text

/* machine_switch(x0: void **from, x1: void *to, x2: after, x3: arg) */
    .globl machine_switch
    .hidden machine_switch
    .type machine_switch, %function
    .p2align 4
machine_switch:
    .cfi_startproc
    hint #34                            /* bti c */
    sub sp, sp, #160
    .cfi_def_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    .cfi_offset x19, -160
    .cfi_offset x20, -152
    .cfi_offset x21, -144
    .cfi_offset x22, -136
    .cfi_offset x23, -128
    .cfi_offset x24, -120
    .cfi_offset x25, -112
    .cfi_offset x26, -104
    .cfi_offset x27, -96
    .cfi_offset x28, -88
    .cfi_offset x29, -80
    .cfi_offset x30, -72
    .cfi_offset b8, -64
    .cfi_offset b9, -56
    .cfi_offset b10, -48
    .cfi_offset b11, -40
    .cfi_offset b12, -32
    .cfi_offset b13, -24
    .cfi_offset b14, -16
    .cfi_offset b15, -8

    mov x9, sp
    str x9, [x0]
    mov sp, x1

    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore b8
    .cfi_restore b9
    .cfi_restore b10
    .cfi_restore b11
    .cfi_restore b12
    .cfi_restore b13
    .cfi_restore b14
    .cfi_restore b15
    cbnz x2, 1f
    ret

1:  mov x16, x2
    mov x0, x3
    br x16
    .cfi_endproc
    .size machine_switch, . - machine_switch

/* machine_walk(x0: stopped, x1: step, x2: arg): _Unwind_Backtrace(step, arg), but to the unwinder the
 * caller is the stopped context, since that is what is said here of the registers. */
    .globl machine_walk
    .hidden machine_walk
    .type machine_walk, %function
    .p2align 4
machine_walk:
    .cfi_startproc
    hint #34                            /* bti c */
    stp x19, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x19, -16
    .cfi_offset x30, -8
    mov x19, x0
    mov x0, x1
    mov x1, x2
    .cfi_remember_state
    .cfi_def_cfa x19, 160
    .cfi_offset x19, -160
    .cfi_offset x20, -152
    .cfi_offset x21, -144
    .cfi_offset x22, -136
    .cfi_offset x23, -128
    .cfi_offset x24, -120
    .cfi_offset x25, -112
    .cfi_offset x26, -104
    .cfi_offset x27, -96
    .cfi_offset x28, -88
    .cfi_offset x29, -80
    .cfi_offset x30, -72
    bl _Unwind_Backtrace
    .cfi_restore_state
    ldp x19, x30, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x30
    ret
    .cfi_endproc
    .size machine_walk, . - machine_walk

/* The first frame: x19 is the entry function, x20 its argument. Unwinders stop here. They look up a
 * return address by the instruction before it, so the description begins one early. */
    .type machine_start, %function
    .p2align 4
    .cfi_startproc
    .cfi_undefined x30
    nop
    .globl machine_start
    .hidden machine_start
    .hidden machine_returned
machine_start:
    mov x0, x20
    blr x19
    bl machine_returned
    .cfi_endproc
    .size machine_start, . - machine_start

/* This file has its landing pads: do not switch branch target identification off for the program.
 * (GNU property note, GNU_PROPERTY_AARCH64_FEATURE_1_AND = BTI.) */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .word 4, 16, 5
    .asciz "GNU"
    .word 0xc0000000, 4, 1, 0
#endif
    .section .note.GNU-stack, "", %progbits
