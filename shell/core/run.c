/* SPDX-License-Identifier: MIT */
/* The loop that reads commands and runs them. */
#include "core/input.h"
#include "core/jobs.h"
#include "core/traps.h"
#include "core/vars.h"

#include <errno.h>

/* Text that was run is given back once there is this much of it. */
#define KEEP_TEXT ((size_t)256 << 10)

static void forget_text(struct parser *p)
{
    struct buf *const text = &p->input->text;
    const size_t done = (size_t)(p->next - buf_str(text));

    if (p->source != &p->root || !p->input->more ||
        (done < KEEP_TEXT && !(done == text->len && done > 65536)))
        return;
    memmove(text->data, p->next, text->len - done);
    text->len -= done;
    text->data[text->len] = '\0';
    p->next = text->data;
    p->end = text->data + text->len;
    p->input->line = p->at.line;
}

/* Nothing but blanks and newlines is left of a text that cannot grow. */
static bool is_last(const struct parser *p)
{
    const char *c = p->next;

    if (p->input->more || p->source != &p->root)
        return false;
    while (c < p->end && (*c == ' ' || *c == '\n' || *c == '\t'))
        c++;
    return c == p->end;
}

static enum flow run_program_tree(struct shell *sh, struct parser *p, struct program *program,
                                  unsigned flags)
{
    struct program *const outer = sh->running;
    const bool typed = !outer && is_interactive(sh);
    const bool told = sh->told_of_stopped;
    enum flow flow;

    sh->running = program;
    if (typed)
        sh->line_run = program;
    if (!is_last(p))
        flags &= ~RUN_LAST;
    if (p->source == &p->root) {
        file_input_settle(p->input, p->next);
        p->end = buf_str(&p->input->text) + p->input->text.len;
    }
    flow = run_list(sh, program->list, flags);
    sh->running = outer;
    if (!typed)
        return flow;
    if (sh->forked) /* the rest of a line that was stopped */
        leave_process(sh, flow);
    sh->line_run = NULL;
    sh->line_left = false;
    signals_stoppable(sh, true);
    if (told) /* and the user did something else then */
        sh->told_of_stopped = false;
    return flow;
}

/* A syntax error ends the shell, unless it is interactive. */
static enum flow syntax_error(struct shell *sh, struct parser *p, bool top)
{
    sh->status = 2;
    if (p->read_error && p->read_error != -EINTR)
        sh->status = 128;
    if (p->read_error == -EINTR) {
        p->read_error = 0;
        p->next = p->end;
        return FLOW_NEXT;
    }
    if (top && option_on(sh, OPTION_NOEXEC)) {
        if (p->at_end)
            return FLOW_EXIT;
        parser_resume(p);
        return FLOW_NEXT;
    }
    return FLOW_ERROR;
}

enum flow run_input(struct shell *sh, struct input *input, unsigned flags)
{
    struct parser_hooks hooks = parser_hooks_for(sh);
    struct parser parser, *const outer = sh->parser;
    const char *const file = sh->file;
    const uint32_t line = sh->line;
    const bool top = outer == NULL;
    enum flow flow = FLOW_NEXT;
    int worst = 0;
    bool ran = false;

    parser_init(&parser, input, &hooks);
    sh->parser = &parser;
    sh->file = input->name;
    while (flow == FLOW_NEXT) {
        struct program *program;
        enum parse_result got;

        hooks.extensions = !in_posix_mode(sh); /* the last command may have changed it */
        got = parse_program(&parser, &program);
        if (got == PARSE_END) {
            if (sh->flow != FLOW_NEXT) {
                flow = sh->flow;
                sh->flow = FLOW_NEXT;
            } else if (parser.read_error == -EINTR && is_interactive(sh)) {
                parser.read_error = 0;
                continue;
            } else if (top && is_interactive(sh) && option_on(sh, OPTION_IGNOREEOF)) {
                out_puts(&sh->err, "use exit to leave the shell\n");
                out_flush(&sh->err);
                continue;
            } else if (top && jobs_forbid_exit(sh)) {
                continue;
            } else if (top && parser.read_error < 0) {
                complain(sh, "cannot read: %s", strerror(-parser.read_error));
                sh->status = 128;
            }
            break;
        }
        if (got == PARSE_ERROR) {
            flow = syntax_error(sh, &parser, top);
            worst = sh->status;
        } else {
            ran |= program->list && program->list->items;
            if (program->list && program->list->items)
                flow = run_program_tree(sh, &parser, program, flags);
            program_drop(program);
        }
        if (signals_any && (flow == FLOW_NEXT || (flow == FLOW_ERROR && is_interactive(sh)))) {
            const enum flow by_trap = traps_run(sh);

            flow = by_trap == FLOW_NEXT ? flow : by_trap;
        }
        if (flow == FLOW_ERROR && top && is_interactive(sh) && !sh->forked) {
            flow = FLOW_NEXT;
            sh->functions = sh->loops = sh->dots = 0;
            if (got == PARSE_ERROR)
                parser_resume(&parser);
        }
        if (flow == FLOW_BREAK && !sh->loops)
            flow = FLOW_NEXT;
        if (parser.source == &parser.root)
            forget_text(&parser);
    }
    if (worst && option_on(sh, OPTION_NOEXEC))
        sh->status = worst;
    if (!ran && !worst && flow == FLOW_NEXT)
        sh->status = 0;
    parser_free(&parser);
    sh->parser = outer;
    sh->file = file;
    if (outer)
        sh->line = line;
    return flow;
}

enum flow run_text(struct shell *sh, const char *name, const char *text, size_t length,
                   unsigned flags)
{
    struct input input = {.name = name, .line = 1};
    enum flow flow;

    buf_add(&input.text, text, length);
    if (sh->parser && strcmp(name, "eval") == 0) {
        input.name = sh->file;
        input.line = sh->line;
    }
    flow = run_input(sh, &input, flags);
    buf_free(&input.text);
    return flow;
}
