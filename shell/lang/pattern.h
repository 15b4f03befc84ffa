/* SPDX-License-Identifier: MIT */
/*
 * Shell patterns (XCU 2.14): * ? and bracket expressions, compiled once and matched without recursion.
 *
 * A pattern is given as text in which a backslash quotes the byte behind it; that is the only form. The
 * expander puts a backslash before each character that was quoted in the script (pattern_quote), and
 * leaves what came from unquoted text or expansions as it is. A backslash at the very end stands for
 * itself. A bracket expression without its ] is an ordinary [.
 *
 * Characters are those of LC_CTYPE; a byte that begins no valid character is a character of its own, so
 * that any file name can be matched. No character is lost, joined or repaired.
 *
 * Between two stars everything has a fixed number of characters. So the leftmost match of each piece in
 * turn leaves most room for the rest, and no choice is ever taken back: the time is at most the length of
 * the subject times that of the longest piece.
 */
#ifndef R3SH_PATTERN_H
#define R3SH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct bracket;

enum pattern_kind { PATTERN_TEXT, PATTERN_ANY, PATTERN_BRACKET, PATTERN_STAR };

struct pattern_atom {
    enum pattern_kind kind;
    uint32_t chars;    /* how many characters it takes: those of the text, or 1; a star: 0 */
    uint32_t at, size; /* TEXT: bytes in `text`; BRACKET: `at` is the index in `sets` */
};

#define PATTERN_INLINE_ATOMS 6
#define PATTERN_INLINE_TEXT  48

/* Does not move while it is in use: it may point into itself. */
struct pattern {
    struct pattern_atom *atoms;
    uint32_t count;
    bool
        by_characters; /* the subject must be cut into characters first, if it has bytes above 127 */
    char *text;
    struct bracket *sets;
    uint32_t set_count;
    struct pattern_atom inline_atoms[PATTERN_INLINE_ATOMS];
    char inline_text[PATTERN_INLINE_TEXT];
};

/* 0 or -ENOMEM; after an error there is nothing to free. */
int pattern_compile(struct pattern *p, const char *text, size_t len);
void pattern_free(struct pattern *p);

/* Whether all of the subject matches. */
bool pattern_match(const struct pattern *p, const char *subject, size_t len);
/* The length of the shortest or longest beginning that matches, or -1: ${x#p}, ${x##p}. */
ssize_t pattern_prefix(const struct pattern *p, const char *subject, size_t len, bool longest);
/* Where the shortest or longest end that matches begins, or -1: ${x%p}, ${x%%p}. */
ssize_t pattern_suffix(const struct pattern *p, const char *subject, size_t len, bool longest);

/* Whether anything in it is more than text: an unquoted * or ?, or a [ with its ]. */
bool pattern_is_magic(const char *text, size_t len);
/* Adds `text` to the buffer with each character quoted that could mean something in a pattern. 0 or -ENOMEM. */
int pattern_quote(struct buf *to, const char *text, size_t len);
/* Adds the text that a pattern without magic stands for. 0 or -ENOMEM. */
int pattern_unquote(struct buf *to, const char *text, size_t len);

#endif
