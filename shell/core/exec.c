/* SPDX-License-Identifier: MIT */
/* Lists, compound commands and functions. */
#include "core/expand.h"
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"

#include "lang/mb.h"
#include "lang/pattern.h"

static enum flow check_errexit(struct shell *sh, enum flow flow, unsigned flags)
{
    if (flow == FLOW_NEXT && sh->status && option_on(sh, OPTION_ERREXIT) && !(flags & RUN_TESTED))
        return flags & RUN_WITHIN ? FLOW_FAILED : FLOW_EXIT;
    return flow;
}

/* Under set -o strict what is tested is the command as a whole: inside of it a failure is a failure. */
static unsigned flags_within(const struct shell *sh, unsigned flags)
{
    return flags & RUN_TESTED && option_on(sh, OPTION_STRICT) ? (flags & ~RUN_TESTED) | RUN_WITHIN
                                                              : flags;
}

enum flow run_list(struct shell *sh, const struct list *list, unsigned flags)
{
    enum flow flow = FLOW_NEXT;

    for (const struct list_item *item = list->items; item && flow == FLOW_NEXT; item = item->next) {
        if (item->background)
            flow = run_background(sh, item->command);
        else
            flow = run_node(sh, item->command,
                            item->next ? flags_within(sh, flags & ~RUN_LAST) : flags);
    }
    return flow;
}

/* The list of an if or while: its last command is what is tested. */
static enum flow run_condition(struct shell *sh, const struct list *list)
{
    const enum flow flow = run_list(sh, list, RUN_TESTED);

    return flow == FLOW_FAILED ? FLOW_NEXT : flow;
}

static enum flow run_and_or(struct shell *sh, const struct and_or *chain, unsigned flags)
{
    enum flow flow = run_node(sh, chain->first, (flags & ~RUN_LAST) | RUN_TESTED);

    for (const struct and_or_link *link = chain->links; link && flow == FLOW_NEXT;
         link = link->next) {
        if ((sh->status == 0) != link->on_success)
            continue;
        flow = run_node(sh, link->command, link->next ? (flags & ~RUN_LAST) | RUN_TESTED : flags);
    }
    return flow;
}

static enum flow run_if(struct shell *sh, const struct if_command *command, unsigned flags)
{
    for (const struct branch *branch = command->branches; branch; branch = branch->next) {
        const enum flow flow = run_condition(sh, branch->condition);

        if (flow != FLOW_NEXT)
            return flow;
        if (sh->status == 0)
            return run_list(sh, branch->body, flags);
    }
    if (command->otherwise) /* which sees the condition's status */
        return run_list(sh, command->otherwise, flags);
    sh->status = 0;
    return FLOW_NEXT;
}

/* What a body's flow means to the loop: *leave, and what the loop returns then. */
static enum flow loop_flow(struct shell *sh, enum flow flow, bool *leave)
{
    *leave = false;
    if (flow == FLOW_NEXT)
        return FLOW_NEXT;
    if (flow == FLOW_BREAK || flow == FLOW_CONTINUE) {
        if (--sh->levels > 0) {
            *leave = true;
            return flow;
        }
        *leave = flow == FLOW_BREAK;
        return FLOW_NEXT;
    }
    *leave = true;
    return flow;
}

static enum flow run_while(struct shell *sh, const struct while_command *command, unsigned flags)
{
    enum flow flow = FLOW_NEXT;
    int status = 0;
    bool leave;

    flags &= ~RUN_LAST;
    sh->loops++;
    for (;;) {
        const struct arena_mark mark = arena_mark(&sh->arena);

        flow = loop_flow(sh, run_condition(sh, command->condition), &leave);
        if (leave || ((sh->status == 0) == command->until))
            break;
        flow = loop_flow(sh, run_list(sh, command->body, flags), &leave);
        status = sh->status;
        if (leave)
            break;
        arena_release(&sh->arena, mark);
    }
    sh->loops--;
    if (flow == FLOW_NEXT)
        sh->status = leave ? sh->status : status;
    return flow;
}

