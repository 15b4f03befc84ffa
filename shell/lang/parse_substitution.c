/* SPDX-License-Identifier: MIT */
/* The commands inside words: $( … ), `…`, <( … ). */
#include "lang/parse_internal.h"

/* Aliases take effect when the substitution runs: then it is parsed anew from its text. */
static void keep_text(struct parser *p, struct program *program, struct lex_place from,
                      struct position at)
{
    const struct lex_place to = lex_here(p);
    const char *const base = p->source == &p->root ? buf_str(&p->input->text) : p->source->text;

    if (from.source != to.source || !p->hooks->alias || p->token.kind != TOKEN_CLOSE)
        return;
    program->length = to.position - from.position - 1;
    program->text = arena_copy(p->arena, base + from.position, program->length);
    program->at = at;
    program->may_alias = strchr(program->text, '\n') && strstr(program->text, "alias");
}

struct program *parse_substitution(struct parser *p)
{
    struct program *const program = arena_zero(p->arena, sizeof(*program));
    const struct token saved = p->token;
    const bool had_token = p->have_token;
    const struct position at = p->at;

    struct here_document *const here = p->here;
    const struct lex_place from = lex_here(p);
    const struct parser_hooks *const hooks = p->hooks;
    struct parser_hooks without_aliases = *hooks;

    without_aliases.alias = NULL;
    p->hooks = &without_aliases;
    p->have_token = false;
    p->here = NULL;
    p->here_last = &p->here;
    program->file = p->input->name;
    program->list = parse_list(p, false, "$(", at);
    p->hooks = hooks;
    if (!program->list)
        return NULL;
    keep_text(p, program, from, at);
    /* Bodies that still have to come follow those the outer line waits for. */
    if (here) {
        struct here_document *last = here;

        while (last->next)
            last = last->next;
        last->next = p->here;
        if (!p->here)
            p->here_last = &last->next;
        p->here = here;
    }
    if (p->token.kind != TOKEN_CLOSE) {
        unexpected(p, "')'");
        return NULL;
    }
    p->token = saved;
    p->have_token = had_token;
    return program;
}

struct program *parse_text(struct parser *p, const char *text, size_t length, struct position at)
{
    struct input input = {.name = p->input->name, .line = at.line};
    struct program *const program = arena_zero(p->arena, sizeof(*program));
    struct parser inner;

    buf_add(&input.text, text, length);
    parser_init(&inner, &input, p->hooks);
    inner.arena = p->arena;
    inner.program = p->program;
    inner.quiet = p->quiet;
    program->file = p->input->name;
    program->list = parse_list(&inner, false, "`", at);
    if (program->list && inner.token.kind != TOKEN_END) {
        unexpected(&inner, NULL);
        program->list = NULL;
    }
    buf_free(&input.text);
    p->failed |= inner.failed;
    return program->list ? program : NULL;
}
