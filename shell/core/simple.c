/* SPDX-License-Identifier: MIT */
/* Simple commands (XCU 2.9.1). */
#include "core/expand.h"
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"

#include <errno.h>
#include <unistd.h>

/* x=$x…: the variable grows in place, if nothing in the rest can look at or change it meanwhile. */
static int append_to_itself(struct shell *sh, struct assignment *assignment, bool *done)
{
    const struct part *const first = assignment->value->parts;
    const struct parameter *parameter;
    struct expansion x = {.sh = sh, .steady = true};

    *done = false;
    if (assignment->value->flags & WORD_EFFECTS || !first || first->kind != PART_PARAMETER ||
        !first->next)
        return 0;
    parameter = first->parameter;
    if (parameter->kind != PARAMETER_VARIABLE || parameter->op != OP_NONE ||
        parameter->length != assignment->length ||
        memcmp(parameter->name, assignment->name, assignment->length) != 0 ||
        !assignment->cache->text)
        return 0;
    for (const struct part *part = first->next; part; part = part->next) {
        const struct parameter *const other = part->parameter;

        if (part->kind == PART_TEXT)
            continue;
        if (part->kind != PART_PARAMETER || other->op != OP_NONE ||
            other->kind == PARAMETER_SPECIAL)
            return 0;
        if (other->kind == PARAMETER_VARIABLE && other->length == parameter->length &&
            memcmp(other->name, parameter->name, other->length) == 0)
            return 0;
    }
    x.segments = x.few;
    x.room = sizeof x.few / sizeof *x.few;
    *done = true;
    if (expand_parts(&x, first->next))
        return -1;
    for (uint32_t i = 0; i < x.count; i++)
        if (variable_append(sh, assignment->cache, x.segments[i].text, x.segments[i].length))
            return -1;
    return 0;
}

/* name[subscript]=value and name+=value. */
static int assign_extended(struct shell *sh, const struct assignment *assignment)
{
    struct variable *const v = assignment->cache;
    size_t length;
    const char *value =
        assignment->subscript ? expand_string(sh, assignment->subscript, &length) : "";
    struct subscript at = {.index = 0};
    int err;

    if (!value || (assignment->subscript && array_subscript(sh, v, value, length, &at)))
        return -1;
    value = expand_string(sh, assignment->value, &length);
    if (!value)
        return -1;
    /* The value may have changed the array. */
    if (at.key)
        (void)array_subscript(sh, v, at.key, at.key_length, &at);
    err = assignment->append ? array_append(sh, v, at, value, length)
                             : array_set(sh, v, at, value, length);
    return err ? -1 : 0;
}

static int assign_one(struct shell *sh, struct assignment *assignment)
{
    size_t length;
    const char *value;
    bool done;
    int err;

    if (!assignment->cache)
        assignment->cache = variable_intern(sh, assignment->name, assignment->length);
    if (assignment->array)
        return assign_elements(sh, assignment);
    if (assignment->subscript || assignment->append)
        return assign_extended(sh, assignment);
    err = append_to_itself(sh, assignment, &done);
    if (done || err)
        return err;
    value = expand_string(sh, assignment->value, &length);
    if (!value)
        return -1;
    return variable_set(sh, assignment->cache, value, length) ? -1 : 0;
}

static int assign_all(struct shell *sh, struct assignment *list)
{
    for (; list; list = list->next)
        if (assign_one(sh, list))
            return -1;
    return 0;
}

/* Assignments for the time of one command: exported, and put back by journal_unwind_locals. */
static int assign_for_command(struct shell *sh, struct assignment *list)
{
    for (; list; list = list->next) {
        struct variable *const v = variable_intern(sh, list->name, list->length);
        size_t length;
        const char *value;

        if (list->array || list->subscript) {
            complain(sh, "%s: an array cannot be assigned for one command", v->name);
            return -1;
        }
        value = expand_string(sh, list->value, &length);
        if (!value)
            return -1;
        if (v->flags & VARIABLE_READONLY)
            return variable_set(sh, v, value, length);
        journal_local(sh, v, true);
        if (list->append ? variable_append(sh, v, value, length)
                         : variable_set(sh, v, value, length))
            return -1;
        variable_export(sh, v, true);
    }
    return 0;
}

static enum flow fail(struct shell *sh, int status, enum flow flow)
{
    sh->status = status;
    return flow;
}

/* No command name: assignments and redirections for their own sake. */
static enum flow run_empty(struct shell *sh, struct simple *simple)
{
    struct redirected saved;
    struct subshell sub;

    if (simple->node.redirects) {
        enum flow flow = FLOW_NEXT;
        int err;

        if (sh->capture && redirect_needs_real_output(simple->node.redirects))
            flow = subshell_become_real(sh);
        if (flow != FLOW_NEXT)
            return flow;
        /* What their expansion assigns is lost, as in a subshell. */
        subshell_enter(sh, &sub);
        err = redirect(sh, simple->node.redirects, &saved);
        if (!err)
            redirect_undo(sh, &saved);
        subshell_leave(sh, &sub);
        if (err)
            return fail(sh, err == -2 ? 2 : 1, err == -2 ? FLOW_ERROR : FLOW_NEXT);
    }
    if (assign_all(sh, simple->assignments))
        return fail(sh, 2, FLOW_ERROR);
    if (!sh->substituted)
        sh->status = 0;
    else if (sh->substitution_failed && !sh->status && option_on(sh, OPTION_STRICT))
        sh->status = 1;
    if (option_on(sh, OPTION_XTRACE) && simple->assignments) {
        struct trace trace;

        trace_begin(sh, &trace, simple->assignments, 0, NULL);
        trace_end(sh, &trace, 0, NULL);
    }
    return FLOW_NEXT;
}

