/* SPDX-License-Identifier: MIT */
/* Numbers as text where stdio may not be used. */
#ifndef RING3_NUMBER_H
#define RING3_NUMBER_H

#include <stdint.h>

#define NUMBER_MAX 24

/* The number in `text`, written backwards from its end. */
static inline const char *number_text(uintptr_t number, unsigned base, char text[NUMBER_MAX])
{
    char *at = text + NUMBER_MAX;

    *--at = '\0';
    do
        *--at = "0123456789abcdef"[number % base];
    while (number /= base);
    return at;
}

#endif
