/* SPDX-License-Identifier: MIT */
#include "core/vars.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>

static const char *name_of_variable(const void *entry)
{
    return ((const struct variable *)entry)->name;
}

bool is_name_text(const char *text, size_t length)
{
    if (!length || (*text >= '0' && *text <= '9'))
        return false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return true;
}

struct variable *variable_intern(struct shell *sh, const char *name, size_t length)
{
    const struct table *const table = &sh->variables;
    const uint32_t hash = hash_text(name, length);
    struct variable *v;

    if (table->size) {
        for (uint32_t place = hash & (table->size - 1); table->slots[place];
             place = (place + 1) & (table->size - 1)) {
            v = table->slots[place];
            if (v->hash == hash && v->name_length == length && memcmp(v->name, name, length) == 0)
                return v;
        }
    }
    v = must_alloc(sizeof(*v) + length + 1);
    *v = (struct variable){.hash = hash, .name_length = (uint32_t)length};
    memcpy(v->name, name, length);
    v->name[length] = '\0';
    table_put(&sh->variables, v, name_of_variable);
    return v;
}

const char *variable_get(struct shell *sh, const char *name)
{
    return variable_value(variable_intern(sh, name, strlen(name)));
}

static bool is_locale(const char *name)
{
    return strcmp(name, "LANG") == 0 || strcmp(name, "LC_ALL") == 0 ||
           strcmp(name, "LC_CTYPE") == 0 || strcmp(name, "LC_COLLATE") == 0;
}

/* The variable has a new value, or none: what depends on it is out of date. */
static void changed(struct shell *sh, const struct variable *v)
{
    if (v->flags & VARIABLE_EXPORT)
        sh->environment_stale = true;
    if (!(v->flags & VARIABLE_WATCHED))
        return;
    if (v == sh->ifs)
        sh->ifs_stale = true;
    else if (v == sh->path)
        hash_forget(sh);
    else if (v == sh->optind)
        sh->getopts.changed = true;
    else if (is_locale(v->name))
        sh->locale_stale = sh->ifs_stale = true;
}

static void set_category(struct shell *sh, int category, const char *name)
{
    const char *value = variable_get(sh, "LC_ALL");

    if (!value || !*value)
        value = variable_get(sh, name);
    if (!value || !*value)
        value = variable_get(sh, "LANG");
    setlocale(category, value && *value ? value : "C");
}

void locale_need(struct shell *sh)
{
    if (sh->locale_ready && !sh->locale_stale)
        return;
    sh->locale_ready = true;
    sh->locale_stale = false;
    set_category(sh, LC_CTYPE, "LC_CTYPE");
    set_category(sh, LC_COLLATE, "LC_COLLATE");
}

void locale_need_for(struct shell *sh, const char *text)
{
    for (; text && *text; text++) {
        if (*text & 0x80) {
            locale_need(sh);
            return;
        }
    }
}

static int read_only(struct shell *sh, const struct variable *v)
{
    complain(sh, "%s: is read-only", v->name);
    return -EPERM;
}

/* Before a change in a subshell of this process. */
static inline void keep(struct shell *sh, struct variable *v)
{
    if (v->scope < sh->scope && sh->subshell)
        journal_variable(sh, v, true);
}

int variable_touch(struct shell *sh, struct variable *v)
{
    if (v->flags & VARIABLE_READONLY)
        return read_only(sh, v);
    keep(sh, v);
    return 0;
}

static void reserve(struct variable *v, size_t length)
{
    const size_t need = v->name_length + length + 2;

    if (v->text && v->capacity >= need)
        return;
    /* What is set once stays small; what grows, grows by halves. */
    v->capacity = v->text ? need + need / 2 : need + 8;
    if (!v->text) {
        v->text = must_alloc(v->capacity);
        memcpy(v->text, v->name, v->name_length);
        v->text[v->name_length] = '=';
    } else {
        v->text = must_realloc(v->text, v->capacity);
    }
}

int variable_set(struct shell *sh, struct variable *v, const char *value, size_t length)
{
    if (v->flags & VARIABLE_READONLY)
        return read_only(sh, v);
    keep(sh, v);
    if (v->text && value >= v->text && value <= v->text + v->capacity &&
        v->capacity < v->name_length + length + 2)
        value = memcpy(arena_alloc(&sh->arena, length + 1), value, length);
    reserve(v, length);
    memmove(v->text + v->name_length + 1, value, length);
    v->text[v->name_length + 1 + length] = '\0';
    v->length = length;
    if (option_on(sh, OPTION_ALLEXPORT) && !(v->flags & VARIABLE_EXPORT))
        variable_export(sh, v, true);
    if (v->flags)
        changed(sh, v);
    return 0;
}

int variable_append(struct shell *sh, struct variable *v, const char *more, size_t length)
{
    if (v->flags & VARIABLE_READONLY)
        return read_only(sh, v);
    keep(sh, v);
    reserve(v, (v->text ? v->length : 0) + length);
    memcpy(v->text + v->name_length + 1 + v->length, more, length);
    v->length += length;
    v->text[v->name_length + 1 + v->length] = '\0';
    if (option_on(sh, OPTION_ALLEXPORT) && !(v->flags & VARIABLE_EXPORT))
        variable_export(sh, v, true);
    if (v->flags)
        changed(sh, v);
    return 0;
}

