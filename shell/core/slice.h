/* SPDX-License-Identifier: MIT */
/* ${x:offset:length} and ${x/pattern/text}, extensions: the parts that need no more than a text. */
#ifndef R3SH_SLICE_H
#define R3SH_SLICE_H

#include "core/expand.h"
#include "lang/pattern.h"

struct slice {
    long from, length; /* from < 0: before the begin; length: LONG_MAX if none was given */
};

struct replacement {
    enum parameter_op op;
    struct pattern pattern;
    bool nothing; /* an empty pattern */
    const char *text;
    size_t length;
};

/* Offset and length of the part, for `count` characters or elements. 0, or -1 after a message. */
int slice_read(struct shell *sh, const struct part *part, long count, struct slice *slice);
/* The slice of a text, in the arena or within it; NULL after a message. *length: in bytes, of either. */
const char *slice_text(struct shell *sh, const struct part *part, const char *text, size_t *length);

/* 0, or -1 after a message; pattern_free is the caller's then. */
int replacement_read(struct shell *sh, const struct part *part, struct replacement *how);
/* In the arena, with a NUL behind it. */
const char *replacement_make(struct shell *sh, const struct replacement *how, const char *text,
                             size_t *length);

#endif
