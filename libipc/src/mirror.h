/* SPDX-License-Identifier: MIT */
/* A file mapped so that its end is followed by its beginning again. */
#ifndef RING3_IPC_MIRROR_H
#define RING3_IPC_MIRROR_H

#include <stddef.h>
#include <stdint.h>

/*
 * Maps, in a row, `ahead` bytes from `offset`, the `capacity` bytes behind them, and those once more.
 * All are multiples of the page size. `protection` as for mmap. Returns 0 or a negative errno.
 */
int ring3_mirror_map(void **base, int fd, uint64_t offset, size_t ahead, size_t capacity,
                     int protection);
void ring3_mirror_unmap(void *base, size_t ahead, size_t capacity);

size_t ring3_page_size(void);

#endif
