/* SPDX-License-Identifier: MIT */
/* Where vi's motions lead. */
#ifndef R3SH_VI_MOTION_H
#define R3SH_VI_MOTION_H

#include "edit/internal.h"

struct vi_target {
    size_t at;
    bool inclusive; /* the glyph at the end belongs to what an operator takes */
};

/* Whether the key is a motion, and where it leads from the cursor. f, t and their kin take `argument`. */
bool vi_motion(struct edit *e, edit_key key, int count, edit_key argument, struct vi_target *to);
/* Whether the motion waits for a character. */
bool vi_motion_wants_character(edit_key key);

#endif
