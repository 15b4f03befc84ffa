/* SPDX-License-Identifier: MIT */
/* The kernel's number of the calling thread, which words in the kernel's layout hold. */
#ifndef RING3_THREAD_ID_H
#define RING3_THREAD_ID_H

#include <stdint.h>

uint32_t ring3_thread_id(void);

#endif
