/* SPDX-License-Identifier: MIT */
/* The stack of sources under the lexer. */
#include "lang/lex_internal.h"

int lex_underflow(struct parser *p)
{
    while (p->next == p->end) {
        struct source *const done = p->source;

        if (done->below) {
            /* Only an alias is left by itself; the text of a `…` ends its parser's input. */
            if (!done->alias)
                return LEX_END;
            p->after_alias |= done->blank_after;
            p->source = done->below;
            if (p->source == &p->root) { /* the input's text moves as it grows */
                p->next = buf_str(&p->input->text) + p->source->position;
                p->end = buf_str(&p->input->text) + p->input->text.len;
            } else {
                p->next = p->source->text + p->source->position;
                p->end = p->source->text + p->source->length;
            }
            continue;
        }
        if (!p->input->more)
            return LEX_END;

        const size_t position = p->input->text.data ? (size_t)(p->next - p->input->text.data) : 0;
        const int got = p->input->more(p->input, p->continued);

        p->next = buf_str(&p->input->text) + position;
        p->end = buf_str(&p->input->text) + p->input->text.len;
        if (got <= 0) {
            p->read_error = got;
            return LEX_END;
        }
    }
    return (unsigned char)*p->next;
}

/* What comes when the alias on top is used up is a newline. */
static bool newline_below(const struct parser *p)
{
    for (const struct source *s = p->source; s->alias && s->below;) {
        const char *text;
        size_t length;

        s = s->below;
        text = s == &p->root ? p->input->text.data : s->text;
        length = s == &p->root ? p->input->text.len : s->length;
        if (s->position < length)
            return text[s->position] == '\n';
    }
    return false;
}

int lex_joined(struct parser *p)
{
    while (lex_raw(p) == '\\') {
        if (p->next + 1 >= p->end && newline_below(p)) {
            p->next++;
            lex_raw(p);
            lex_take(p);
            continue;
        }
        if (p->next + 1 >= p->end) {
            /* The newline may be in input not yet read. */
            if (p->source != &p->root || !p->input->more)
                return '\\';
            const size_t before = p->input->text.len;

            p->next = p->end;

            const int c = lex_underflow(p);

            p->next = p->input->text.data + before - 1;
            if (c == LEX_END)
                return '\\';
        }
        if (p->next[1] != '\n')
            return '\\';
        p->next++;
        lex_take(p);
    }
    return lex_raw(p);
}

struct lex_place lex_here(struct parser *p)
{
    const char *const base = p->source == &p->root ? buf_str(&p->input->text) : p->source->text;

    return (struct lex_place){p->source, (size_t)(p->next - base), p->at};
}

void lex_back(struct parser *p, struct lex_place place)
{
    const bool root = place.source == &p->root;
    const char *const base = root ? buf_str(&p->input->text) : place.source->text;

    p->source = place.source;
    p->next = base + place.position;
    p->end = base + (root ? p->input->text.len : place.source->length);
    p->at = place.at;
}

void lex_enter(struct parser *p, struct source *source, const char *text, size_t length,
               struct position at)
{
    p->source->position = lex_here(p).position;
    source->below = p->source;
    source->text = text;
    source->length = length;
    source->at = at;
    p->source = source;
    p->next = text;
    p->end = text + length;
}
