/* SPDX-License-Identifier: MIT */
/* The journal, and what else has names: functions and aliases. */
#include "core/vars.h"

#include <errno.h>

struct journal_entry *journal_push(struct shell *sh)
{
    if (sh->journal_count == sh->journal_room) {
        sh->journal_room = sh->journal_room ? 2 * sh->journal_room : 32;
        sh->journal = must_realloc(sh->journal, sh->journal_room * sizeof(*sh->journal));
    }
    return &sh->journal[sh->journal_count++];
}

void journal_variable(struct shell *sh, struct variable *v, bool keep_value)
{
    struct journal_entry *const entry = journal_push(sh);

    *entry = (struct journal_entry){.kind = JOURNAL_VARIABLE,
                                    .flags = v->flags,
                                    .scope = v->scope,
                                    .variable = v,
                                    .text = v->text,
                                    .length = v->length,
                                    .capacity = v->capacity,
                                    .elements = v->elements};
    v->scope = sh->scope;
    v->text = NULL;
    v->elements = keep_value ? elements_copy(entry->elements) : NULL;
    if (keep_value && entry->text) {
        v->capacity = v->name_length + v->length + 2;
        v->text = must_alloc(v->capacity);
        memcpy(v->text, entry->text, v->capacity);
    } else {
        v->length = v->capacity = 0;
    }
    if (v->flags & VARIABLE_EXPORT)
        sh->environment_stale = true;
}

static const char *name_of_function(const void *entry)
{
    return ((const struct function *)entry)->name;
}

static const char *name_of_alias(const void *entry)
{
    return ((const struct alias *)entry)->name;
}

static void put_back_variable(struct shell *sh, const struct journal_entry *entry)
{
    struct variable *const v = entry->variable;
    const uint32_t scope = sh->scope;

    sh->scope = 0; /* no new entry for this */
    if ((v->flags ^ entry->flags) & VARIABLE_EXPORT)
        variable_export(sh, v, entry->flags & VARIABLE_EXPORT);
    sh->scope = scope;
    free(v->text);
    elements_free(v->elements);
    v->text = entry->text;
    v->elements = entry->elements;
    v->length = entry->length;
    v->capacity = entry->capacity;
    v->flags = entry->flags;
    v->scope = entry->scope;
    if (v->flags & VARIABLE_EXPORT)
        sh->environment_stale = true;
    if (v == sh->ifs)
        sh->ifs_stale = true;
    else if (v == sh->path)
        hash_forget(sh);
    else if (v == sh->optind)
        sh->getopts.changed = true;
    else if (v->flags & VARIABLE_WATCHED)
        sh->locale_stale = sh->ifs_stale = true;
}

static void put_back(struct shell *sh, struct journal_entry *entry)
{
    struct function *function;
    struct alias *alias;

    switch (entry->kind) {
    case JOURNAL_VARIABLE:
        put_back_variable(sh, entry);
        return;
    case JOURNAL_FUNCTION:
        function = table_take(&sh->function_table, entry->name, name_of_function);
        if (function)
            function_drop(function);
        if (entry->value)
            table_put(&sh->function_table, entry->value, name_of_function);
        sh->generation++;
        break;
    default:
        alias = table_take(&sh->aliases, entry->name, name_of_alias);
        if (alias) {
            free(alias->value);
            free(alias);
        }
        if (entry->value)
            table_put(&sh->aliases, entry->value, name_of_alias);
    }
    free(entry->name);
}

void journal_unwind(struct shell *sh, size_t to)
{
    while (sh->journal_count > to) {
        struct journal_entry entry = sh->journal[--sh->journal_count];

        put_back(sh, &entry);
    }
}

void journal_local(struct shell *sh, struct variable *v, bool keep_value)
{
    journal_variable(sh, v, keep_value);
    sh->journal[sh->journal_count - 1].local = true;
}

void journal_unwind_locals(struct shell *sh, size_t to)
{
    size_t kept = 0;

    for (size_t i = sh->journal_count; i > to; i--) {
        struct journal_entry entry = sh->journal[i - 1];

        if (entry.local)
            put_back(sh, &entry);
        else
            kept++;
    }
    if (kept) {
        size_t place = to;

        for (size_t i = to; i < sh->journal_count; i++)
            if (!sh->journal[i].local)
                sh->journal[place++] = sh->journal[i];
    }
    sh->journal_count = to + kept;
}

static void journal_name(struct shell *sh, enum journal_kind kind, const char *name, void *value)
{
    struct journal_entry *const entry = journal_push(sh);

    *entry = (struct journal_entry){
        .kind = (uint8_t)kind, .name = must_copy(name, strlen(name)), .value = value};
}

/* --- Functions ------------------------------------------------------------------------------- */

struct function *function_find(struct shell *sh, const char *name)
{
    return table_find(&sh->function_table, name, name_of_function);
}

void function_drop(struct function *function)
{
    if (--function->references)
        return;
    program_drop(function->program);
    free(function);
}

void function_unset(struct shell *sh, const char *name)
{
    struct function *const old = table_take(&sh->function_table, name, name_of_function);

    if (!old)
        return;
    sh->generation++;
    if (sh->subshell)
        journal_name(sh, JOURNAL_FUNCTION, name, old);
    else
        function_drop(old);
}

void function_define(struct shell *sh, const struct function_command *command)
{
    struct function *const function = must_alloc(sizeof(*function) + command->length + 1);

    *function =
        (struct function){.references = 1, .program = command->program, .body = command->body};
    memcpy(function->name, command->name, command->length + 1);
    program_keep(command->program);
    if (sh->subshell && !function_find(sh, command->name))
        journal_name(sh, JOURNAL_FUNCTION, command->name, NULL);
    else
        function_unset(sh, command->name);
    table_put(&sh->function_table, function, name_of_function);
    sh->generation++;
    if (option_on(sh, OPTION_HASHALL))
        remember_programs(sh, command->body);
}

/* --- Aliases --------------------------------------------------------------------------------- */

struct alias *alias_find(struct shell *sh, const char *name)
{
    return table_find(&sh->aliases, name, name_of_alias);
}

bool alias_unset(struct shell *sh, const char *name)
{
    struct alias *const old = table_take(&sh->aliases, name, name_of_alias);

    if (!old)
        return false;
    if (sh->subshell) {
        journal_name(sh, JOURNAL_ALIAS, name, old);
    } else {
        free(old->value);
        free(old);
    }
    return true;
}

void alias_set(struct shell *sh, const char *name, const char *value)
{
    struct alias *const alias = must_alloc(sizeof(*alias) + strlen(name) + 1);

    alias->value = must_copy(value, strlen(value));
    strcpy(alias->name, name);
    if (!alias_unset(sh, name) && sh->subshell)
        journal_name(sh, JOURNAL_ALIAS, name, NULL);
    table_put(&sh->aliases, alias, name_of_alias);
}

void alias_clear(struct shell *sh)
{
    while (sh->aliases.count) {
        for (uint32_t i = 0; i < sh->aliases.size; i++)
            if (sh->aliases.slots[i])
                alias_unset(sh, ((struct alias *)sh->aliases.slots[i])->name);
    }
}
