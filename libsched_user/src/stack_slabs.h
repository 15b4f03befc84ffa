/* SPDX-License-Identifier: MIT */
/* Which stack an address belongs to: what stack.c knows and the fault handler asks. */
#ifndef STACK_SLABS_H
#define STACK_SLABS_H

#include "ring3/stack.h"

#include <stdbool.h>

/* The stack whose guard page holds the address, or NULL. Takes no lock; async-signal-safe. */
const ring3_stack_t *stack_guarding(const char *address);

/* The size of its class. */
size_t stack_class_size(const ring3_stack_t *stack);

#define STACK_PLACE_MAX 256

/* Writes "file+0xoffset" of a code address into `text`. Async-signal-safe. */
void stack_place(char text[STACK_PLACE_MAX], const void *code);

/* Tells of an overflow in one line on stderr. Async-signal-safe. */
void stack_tell(const ring3_stack_t *stack, const char *what);

#endif
