/* SPDX-License-Identifier: MIT */
/* Characters are those of the locale; offsets count from 0, negative ones from the end. */
#include "core/slice.h"

#include "lang/mb.h"

#include <limits.h>

static int number_of(struct shell *sh, const struct word *word, long *number)
{
    size_t length;
    const char *const text = expand_string(sh, word, &length);
    long long value = 0;

    if (!text || (length && expand_arithmetic_text(sh, text, length, &value)))
        return -1;
    *number = value > LONG_MAX / 2   ? LONG_MAX / 2
              : value < LONG_MIN / 2 ? LONG_MIN / 2
                                     : (long)value;
    return 0;
}

int slice_read(struct shell *sh, const struct part *part, long count, struct slice *slice)
{
    const struct parameter *const parameter = part->parameter;
    const bool elements = parameter->range >= RANGE_FIELDS || parameter->kind == PARAMETER_SPECIAL;

    *slice = (struct slice){.length = LONG_MAX};
    if (number_of(sh, parameter->operand, &slice->from))
        return -1;
    if (slice->from < 0)
        slice->from += count;
    if (!parameter->second)
        return 0;
    if (number_of(sh, parameter->second, &slice->length))
        return -1;
    if (slice->length < 0 && !elements)
        slice->length += count - slice->from; /* it is the end, counted from that of the text */
    if (slice->length < 0 && slice->from >= 0 && slice->from <= count) {
        complain_at(sh, part->at, "the slice ends before it begins");
        return -1;
    }
    return 0;
}

/* Bytes of so many characters, at most all. */
static size_t bytes_of(const char *text, size_t length, long characters)
{
    size_t at = 0;

    while (at < length && characters-- > 0)
        at += mb_length(text + at, length - at);
    return at;
}

const char *slice_text(struct shell *sh, const struct part *part, const char *text, size_t *length)
{
    const bool ascii = mb_is_ascii(text, *length);
    struct slice slice;
    size_t skipped;
    long count;

    if (!ascii)
        locale_need(sh);
    count = (long)(ascii ? *length : mb_count(text, *length));
    if (slice_read(sh, part, count, &slice))
        return NULL;
    if (slice.from < 0 || slice.from > count) {
        *length = 0;
        return "";
    }
    skipped = ascii ? (size_t)slice.from : bytes_of(text, *length, slice.from);
    text += skipped;
    *length -= skipped;
    if (ascii && slice.length < (long)*length)
        *length = (size_t)slice.length;
    else if (!ascii)
        *length = bytes_of(text, *length, slice.length);
    return text;
}

int replacement_read(struct shell *sh, const struct part *part, struct replacement *how)
{
    const struct parameter *const parameter = part->parameter;
    struct buf text = {0};
    int err = -1;

    *how = (struct replacement){.op = parameter->op, .text = ""};
    if (parameter->second)
        how->text = expand_string(sh, parameter->second, &how->length);
    if (how->text && !expand_pattern(sh, parameter->operand, &text)) {
        how->nothing = !text.len && parameter->op < OP_REPLACE_PREFIX;
        locale_need(sh);
        err = pattern_compile(&how->pattern, buf_str(&text), text.len);
        if (err)
            complain_at(sh, part->at, "out of memory");
    }
    buf_free(&text);
    return err ? -1 : 0;
}

const char *replacement_make(struct shell *sh, const struct replacement *how, const char *text,
                             size_t *length)
{
    struct buf made = {0};
    size_t at = 0;
    const char *result;

    if (how->op == OP_REPLACE_SUFFIX) {
        const ssize_t begin = pattern_suffix(&how->pattern, text, *length, true);

        at = begin < 0 ? *length : (size_t)begin;
        buf_add(&made, text, at);
        if (begin >= 0)
            buf_add(&made, how->text, how->length);
        at = *length;
    }
    while (at < *length && !how->nothing) {
        const ssize_t matched = pattern_prefix(&how->pattern, text + at, *length - at, true);
        const size_t step = matched > 0 ? (size_t)matched : mb_length(text + at, *length - at);

        if (matched > 0 || (matched == 0 && how->op == OP_REPLACE_PREFIX))
            buf_add(&made, how->text, how->length);
        if (matched <= 0)
            buf_add(&made, text + at, step);
        at += step;
        if (how->op == OP_REPLACE_PREFIX || (how->op == OP_REPLACE && matched > 0))
            break;
    }
    buf_add(&made, text + at, *length - at);
    *length = made.len;
    result = arena_copy(&sh->arena, buf_str(&made), made.len);
    buf_free(&made);
    return result;
}