int variable_set_name(struct shell *sh, const char *name, const char *value)
{
    return variable_set(sh, variable_intern(sh, name, strlen(name)), value, strlen(value));
}

int variable_unset(struct shell *sh, struct variable *v)
{
    if (v->flags & VARIABLE_READONLY)
        return read_only(sh, v);
    keep(sh, v);
    free(v->text);
    elements_free(v->elements);
    v->text = NULL;
    v->elements = NULL;
    v->length = v->capacity = 0;
    v->flags &= (uint8_t)~VARIABLE_KEYS;
    changed(sh, v);
    variable_export(sh, v, false);
    return 0;
}

void variable_flag(struct shell *sh, struct variable *v, unsigned flag)
{
    keep(sh, v);
    v->flags |= (uint8_t)flag;
}

void variable_export(struct shell *sh, struct variable *v, bool on)
{
    if (on == ((v->flags & VARIABLE_EXPORT) != 0))
        return;
    keep(sh, v);
    sh->environment_stale = true;
    if (on) {
        v->flags |= VARIABLE_EXPORT;
        v->next_exported = sh->exported;
        if (v->next_exported)
            v->next_exported->exported_link = &v->next_exported;
        v->exported_link = &sh->exported;
        sh->exported = v;
    } else {
        v->flags &= (uint8_t)~VARIABLE_EXPORT;
        *v->exported_link = v->next_exported;
        if (v->next_exported)
            v->next_exported->exported_link = v->exported_link;
    }
}

char **variables_environment(struct shell *sh)
{
    size_t count = 1;

    if (!sh->environment_stale)
        return sh->environment;
    for (const struct variable *v = sh->exported; v; v = v->next_exported)
        count++;
    sh->environment = must_realloc(sh->environment, count * sizeof(char *));
    count = 0;
    for (struct variable *v = sh->exported; v; v = v->next_exported)
        if (v->text)
            sh->environment[count++] = v->text;
    sh->environment[count] = NULL;
    sh->environment_stale = false;
    return sh->environment;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct variable *const *)a)->name, (*(struct variable *const *)b)->name);
}

struct variable **variables_sorted(struct shell *sh, size_t *count)
{
    struct variable **all = must_alloc((sh->variables.count + 1) * sizeof(*all));

    *count = 0;
    for (uint32_t i = 0; i < sh->variables.size; i++)
        if (sh->variables.slots[i])
            all[(*count)++] = sh->variables.slots[i];
    qsort(all, *count, sizeof(*all), by_name);
    return all;
}

static struct variable *watched(struct shell *sh, const char *name)
{
    struct variable *const v = variable_intern(sh, name, strlen(name));

    v->flags |= VARIABLE_WATCHED;
    return v;
}

void variables_init(struct shell *sh, char **environment)
{
    sh->ifs = watched(sh, "IFS");
    sh->path = watched(sh, "PATH");
    sh->optind = watched(sh, "OPTIND");
    sh->lineno = watched(sh, "LINENO");
    sh->home = variable_intern(sh, "HOME", 4);
    sh->pwd = variable_intern(sh, "PWD", 3);
    sh->ps4 = variable_intern(sh, "PS4", 3);
    watched(sh, "LANG");
    watched(sh, "LC_ALL");
    watched(sh, "LC_CTYPE");
    watched(sh, "LC_COLLATE");
    sh->environment_stale = true;
    for (; environment && *environment; environment++) {
        const char *const equals = strchr(*environment, '=');
        struct variable *v;

        if (!equals || !is_name_text(*environment, (size_t)(equals - *environment)))
            continue;
        v = variable_intern(sh, *environment, (size_t)(equals - *environment));
        variable_set(sh, v, equals + 1, strlen(equals + 1));
        variable_export(sh, v, true);
    }
    variable_set(sh, sh->ifs, " \t\n", 3);
    variable_export(sh, sh->ifs, false);
    variable_set_name(sh, "OPTIND", "1");
    variable_set_name(sh, "PS4", variable_get(sh, "PS4") ? variable_get(sh, "PS4") : "+ ");
    sh->getopts.changed = false;
    sh->ifs_stale = true;
}

/* --- Arguments ------------------------------------------------------------------------------- */

struct arguments *arguments_new(char **list, int count)
{
    size_t size = sizeof(struct arguments) + ((size_t)count + 1) * sizeof(char *);
    struct arguments *arguments;
    char *text;

    for (int i = 0; i < count; i++)
        size += strlen(list[i]) + 1;
    arguments = must_alloc(size);
    *arguments = (struct arguments){
        .list = (char **)(void *)(arguments + 1), .count = count, .references = 1};
    text = (char *)(arguments->list + count + 1);
    for (int i = 0; i < count; i++) {
        arguments->list[i] = text;
        text = stpcpy(text, list[i]) + 1;
    }
    arguments->list[count] = NULL;
    return arguments;
}

void arguments_drop(struct arguments *arguments)
{
    if (arguments && --arguments->references == 0 && !arguments->borrowed)
        free(arguments);
}

void arguments_set(struct shell *sh, char **list, int count)
{
    struct arguments *const old = sh->arguments;

    sh->arguments = arguments_new(list, count);
    arguments_drop(old);
}

void arguments_shift(struct shell *sh, int count)
{
    if (sh->arguments->references > 1) {
        arguments_set(sh, sh->arguments->list + count, sh->arguments->count - count);
        return;
    }
    sh->arguments->list += count;
    sh->arguments->count -= count;
}
