/* SPDX-License-Identifier: MIT */
/* Matching of compiled patterns: pieces between stars, each found leftmost (or rightmost) in turn. */
#include "lang/bracket.h"
#include "lang/pattern.h"

#include <string.h>

/* A subject this long in characters is cut on the stack. */
#define INLINE_STARTS 256

/*
 * The subject as characters 0 … count. starts[i] is where character i begins, starts[count] the length;
 * NULL when each byte is a character.
 */
struct subject {
    const char *text;
    size_t len, count;
    size_t *starts;
    size_t inline_starts[INLINE_STARTS + 1];
};

static const size_t nowhere = (size_t)-1;

/* Without memory for long subjects each byte counts as a character: a wrong answer, but for those only. */
static void subject_open(struct subject *s, const struct pattern *p, const char *text, size_t len)
{
    size_t n = 0;

    s->text = text;
    s->len = s->count = len;
    s->starts = NULL;
    if (!p->by_characters || MB_CUR_MAX == 1 || mb_is_ascii(text, len))
        return;
    s->starts = len <= INLINE_STARTS ? s->inline_starts : malloc((len + 1) * sizeof *s->starts);
    if (!s->starts)
        return;
    for (size_t i = 0; i < len; n++) {
        s->starts[n] = i;
        i += mb_length(text + i, len - i);
    }
    s->starts[n] = len;
    s->count = n;
}

static void subject_close(struct subject *s)
{
    if (s->starts != s->inline_starts)
        free(s->starts);
}

static size_t start_of(const struct subject *s, size_t i)
{
    return s->starts ? s->starts[i] : i;
}

static size_t chars_of(const struct subject *s, const struct pattern_atom *a)
{
    return a->kind == PATTERN_TEXT && !s->starts ? a->size : a->chars;
}

static bool atom_matches(const struct pattern *p, const struct pattern_atom *a,
                         const struct subject *s, size_t i)
{
    const size_t at = start_of(s, i);
    wint_t value;

    switch (a->kind) {
    case PATTERN_TEXT:
        return start_of(s, i + chars_of(s, a)) - at == a->size &&
               memcmp(s->text + at, p->text + a->at, a->size) == 0;
    case PATTERN_BRACKET:
        if (!s->starts)
            return bracket_has_byte(&p->sets[a->at], (unsigned char)s->text[at]);
        mb_decode(s->text + at, s->len - at, &value);
        return bracket_has(&p->sets[a->at], value, (unsigned char)s->text[at]);
    case PATTERN_ANY:
    case PATTERN_STAR:
        break;
    }
    return true;
}

/* Atoms first … last-1, without stars, and how many characters they take together. */
struct piece {
    uint32_t first, last;
    size_t chars;
};

static bool piece_matches(const struct pattern *p, const struct piece *piece,
                          const struct subject *s, size_t i)
{
    for (uint32_t a = piece->first; a < piece->last; a++) {
        if (!atom_matches(p, &p->atoms[a], s, i))
            return false;
        i += chars_of(s, &p->atoms[a]);
    }
    return true;
}

/* The piece from atom `first` up to the next star. */
static struct piece piece_after(const struct pattern *p, const struct subject *s, uint32_t first)
{
    struct piece piece = {first, first, 0};

    while (piece.last < p->count && p->atoms[piece.last].kind != PATTERN_STAR)
        piece.chars += chars_of(s, &p->atoms[piece.last++]);
    return piece;
}

static struct piece piece_before(const struct pattern *p, const struct subject *s, uint32_t last)
{
    struct piece piece = {last, last, 0};

    while (piece.first > 0 && p->atoms[piece.first - 1].kind != PATTERN_STAR)
        piece.chars += chars_of(s, &p->atoms[--piece.first]);
    return piece;
}

/* Where the piece matches first within [from, to], or nowhere. */
static size_t find_leftmost(const struct pattern *p, const struct piece *piece,
                            const struct subject *s, size_t from, size_t to)
{
    const struct pattern_atom *a = &p->atoms[piece->first];
    const char *hit;

    if (piece->first == piece->last)
        return from;
    if (to - from < piece->chars)
        return nowhere;
    if (!s->starts && a->kind == PATTERN_TEXT && piece->last - piece->first == 1) {
        hit = memmem(s->text + from, to - from, p->text + a->at, a->size);
        return hit ? (size_t)(hit - s->text) : nowhere;
    }
    for (size_t i = from; i <= to - piece->chars; i++)
        if (piece_matches(p, piece, s, i))
            return i;
    return nowhere;
}

static size_t find_rightmost(const struct pattern *p, const struct piece *piece,
                             const struct subject *s, size_t from, size_t to)
{
    if (to - from < piece->chars)
        return nowhere;
    for (size_t i = to - piece->chars + 1; i-- > from;)
        if (piece_matches(p, piece, s, i))
            return i;
    return nowhere;
}

