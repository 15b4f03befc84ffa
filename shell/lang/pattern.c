/* SPDX-License-Identifier: MIT */
/* From pattern text to atoms. */
#include "lang/pattern.h"

#include "lang/bracket.h"
#include "lang/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool pattern_is_magic(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '*':
        case '?':
            return true;
        case '[':
            if (bracket_length(text + i + 1, len - i - 1) != 0)
                return true;
            break;
        case '\\':
            i++;
            break;
        }
    }
    return false;
}

int pattern_quote(struct buf *to, const char *text, size_t len)
{
    int err = buf_reserve(to, len);

    for (size_t i = 0; i < len && err == 0; i++) {
        if (strchr("*?[]\\!^-:.=", text[i]) && text[i])
            err = buf_addc(to, '\\');
        if (err == 0)
            err = buf_addc(to, text[i]);
    }
    return err;
}

int pattern_unquote(struct buf *to, const char *text, size_t len)
{
    int err = buf_reserve(to, len);

    for (size_t i = 0; i < len && err == 0; i++) {
        if (text[i] == '\\' && i + 1 < len)
            i++;
        err = buf_addc(to, text[i]);
    }
    return err;
}

/* Upper bounds of what compiling needs: atoms, bytes of text, sets. */
static void measure(const char *text, size_t len, size_t *atoms, size_t *sets)
{
    *atoms = 1;
    *sets = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '*' || text[i] == '?' || text[i] == '[')
            *atoms += 2;
        if (text[i] == '[')
            ++*sets;
    }
}

static struct pattern_atom *add_atom(struct pattern *p, enum pattern_kind kind, uint32_t chars)
{
    struct pattern_atom *atom = &p->atoms[p->count++];

    *atom = (struct pattern_atom){.kind = kind, .chars = chars};
    return atom;
}

/* One byte more of the text atom at the end, which begins if there is none. */
static void add_byte(struct pattern *p, uint32_t *used, char c)
{
    struct pattern_atom *last = p->count ? &p->atoms[p->count - 1] : NULL;

    if (!last || last->kind != PATTERN_TEXT) {
        last = add_atom(p, PATTERN_TEXT, 0);
        last->at = *used;
    }
    p->text[(*used)++] = c;
    last->size++;
    if ((unsigned char)c >= 0x80)
        p->by_characters = true;
}

/* 0, or -ENOMEM. */
static int add_bracket(struct pattern *p, const char *text, size_t len, size_t *took)
{
    const ptrdiff_t size = bracket_parse(&p->sets[p->set_count], text, len);

    *took = size > 0 ? (size_t)size : 0;
    if (size <= 0)
        return (int)size;
    add_atom(p, PATTERN_BRACKET, 1)->at = p->set_count++;
    return 0;
}

static int compile(struct pattern *p, const char *text, size_t len)
{
    uint32_t used = 0;
    size_t took;

    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '*':
            if (p->count == 0 || p->atoms[p->count - 1].kind != PATTERN_STAR)
                add_atom(p, PATTERN_STAR, 0);
            continue;
        case '?':
            add_atom(p, PATTERN_ANY, 1);
            p->by_characters = true;
            continue;
        case '[':
            if (add_bracket(p, text + i + 1, len - i - 1, &took) != 0)
                return -ENOMEM;
            p->by_characters = p->by_characters || took != 0;
            i += took;
            if (took != 0)
                continue;
            break;
        case '\\':
            if (i + 1 < len)
                i++;
            break;
        }
        add_byte(p, &used, text[i]);
    }
    for (uint32_t i = 0; i < p->count; i++)
        if (p->atoms[i].kind == PATTERN_TEXT)
            p->atoms[i].chars = (uint32_t)mb_count(p->text + p->atoms[i].at, p->atoms[i].size);
    return 0;
}

int pattern_compile(struct pattern *p, const char *text, size_t len)
{
    size_t atoms, sets;

    if (len > UINT32_MAX / 4)
        return -ENOMEM;
    measure(text, len, &atoms, &sets);
    p->atoms = p->inline_atoms;
    p->text = p->inline_text;
    p->sets = NULL;
    p->count = p->set_count = 0;
    p->by_characters = false;
    if (atoms > PATTERN_INLINE_ATOMS)
        p->atoms = malloc(atoms * sizeof *p->atoms);
    if (len > PATTERN_INLINE_TEXT)
        p->text = malloc(len);
    if (sets)
        p->sets = malloc(sets * sizeof *p->sets);
    if (p->atoms && p->text && (p->sets || !sets) && compile(p, text, len) == 0)
        return 0;
    pattern_free(p);
    return -ENOMEM;
}

void pattern_free(struct pattern *p)
{
    for (uint32_t i = 0; i < p->set_count; i++)
        bracket_free(&p->sets[i]);
    free(p->sets);
    if (p->atoms != p->inline_atoms)
        free(p->atoms);
    if (p->text != p->inline_text)
        free(p->text);
    p->atoms = NULL;
    p->text = NULL;
    p->sets = NULL;
    p->count = p->set_count = 0;
}
