/* SPDX-License-Identifier: MIT */
/* Building words out of parts, and what is known about a word once it is complete. */
#include "lang/lex_internal.h"

void word_flush(struct word_builder *w)
{
    if (!w->started)
        return;
    struct part *const part = word_part(w, PART_TEXT, w->quoted, w->at);

    part->text = arena_copy(w->p->arena, buf_str(&w->text), w->text.len);
    part->length = w->text.len;
    buf_cut(&w->text, 0);
    w->started = false;
}

struct part *word_part(struct word_builder *w, enum part_kind kind, bool quoted, struct position at)
{
    struct part *const part = arena_zero(w->p->arena, sizeof(*part));

    part->kind = (uint8_t)kind;
    part->quoted = quoted;
    part->at = at;
    *w->last = part;
    w->last = &part->next;
    return part;
}

void word_put(struct word_builder *w, int c, bool quoted)
{
    if (w->started && w->quoted != quoted)
        word_flush(w);
    if (!w->started) {
        w->started = true;
        w->quoted = quoted;
        w->at = w->p->at;
    }
    if (!quoted && (c == '*' || c == '?' || c == '['))
        w->flags |= WORD_GLOB;
    else if (!quoted && c == '{')
        w->flags |= WORD_BRACES;
    buf_addc(&w->text, (char)c);
}

/* The one field the word becomes, when there is nothing to expand in it. */
static void find_plain(struct parser *p, struct word *word)
{
    size_t length = 0;
    char *to;

    if (word->flags & WORD_GLOB)
        return;
    for (const struct part *part = word->parts; part; part = part->next) {
        if (part->kind != PART_TEXT)
            return;
        length += part->length;
    }
    word->length = (uint32_t)length;
    if (word->parts && !word->parts->next) {
        word->plain = word->parts->text;
        return;
    }
    word->plain = to = arena_alloc(p->arena, length + 1);
    for (const struct part *part = word->parts; part; part = part->next) {
        memcpy(to, part->text, part->length);
        to += part->length;
    }
    *to = '\0';
}

static unsigned effects_of(const struct part *part)
{
    const struct parameter *parameter = part->parameter;

    switch (part->kind) {
    case PART_PROCESS:
        return WORD_PROCESS | WORD_COMMANDS | WORD_EFFECTS;
    case PART_COMMAND:
        return WORD_COMMANDS | WORD_EFFECTS;
    case PART_ARITHMETIC:
        return WORD_EFFECTS | (part->arithmetic->text->flags & WORD_COMMANDS);
    case PART_PARAMETER:
        return (parameter->op == OP_ASSIGN || parameter->op == OP_ERROR || parameter->op == OP_BAD
                    ? WORD_EFFECTS
                    : 0u) |
               (parameter->range == RANGE_INDEX || parameter->op >= OP_SLICE ? WORD_EFFECTS : 0u) |
               (parameter->second ? parameter->second->flags & WORD_COMMANDS : 0u) |
               (parameter->operand ? parameter->operand->flags & (WORD_COMMANDS | WORD_EFFECTS)
                                   : 0u);
    default:
        return 0;
    }
}

struct word *word_finish(struct word_builder *w, struct position at)
{
    struct word *const word = arena_zero(w->p->arena, sizeof(*word));

    word_flush(w);
    word->parts = w->first;
    word->at = at;
    for (const struct part *part = w->first; part; part = part->next)
        w->flags |= effects_of(part);
    if (w->first && !w->first->next && w->first->kind == PART_TEXT && !w->first->quoted)
        w->flags |= WORD_BARE;
    word->flags = (uint8_t)w->flags;
    find_plain(w->p, word);
    buf_free(&w->text);
    return word;
}

const char *word_bare(const struct word *word)
{
    return word->flags & WORD_BARE ? word->parts->text : NULL;
}

struct word *word_value(struct parser *p, const struct word *word, size_t offset)
{
    struct word *const value = arena_zero(p->arena, sizeof(*value));
    struct part *const first = arena_alloc(p->arena, sizeof(*first));

    *first = *word->parts;
    first->text += offset;
    first->length -= offset;
    value->parts = first->length ? first : first->next;
    value->at = word->at;
    value->flags = word->flags & (WORD_COMMANDS | WORD_EFFECTS);
    find_plain(p, value);
    return value;
}

struct word *word_slice(struct parser *p, const struct word *word, const struct part *begin,
                        size_t from, const struct part *end, size_t to)
{
    struct word *const slice = arena_zero(p->arena, sizeof(*slice));
    struct part **last = &slice->parts;

    slice->at = word->at;
    slice->flags = word->flags & (WORD_COMMANDS | WORD_EFFECTS | WORD_GLOB);
    for (const struct part *part = begin; part; part = part->next, from = 0) {
        struct part *const copy = arena_alloc(p->arena, sizeof(*copy));

        *copy = *part;
        copy->next = NULL;
        if (part->kind == PART_TEXT) {
            copy->length = (part == end ? to : part->length) - from;
            copy->text = arena_copy(p->arena, part->text + from, copy->length);
        }
        if (part->kind != PART_TEXT || copy->length || part->quoted) {
            *last = copy;
            last = &copy->next;
        }
        if (part == end)
            break;
    }
    find_plain(p, slice);
    return slice;
}

static bool is_user_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.' || c == '+'))
            return false;
    }
    return true;
}

/* Split a text part at `start`: the ~name there becomes a part of its own. Returns that part. */
static struct part *split_tilde(struct parser *p, struct part *part, size_t start, size_t end)
{
    struct part *const rest = arena_zero(p->arena, sizeof(*rest));
    struct part *tilde = part;

    *rest = *part;
    rest->text = part->text + end;
    rest->length = part->length - end;
    if (start > 0) {
        tilde = arena_zero(p->arena, sizeof(*tilde));
        *tilde = *part;
        part->text = arena_copy(p->arena, part->text, start);
        part->length = start;
        part->next = tilde;
    }
    tilde->kind = PART_TILDE;
    tilde->text = arena_copy(p->arena, rest->text - (end - start) + 1, end - start - 1);
    tilde->length = end - start - 1;
    tilde->next = rest->length ? rest : rest->next;
    return tilde;
}

void word_tildes(struct parser *p, struct word *word, size_t start, bool assignment)
{
    bool here = true; /* a ~ at `start` of the part would be one */

    for (struct part *part = word->parts; part; part = part->next, start = 0) {
        if (part->kind != PART_TEXT || part->quoted) {
            here = false;
            continue;
        }
        for (size_t i = start; i < part->length; i++) {
            if (here && part->text[i] == '~') {
                size_t end = i + 1;

                while (end < part->length && part->text[end] != '/' &&
                       !(assignment && part->text[end] == ':'))
                    end++;
                /* Quoting anywhere in the name, or an expansion, makes it no name. */
                if ((end < part->length || !part->next) &&
                    is_user_name(part->text + i + 1, end - i - 1)) {
                    part = split_tilde(p, part, i, end);
                    word->plain = NULL;
                    word->flags &= (uint8_t)~WORD_BARE;
                    here = false;
                    break;
                }
            }
            here = assignment && part->text[i] == ':';
        }
        if (!assignment)
            return;
    }
}
