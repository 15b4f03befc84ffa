/* SPDX-License-Identifier: MIT */
/* In biglock.c: give back the row of slots of a context that ends. */
#ifndef RING3_READERS_H
#define RING3_READERS_H

#include "ring3/self.h"

void ring3_readers_give_back(ring3_self_t *self);

#endif