/* Whether PATH has a file of that name, which then cannot be executed. */
static bool found_elsewhere(struct shell *sh, const char *name)
{
    const char *const path = variable_value(sh->path);

    return path && *name && path_search(sh, path, name, 0);
}

static enum flow dispatch(struct shell *sh, enum command_kind kind, const void *found, int argc,
                          char **argv, unsigned flags)
{
    switch (kind) {
    case COMMAND_SPECIAL:
    case COMMAND_BUILTIN:
        return run_builtin(sh, found, argc, argv, flags);
    case COMMAND_FUNCTION:
        sh->builtin_flags = flags & (RUN_TESTED | RUN_WITHIN);
        return run_function(sh, (struct function *)(uintptr_t)found, argc, argv);
    case COMMAND_FILE:
        return run_program(sh, argv, found, flags);
    default:
        sh->status = exec_status(sh, argv[0], found_elsewhere(sh, argv[0]) ? -EACCES : -ENOENT);
        return FLOW_NEXT;
    }
}

/* local a=( … ): the variable is made local, and one with keys, before it is assigned; export and readonly find it
 * assigned. */
static enum flow declare_arrays(struct shell *sh, struct simple *simple, enum command_kind kind,
                                const void *found, int argc, char **argv, unsigned flags)
{
    const bool after = *argv[0] != 'e' && *argv[0] != 'r';
    enum flow flow;

    if (!after && assign_all(sh, simple->arrays))
        return fail(sh, 2, FLOW_ERROR);
    flow = dispatch(sh, kind, found, argc, argv, flags);
    if (after && flow == FLOW_NEXT && !sh->status && assign_all(sh, simple->arrays))
        return fail(sh, 2, FLOW_ERROR);
    return flow;
}

static enum command_kind find(struct shell *sh, struct simple *simple, const char *name,
                              const void **found)
{
    const bool cached = simple->words->plain == name;

    if (cached && simple->generation == sh->generation) {
        *found = simple->found;
        return simple->found_kind;
    }

    const enum command_kind kind = command_look_up(sh, name, found);

    if (cached && kind != COMMAND_FILE && kind != COMMAND_NONE) {
        simple->generation = sh->generation;
        simple->found = *found;
        simple->found_kind = (uint8_t)kind;
    }
    return kind;
}

static enum flow run_with(struct shell *sh, struct simple *simple, int argc, char **argv,
                          unsigned flags)
{
    const struct redirect *const redirects = simple->node.redirects;
    const size_t journal = sh->journal_count;
    const bool traced = option_on(sh, OPTION_XTRACE);
    struct redirected saved;
    struct trace trace;
    const void *found = NULL;
    enum command_kind kind = find(sh, simple, argv[0], &found);
    enum flow flow;

    if (redirects) {
        int err;

        flow = FLOW_NEXT;
        if (sh->capture && redirect_needs_real_output(redirects))
            flow = subshell_become_real(sh);
        if (flow != FLOW_NEXT)
            return flow;
        err = redirect(sh, redirects, &saved);
        if (err)
            return fail(sh, err == -2 || kind == COMMAND_SPECIAL ? 2 : 1,
                        err == -2 || kind == COMMAND_SPECIAL ? FLOW_ERROR : FLOW_NEXT);
    }
    if (simple->assignments) {
        const int err = kind == COMMAND_SPECIAL ? assign_all(sh, simple->assignments)
                                                : assign_for_command(sh, simple->assignments);

        if (err) {
            journal_unwind_locals(sh, journal);
            if (redirects)
                redirect_undo(sh, &saved);
            return fail(sh, 2, FLOW_ERROR);
        }
        /* PATH=… program: found by the new PATH. */
        if (kind == COMMAND_FILE || kind == COMMAND_NONE)
            kind = command_look_up(sh, argv[0], &found);
    }
    if (traced)
        trace_begin(sh, &trace, simple->assignments, argc, argv);
    if (traced && trace.json)
        flags &= ~RUN_LAST; /* its end is to be told */
    sh->keep_redirects = false;
    flow = simple->arrays ? declare_arrays(sh, simple, kind, found, argc, argv, flags)
                          : dispatch(sh, kind, found, argc, argv, flags);
    sh->stage_count = 0;
    if (redirects && sh->keep_redirects) /* exec without a command */
        redirect_keep(sh, &saved);
    else if (redirects)
        redirect_undo(sh, &saved);
    sh->keep_redirects = false;
    if (traced)
        trace_end(sh, &trace, argc, argv);
    if (simple->assignments && kind != COMMAND_SPECIAL)
        journal_unwind_locals(sh, journal);
    return flow;
}

enum flow run_simple(struct shell *sh, struct simple *simple, unsigned flags)
{
    struct fields fields;
    char **argv;

    sh->line = simple->node.at.line;
    sh->at = simple->node.at;
    sh->substituted = sh->substitution_failed = false;
    if (simple->processes && sh->capture) { /* what they write goes where the commands write */
        const enum flow flow = subshell_become_real(sh);

        if (flow != FLOW_NEXT)
            return flow;
    }
    fields_begin(&fields, sh);
    for (const struct word *word = simple->words; word; word = word->next)
        if (expand_fields(&fields, word))
            return fail(sh, 2, FLOW_ERROR);
    if (!fields.count)
        return run_empty(sh, simple);
    /* set -o strict: what is made of a failure is not to be used. */
    if (sh->substitution_failed && option_on(sh, OPTION_STRICT)) {
        sh->substitution_failed = false;
        complain_at(sh, simple->node.at, "a command substitution failed");
        return FLOW_NEXT;
    }
    argv = fields_end(&fields);
    return run_with(sh, simple, fields.count, argv, flags);
}