/*
 * The end of the shortest beginning that matches atoms 0 … last-1, which end in a star or at the pattern's
 * end, or nowhere. What a star at the end takes is not counted.
 */
static size_t match_leftmost(const struct pattern *p, const struct subject *s, uint32_t last,
                             size_t to)
{
    struct piece piece = piece_after(p, s, 0);
    size_t end;

    if (piece.chars > to || !piece_matches(p, &piece, s, 0))
        return nowhere;
    end = piece.chars;
    while (piece.last < last) {
        size_t at;

        piece = piece_after(p, s, piece.last + 1);
        at = find_leftmost(p, &piece, s, end, to);
        if (at == nowhere)
            return nowhere;
        end = at + piece.chars;
    }
    return end;
}

static bool ends_in_star(const struct pattern *p)
{
    return p->count > 0 && p->atoms[p->count - 1].kind == PATTERN_STAR;
}

/* The end of the longest beginning that matches: the last piece is found rightmost, the others leftmost. */
static size_t longest_prefix(const struct pattern *p, const struct subject *s)
{
    const struct piece tail = piece_before(p, s, p->count);
    size_t end, at;

    if (ends_in_star(p))
        return match_leftmost(p, s, p->count, s->count) == nowhere ? nowhere : s->count;
    if (tail.first == 0)
        return match_leftmost(p, s, p->count, s->count);
    end = match_leftmost(p, s, tail.first - 1, s->count);
    if (end == nowhere)
        return nowhere;
    at = find_rightmost(p, &tail, s, end, s->count);
    return at == nowhere ? nowhere : at + tail.chars;
}

/* The start of the shortest end that matches: from the end, each piece rightmost. */
static size_t shortest_suffix(const struct pattern *p, const struct subject *s)
{
    struct piece piece = piece_before(p, s, p->count);
    size_t start;

    if (piece.chars > s->count || !piece_matches(p, &piece, s, s->count - piece.chars))
        return nowhere;
    start = s->count - piece.chars;
    while (piece.first > 0) {
        piece = piece_before(p, s, piece.first - 1);
        start = find_rightmost(p, &piece, s, 0, start);
        if (start == nowhere)
            return nowhere;
    }
    return start;
}

/* The start of the longest end that matches: the first piece leftmost, if the rest still matches behind it. */
static size_t longest_suffix(const struct pattern *p, const struct subject *s)
{
    const size_t shortest = shortest_suffix(p, s);
    struct piece head = piece_after(p, s, 0), rest;
    size_t start = s->count;

    if (shortest == nowhere || head.last == p->count)
        return shortest;
    if (head.last == 0)
        return 0;
    for (rest = piece_before(p, s, p->count), start = s->count - rest.chars;
         rest.first > head.last + 1;) {
        rest = piece_before(p, s, rest.first - 1);
        start = find_rightmost(p, &rest, s, 0, start);
    }
    return find_leftmost(p, &head, s, 0, start);
}

/* The last piece stands at the end; all others fit, leftmost, before it. */
static bool matches_whole(const struct pattern *p, const struct subject *s)
{
    const struct piece tail = piece_before(p, s, p->count);

    if (tail.chars > s->count || !piece_matches(p, &tail, s, s->count - tail.chars))
        return false;
    if (tail.first == 0)
        return tail.chars == s->count;
    return match_leftmost(p, s, tail.first - 1, s->count - tail.chars) != nowhere;
}

bool pattern_match(const struct pattern *p, const char *text, size_t len)
{
    struct subject s;
    bool matches;

    if (p->count == 0)
        return len == 0;
    if (p->count == 1 && p->atoms[0].kind == PATTERN_TEXT)
        return p->atoms[0].size == len && memcmp(p->text, text, len) == 0;
    subject_open(&s, p, text, len);
    matches = matches_whole(p, &s);
    subject_close(&s);
    return matches;
}

ssize_t pattern_prefix(const struct pattern *p, const char *text, size_t len, bool longest)
{
    struct subject s;
    ssize_t end;
    size_t i;

    subject_open(&s, p, text, len);
    i = longest ? longest_prefix(p, &s) : match_leftmost(p, &s, p->count, s.count);
    end = i == nowhere ? -1 : (ssize_t)start_of(&s, i);
    subject_close(&s);
    return end;
}

ssize_t pattern_suffix(const struct pattern *p, const char *text, size_t len, bool longest)
{
    struct subject s;
    ssize_t start;
    size_t i;

    subject_open(&s, p, text, len);
    i = longest ? longest_suffix(p, &s) : shortest_suffix(p, &s);
    start = i == nowhere ? -1 : (ssize_t)start_of(&s, i);
    subject_close(&s);
    return start;
}