static enum flow run_for(struct shell *sh, const struct for_command *command, unsigned flags)
{
    struct variable *const v = variable_intern(sh, command->name, command->length);
    struct fields fields;
    enum flow flow = FLOW_NEXT;
    char **list;

    fields_begin(&fields, sh);
    if (command->over_arguments) {
        for (int i = 0; i < sh->arguments->count; i++)
            fields_add(&fields, arena_copy(&sh->arena, sh->arguments->list[i],
                                           strlen(sh->arguments->list[i])));
    } else {
        for (const struct word *word = command->words; word; word = word->next)
            if (expand_fields(&fields, word))
                return FLOW_ERROR;
    }
    list = fields_end(&fields);
    if (!fields.count)
        sh->status = 0;
    sh->loops++;
    for (int i = 0; i < fields.count; i++) {
        const struct arena_mark mark = arena_mark(&sh->arena);
        bool leave;

        if (variable_set(sh, v, list[i], strlen(list[i]))) {
            flow = FLOW_ERROR;
            break;
        }
        flow = loop_flow(sh, run_list(sh, command->body, flags & ~RUN_LAST), &leave);
        if (leave)
            break;
        arena_release(&sh->arena, mark);
    }
    sh->loops--;
    return flow;
}

/* 1: the subject matches; -1 after a message. */
static int case_matches(struct shell *sh, const struct word *word, const char *subject,
                        size_t length)
{
    struct pattern pattern;
    struct buf text = {0};
    int matches = -1;

    if (word->plain)
        return word->length == length && memcmp(word->plain, subject, length) == 0;
    if (expand_pattern(sh, word, &text) == 0) {
        if (!mb_is_ascii(subject, length) || !mb_is_ascii(buf_str(&text), text.len))
            locale_need(sh);
        if (pattern_compile(&pattern, buf_str(&text), text.len) == 0) {
            matches = pattern_match(&pattern, subject, length);
            pattern_free(&pattern);
        }
    }
    buf_free(&text);
    return matches;
}

static enum flow run_case(struct shell *sh, const struct case_command *command, unsigned flags)
{
    size_t length;
    const char *subject;
    bool matched = false, ran = false;

    sh->substituted = false;
    subject = expand_string(sh, command->subject, &length);
    if (!subject)
        return FLOW_ERROR;
    for (const struct case_item *item = command->items; item; item = item->next) {
        for (const struct word *word = item->patterns; word && !matched; word = word->next) {
            const int got = case_matches(sh, word, subject, length);

            if (got < 0)
                return FLOW_ERROR;
            matched = got > 0;
        }
        if (!matched)
            continue;

        const bool last = item->end == CASE_BREAK || !item->next;
        enum flow flow;

        if (!item->body->items && !ran)
            sh->status = 0;
        ran = true;
        flow = run_list(sh, item->body, last ? flags : flags & ~RUN_LAST);
        if (last || flow != FLOW_NEXT)
            return flow;
    }
    sh->status = 0;
    return FLOW_NEXT;
}

enum flow run_function(struct shell *sh, struct function *function, int argc, char **argv)
{
    struct arguments arguments = {
        .list = argv + 1, .count = argc - 1, .references = 1, .borrowed = true};
    struct arguments *const outer = sh->arguments;
    const size_t journal = sh->journal_count;
    const int loops = sh->loops;
    const unsigned flags = sh->builtin_flags;
    enum flow flow;

