/* SPDX-License-Identifier: MIT */
/*
 * Brace expansion, an extension: what{ever,soever} is two words, {1..9} nine. Done when a word is read, since nothing
 * in it depends on values; whatever is quoted or expands is carried along as it is.
 */
#include "lang/lex_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* More words than that come from a mistake. */
#define MAX_WORDS 1000000u

/* A word as a row of units: an unquoted character, or a part that is not looked into. */
struct unit {
    int c; /* -1: the part */
    const struct part *part;
};

struct brace {
    struct parser *p;
    struct position at;
    struct word *first, **last;
    unsigned count;
    int err;
};

static void expand(struct brace *b, const struct unit *units, size_t count);

static void finish(struct brace *b, const struct unit *units, size_t count)
{
    struct word_builder w = {.p = b->p};
    struct word *word;

    w.last = &w.first;
    for (size_t i = 0; i < count; i++) {
        if (units[i].c >= 0) {
            word_put(&w, units[i].c, false);
            continue;
        }
        word_flush(&w);
        struct part *const part = word_part(&w, units[i].part->kind, false, units[i].part->at);
        struct part *const next = part->next;

        *part = *units[i].part;
        part->next = next;
    }
    if (++b->count > MAX_WORDS) {
        buf_free(&w.text);
        b->err = parse_fail(b->p, b->at, "braces make more than %u words", MAX_WORDS);
        return;
    }
    word = word_finish(&w, b->at);
    word->flags &= (uint8_t)~WORD_BRACES;
    *b->last = word;
    b->last = &word->next;
}

/* Goes on with head, one choice, tail in the place of head{…}tail. */
static void choose(struct brace *b, const struct unit *head, size_t before,
                   const struct unit *choice, size_t length, const struct unit *tail, size_t after)
{
    const size_t count = before + length + after;
    struct unit *const units = b->err ? NULL : malloc((count + 1) * sizeof(*units));

    if (!units)
        return;
    memcpy(units, head, before * sizeof(*units));
    memcpy(units + before, choice, length * sizeof(*units));
    memcpy(units + before + length, tail, after * sizeof(*units));
    expand(b, units, count);
    free(units);
}

/* The place of the } that closes the { at `open`, or `count`; *comma: there is one between them. */
static size_t closing(const struct unit *units, size_t count, size_t open, bool *comma)
{
    int depth = 0;

    *comma = false;
    for (size_t i = open; i < count; i++) {
        if (units[i].c == '{')
            depth++;
        else if (units[i].c == '}' && --depth == 0)
            return i;
        else if (units[i].c == ',' && depth == 1)
            *comma = true;
    }
    return count;
}

/* One end of {a..b}. */
static bool read_end(const char *text, long *value, bool *letter)
{
    char *end;

    *letter = text[0] && !text[1] && is_name_start((unsigned char)*text) && *text != '_';
    if (*letter) {
        *value = (unsigned char)*text;
        return true;
    }
    *value = strtol(text, &end, 10);
    return *text && *end == '\0' && labs(*value) < 1000000000;
}

/* {first..last..step}. false: it is none. */
static bool sequence(struct brace *b, const struct unit *units, size_t open, size_t close,
                     size_t count)
{
    char text[64], *second, *third, digits[32];
    bool letter, letter2;
    long first, last, step = 0;
    int width = 0;

    if (close - open - 1 >= sizeof text)
        return false;
    for (size_t i = open + 1; i < close; i++) {
        if (units[i].c <= 0)
            return false;
        text[i - open - 1] = (char)units[i].c;
    }
    text[close - open - 1] = '\0';
    second = strstr(text, "..");
    if (!second)
        return false;
    *second = '\0';
    second += 2;
    third = strstr(second, "..");
    if (third) {
        *third = '\0';
        if (!read_end(third + 2, &step, &letter) || letter)
            return false;
    }
    if (!read_end(text, &first, &letter) || !read_end(second, &last, &letter2) || letter != letter2)
        return false;
    if (!letter &&
        ((text[*text == '-'] == '0' && text[1]) || (second[*second == '-'] == '0' && second[1])))
        width = (int)(strlen(text) > strlen(second) ? strlen(text) : strlen(second));
    step = step ? labs(step) : 1;
    for (long value = first; !b->err && (first <= last ? value <= last : value >= last);
         value += first <= last ? step : -step) {
        struct unit choice[32];
        const int length = letter ? snprintf(digits, sizeof digits, "%c", (int)value)
                                  : snprintf(digits, sizeof digits, "%0*ld", width, value);

        for (int i = 0; i < length; i++)
            choice[i] = (struct unit){(unsigned char)digits[i], NULL};
        choose(b, units, open, choice, (size_t)length, units + close + 1, count - close - 1);
    }
    return true;
}

static void expand(struct brace *b, const struct unit *units, size_t count)
{
    for (size_t open = 0; open < count; open++) {
        bool comma;
        size_t close, from;
        int depth = 0;

        if (units[open].c != '{')
            continue;
        close = closing(units, count, open, &comma);
        if (close == count)
            continue;
        if (!comma) {
            if (sequence(b, units, open, close, count))
                return;
            continue;
        }
        from = open + 1;
        for (size_t i = from; i <= close; i++) {
            const int c = units[i].c;

            if ((c == ',' && depth == 0) || i == close) {
                choose(b, units, open, units + from, i - from, units + close + 1,
                       count - close - 1);
                from = i + 1;
            }
            depth += (c == '{') - (c == '}');
        }
        return;
    }
    finish(b, units, count);
}

struct word *word_braces(struct parser *p, struct word *word)
{
    struct brace b = {.p = p, .at = word->at};
    struct unit *units;
    size_t count = 0;

    for (const struct part *part = word->parts; part; part = part->next)
        count += part->kind == PART_TEXT && !part->quoted ? part->length : 1;
    units = malloc((count + 1) * sizeof(*units));
    if (!units)
        return word;
    count = 0;
    for (const struct part *part = word->parts; part; part = part->next) {
        if (part->kind != PART_TEXT || part->quoted)
            units[count++] = (struct unit){-1, part};
        else
            for (size_t i = 0; i < part->length; i++)
                units[count++] = (struct unit){(unsigned char)part->text[i], NULL};
    }
    b.last = &b.first;
    expand(&b, units, count);
    free(units);
    return b.err ? NULL : b.first;
}
