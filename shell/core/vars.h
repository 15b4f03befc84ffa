/* SPDX-License-Identifier: MIT */
/*
 * Variables. One record per name, which is never moved nor freed, so that a tree may point to it. The value
 * is kept as NAME=value with room to grow: appending is cheap, and the environment points to it.
 */
#ifndef R3SH_VARS_H
#define R3SH_VARS_H

#include "core/shell.h"

#define VARIABLE_EXPORT   1u
#define VARIABLE_READONLY 2u
#define VARIABLE_WATCHED  4u /* vars.c must know when it changes */
#define VARIABLE_KEYS     8u /* an array whose subscripts are texts */

struct variable {
    char *text;      /* NAME=value, or NULL: unset */
    size_t length;   /* of the value */
    size_t capacity; /* of text */
    uint32_t hash, name_length, scope;
    uint8_t flags;
    struct elements *elements; /* of an array, but for number 0, which is `text`; or NULL */
    struct variable *next_exported, **exported_link;
    char name[];
};

static inline const char *variable_value(const struct variable *v)
{
    return v->text ? v->text + v->name_length + 1 : NULL;
}

/* Before its value changes: 0, or -EPERM after a message. */
int variable_touch(struct shell *sh, struct variable *v);
void variables_init(struct shell *sh, char **environment);
struct variable *variable_intern(struct shell *sh, const char *name, size_t length);
const char *variable_get(struct shell *sh, const char *name);
/* 0; -EPERM after a message: read-only */
int variable_set(struct shell *sh, struct variable *v, const char *value, size_t length);
int variable_append(struct shell *sh, struct variable *v, const char *more, size_t length);
int variable_set_name(struct shell *sh, const char *name, const char *value);
int variable_unset(struct shell *sh, struct variable *v);
void variable_flag(struct shell *sh, struct variable *v, unsigned flag);
void variable_export(struct shell *sh, struct variable *v, bool on);
char **variables_environment(struct shell *sh);
bool is_name_text(const char *text, size_t length);
/* All variables in order of their names; free() the array. */
struct variable **variables_sorted(struct shell *sh, size_t *count);
/* The multibyte functions will be used: LC_CTYPE must be in force. */
void locale_need(struct shell *sh);
/* The same, if the text has bytes beyond ASCII. */
void locale_need_for(struct shell *sh, const char *text);
void arguments_set(struct shell *sh, char **list, int count);
struct arguments *arguments_new(char **list, int count);
void arguments_drop(struct arguments *arguments);
void arguments_shift(struct shell *sh, int count);

/* --- Arrays (arrays.c) -------------------------------------------------------------------------- */

/* The elements from 1 on, in order of their indices. Only those that are set are there. */
struct elements {
    size_t count, room;
    struct element_value {
        long index;
        size_t length;
        char *text;
        char *key; /* of an array with keys; else NULL */
    } list[];
};

/* A place in an array. The index of a key is made of its hash, and 0 for the key 0. */
struct subscript {
    long index;
    const char *key; /* NULL: there is none */
    size_t key_length;
};

/* The value, or NULL: unset. A negative index counts from the end. */
const char *array_get(const struct variable *v, struct subscript at, size_t *length);
/* 0; -EPERM or -EINVAL after a message. */
int array_set(struct shell *sh, struct variable *v, struct subscript at, const char *text,
              size_t length);
int array_append(struct shell *sh, struct variable *v, struct subscript at, const char *text,
                 size_t length);
int array_unset(struct shell *sh, struct variable *v, struct subscript at);
/* Remove all elements. */
int array_clear(struct shell *sh, struct variable *v);
size_t array_count(const struct variable *v);
/* One more than the highest index. */
long array_end(const struct variable *v);
/* The n-th of those that are set. */
const char *array_nth(const struct variable *v, size_t n, struct subscript *at, size_t *length);
struct elements *elements_copy(const struct elements *elements);
void elements_free(struct elements *elements);
/* What a subscript's text, which must stay, means for the variable. 0 or -1 after a message. */
int array_subscript(struct shell *sh, const struct variable *v, const char *text, size_t length,
                    struct subscript *at);
/* name[subscript] as one text: its variable and place. false: it is no such text, or (after a message) wrong. */
bool array_reference(struct shell *sh, const char *text, size_t length, struct variable **v,
                     struct subscript *at);
/* Its subscripts are texts from now on: 0, or -EINVAL after a message if it has elements with numbers. */
int array_use_keys(struct shell *sh, struct variable *v);
/* name=( … ) */
int assign_elements(struct shell *sh, struct assignment *assignment);

/* --- The journal: what to put back ------------------------------------------------------------- */

enum journal_kind { JOURNAL_VARIABLE, JOURNAL_FUNCTION, JOURNAL_ALIAS };

struct journal_entry {
    uint8_t kind, flags;
    bool local;
    uint32_t scope;
    struct variable *variable;
    char *text;
    size_t length, capacity;
    struct elements *elements;
    char *name;
    void *value;
};

/* Keep the variable's present state; it may be changed then. `local`: leave it unset. */
void journal_variable(struct shell *sh, struct variable *v, bool keep_value);
/* The same until the function or command ends (journal_unwind_locals), not the subshell. */
void journal_local(struct shell *sh, struct variable *v, bool keep_value);
struct journal_entry *journal_push(struct shell *sh);
void journal_unwind(struct shell *sh, size_t to);
/* Put back what journal_local kept since; what a subshell must put back stays in the journal. */
void journal_unwind_locals(struct shell *sh, size_t to);

/* --- Functions and aliases ------------------------------------------------------------------------ */

struct function {
    int references;
    struct program *program;
    struct node *body;
    bool readonly;
    char name[];
};

struct alias {
    char *value;
    char name[];
};

struct function *function_find(struct shell *sh, const char *name);
void function_define(struct shell *sh, const struct function_command *command);
void function_unset(struct shell *sh, const char *name);
void function_drop(struct function *function);
struct alias *alias_find(struct shell *sh, const char *name);
void alias_set(struct shell *sh, const char *name, const char *value);
bool alias_unset(struct shell *sh, const char *name);
void alias_clear(struct shell *sh);

/* Open-addressing tables of pointers to records that end with their name. */
uint32_t hash_text(const char *text, size_t length);
void *table_find(const struct table *table, const char *name, const char *(*name_of)(const void *));
void table_put(struct table *table, void *entry, const char *(*name_of)(const void *));
void *table_take(struct table *table, const char *name, const char *(*name_of)(const void *));

#endif