    if (stack_is_low(sh)) {
        complain(sh, "%s: functions call each other too deeply", argv[0]);
        sh->status = 2;
        return FLOW_ERROR;
    }
    function->references++;
    sh->arguments = &arguments;
    sh->functions++;
    sh->loops = 0;
    flow = run_node(sh, function->body, flags_within(sh, flags));
    if (flow == FLOW_FAILED && flags & RUN_TESTED)
        flow = FLOW_NEXT;
    sh->loops = loops;
    sh->functions--;
    if (sh->arguments != &arguments)
        arguments_drop(sh->arguments);
    sh->arguments = outer;
    journal_unwind_locals(sh, journal);
    function_drop(function);
    return flow == FLOW_RETURN || flow == FLOW_BREAK || flow == FLOW_CONTINUE ? FLOW_NEXT : flow;
}

static enum flow run_compound(struct shell *sh, const struct node *node, unsigned flags)
{
    switch (node->kind) {
    case NODE_AND_OR:
        return run_and_or(sh, (const struct and_or *)node, flags);
    case NODE_LIST:
        return run_list(sh, (const struct list *)node, flags);
    case NODE_GROUP:
        return run_list(sh, ((const struct group *)node)->body, flags);
    case NODE_SUBSHELL:
        return check_errexit(sh, run_subshell(sh, ((const struct group *)node)->body, flags),
                             flags);
    case NODE_IF:
        return run_if(sh, (const struct if_command *)node, flags);
    case NODE_WHILE:
        return run_while(sh, (const struct while_command *)node, flags);
    case NODE_FOR:
        return run_for(sh, (const struct for_command *)node, flags);
    case NODE_CASE:
        return run_case(sh, (const struct case_command *)node, flags);
    case NODE_TEST:
        return check_errexit(sh, run_test(sh, (const struct test_command *)node), flags);
    default:
        function_define(sh, (const struct function_command *)node);
        sh->status = 0;
        return FLOW_NEXT;
    }
}

static enum flow run_redirected(struct shell *sh, const struct node *node, unsigned flags)
{
    struct redirected saved;
    enum flow flow;
    int err;

    if (sh->capture && redirect_needs_real_output(node->redirects)) {
        flow = subshell_become_real(sh);
        if (flow != FLOW_NEXT)
            return flow;
    }
    err = redirect(sh, node->redirects, &saved);
    if (err) {
        sh->status = err == -2 ? 2 : 1;
        if (err == -2)
            return FLOW_ERROR;
        return check_errexit(sh, FLOW_NEXT, flags);
    }
    flow = run_compound(sh, node, flags);
    redirect_undo(sh, &saved);
    return flow;
}

enum flow run_node(struct shell *sh, const struct node *node, unsigned flags)
{
    const struct arena_mark mark = arena_mark(&sh->arena);
    const int files = sh->process_file_count;
    enum flow flow;

    if (signals_any) {
        flow = traps_run(sh);
        if (flow != FLOW_NEXT)
            return flow;
    }
    if (option_on(sh, OPTION_NOEXEC) && !is_interactive(sh))
        return FLOW_NEXT;
    if (node->kind == NODE_SIMPLE) {
        flow = check_errexit(sh, run_simple(sh, (struct simple *)node, flags), flags);
    } else if (node->kind == NODE_PIPELINE) {
        flow = run_pipeline(sh, (const struct pipeline *)node, flags);
        if (!((const struct pipeline *)node)->negated)
            flow = check_errexit(sh, flow, flags);
    } else if (stack_is_low(sh)) {
        complain_at(sh, node->at, "commands are nested too deeply");
        sh->status = 2;
        return FLOW_ERROR;
    } else {
        const unsigned within = node->kind == NODE_AND_OR ? flags : flags_within(sh, flags);

        flow = node->redirects ? run_redirected(sh, node, within) : run_compound(sh, node, within);
    }
    if (flow == FLOW_FAILED && flags & RUN_TESTED)
        flow = FLOW_NEXT;
    if (sh->process_file_count > files)
        process_files_close(sh, files);
    if (signals_any && flow == FLOW_NEXT)
        flow = traps_run(sh);
    arena_release(&sh->arena, mark);
    return flow;
}
