/* SPDX-License-Identifier: MIT */
/* Field splitting, pathname expansion and quote removal, over segments (XCU 2.6.5 to 2.6.7). */
#include "core/expand.h"

#include "lang/glob.h"
#include "lang/mb.h"
#include "lang/pattern.h"

void fields_begin(struct fields *fields, struct shell *sh)
{
    fields->sh = sh;
    fields->list = fields->few;
    fields->count = 0;
    fields->room = sizeof fields->few / sizeof *fields->few;
}

void fields_add(struct fields *fields, char *text)
{
    if (fields->count + 1 >= fields->room) {
        char **const more =
            arena_alloc(&fields->sh->arena, 2 * (size_t)fields->room * sizeof(*more));

        memcpy(more, fields->list, (size_t)fields->count * sizeof(*more));
        fields->list = more;
        fields->room *= 2;
    }
    fields->list[fields->count++] = text;
}

char **fields_end(struct fields *fields)
{
    fields->list[fields->count] = NULL;
    if (fields->list != fields->few)
        return fields->list;
    fields->list = arena_alloc(&fields->sh->arena, sizeof fields->few);
    memcpy(fields->list, fields->few, ((size_t)fields->count + 1) * sizeof(char *));
    return fields->list;
}

void ifs_refresh(struct shell *sh)
{
    const char *const value = variable_value(sh->ifs);

    locale_need_for(sh, value);
    ifs_free(&sh->separators);
    ifs_compile(&sh->separators, value);
    sh->ifs_stale = false;
}

enum gap { GAP_NONE, GAP_SPACE, GAP_OTHER };

struct splitter {
    struct fields *fields;
    struct shell *sh;
    bool have;    /* a field has begun */
    bool globs;   /* patterns are wanted: `pattern` goes along with `text` */
    bool failed;  /* set -o strict: a pattern matched nothing */
    enum gap gap; /* what ended the field before */
};

static void end_field(struct splitter *s)
{
    struct shell *const sh = s->sh;

    s->have = false;
    if (s->globs && pattern_is_magic(buf_str(&sh->pattern), sh->pattern.len)) {
        struct glob_paths paths = {0};

        locale_need(sh);
        if (glob_expand(&paths, sh->pattern.data, sh->pattern.len) > 0) {
            for (size_t i = 0; i < paths.count; i++)
                fields_add(s->fields, arena_copy(&sh->arena, paths.path[i], strlen(paths.path[i])));
            goto done;
        }
        glob_free(&paths);
        if (option_on(sh, OPTION_STRICT)) {
            complain(sh, "%s: no such files", buf_str(&sh->field));
            s->failed = true;
        }
        fields_add(s->fields, arena_copy(&sh->arena, buf_str(&sh->field), sh->field.len));
        goto clear;
    done:
        glob_free(&paths);
    } else {
        fields_add(s->fields, arena_copy(&sh->arena, buf_str(&sh->field), sh->field.len));
    }
clear:
    buf_cut(&sh->field, 0);
    buf_cut(&sh->pattern, 0);
}

static void append(struct splitter *s, const char *text, size_t length, bool quoted)
{
    if (length) {
        buf_add(&s->sh->field, text, length);
        if (s->globs && quoted)
            pattern_quote(&s->sh->pattern, text, length);
        else if (s->globs)
            buf_add(&s->sh->pattern, text, length);
        s->gap = GAP_NONE;
    }
    s->have |= length || quoted;
    if (quoted)
        s->gap = GAP_NONE;
}

static void split(struct splitter *s, const char *text, size_t length)
{
    struct shell *const sh = s->sh;
    size_t from = 0, at = 0, size;

    while (at < length) {
        const enum ifs_class kind = ifs_at(&sh->separators, text + at, length - at, &size);

        if (kind == IFS_NONE) {
            at += size;
            continue;
        }
        append(s, text + from, at - from, false);
        if (kind == IFS_WHITE) {
            if (s->have) {
                end_field(s);
                s->gap = GAP_SPACE;
            }
        } else {
            if (s->have || s->gap != GAP_SPACE)
                end_field(s);
            s->gap = GAP_OTHER;
        }
        at += size;
        from = at;
    }
    append(s, text + from, at - from, false);
}

static bool wants_globs(const struct expansion *x)
{
    if (option_on(x->sh, OPTION_NOGLOB))
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        const struct segment *const segment = &x->segments[i];

        if (segment->flags & SEGMENT_QUOTED)
            continue;
        for (size_t at = 0; at < segment->length; at++) {
            const char c = segment->text[at];

            if (c == '*' || c == '?' || c == '[')
                return true;
        }
    }
    return false;
}

/* One segment that needs neither splitting nor patterns: the common case. */
static bool is_simple(struct shell *sh, const struct segment *segment)
{
    if (segment->flags & SEGMENT_QUOTED)
        return true;
    for (size_t i = 0; i < segment->length; i++) {
        const unsigned char c = (unsigned char)segment->text[i];

        if (c == '*' || c == '?' || c == '[' || c >= 0x80 ||
            (segment->flags & SEGMENT_SPLIT && sh->separators.byte[c]))
            return false;
    }
    return segment->length > 0;
}

int expand_fields_of(struct fields *fields, const struct expansion *x)
{
    struct shell *const sh = x->sh;
    struct splitter s = {.fields = fields, .sh = sh};

    if (sh->ifs_stale)
        ifs_refresh(sh);
    if (x->count == 1 && is_simple(sh, x->segments)) {
        fields_add(fields, arena_copy(&sh->arena, x->segments->text, x->segments->length));
        return 0;
    }
    if (sh->separators.wide_len)
        locale_need(sh);
    s.globs = wants_globs(x);
    buf_cut(&sh->field, 0);
    buf_cut(&sh->pattern, 0);
    for (uint32_t i = 0; i < x->count; i++) {
        const struct segment *const segment = &x->segments[i];

        if (segment->flags & SEGMENT_BREAK) {
            if (s.have)
                end_field(&s);
            s.gap = GAP_NONE;
        } else if (segment->flags & SEGMENT_SPLIT) {
            split(&s, segment->text, segment->length);
        } else {
            append(&s, segment->text, segment->length, segment->flags & SEGMENT_QUOTED);
        }
    }
    if (s.have)
        end_field(&s);
    return s.failed ? -1 : 0;
}
