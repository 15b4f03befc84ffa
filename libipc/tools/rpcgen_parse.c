/* SPDX-License-Identifier: MIT */
/* Reads interface definitions: see rpcgen.h for the language. */
#include "rpcgen.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    FILE *in;
    const char *file;
    int line;
    bool failed;
    char token[IDL_NAME]; /* "" at the end */
    struct idl_service *service;
};

__attribute__((format(printf, 2, 3))) static void complain(struct parser *p, const char *format,
                                                           ...)
{
    va_list arguments;

    if (p->failed) /* one is enough: what follows is mostly its consequence */
        return;
    p->failed = true;
    fprintf(stderr, "%s:%d: ", p->file, p->line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* --- Words -------------------------------------------------------------------------------------------- */

static int skip_blanks(struct parser *p)
{
    int c;

    while ((c = getc(p->in)) != EOF) {
        if (c == '#')
            while ((c = getc(p->in)) != EOF && c != '\n')
                ;
        if (c == '\n')
            p->line++;
        if (c != '\n' && !isspace(c))
            break;
    }
    return c;
}

/* The next word, number or sign ("->" is one) into p->token. */
static void advance(struct parser *p)
{
    int c = skip_blanks(p);
    size_t length = 0;

    if (c != EOF && (isalnum(c) || c == '_')) {
        do {
            if (length < sizeof p->token - 1)
                p->token[length++] = (char)c;
            else
                complain(p, "a name is longer than %zu characters", sizeof p->token - 1);
            c = getc(p->in);
        } while (c != EOF && (isalnum(c) || c == '_'));
        ungetc(c, p->in);
    } else if (c != EOF) {
        p->token[length++] = (char)c;
        if (c == '-') {
            c = getc(p->in);
            if (c == '>')
                p->token[length++] = (char)c;
            else
                ungetc(c, p->in);
        }
    }
    p->token[length] = '\0';
}

static bool at(const struct parser *p, const char *token)
{
    return strcmp(p->token, token) == 0;
}

static bool take(struct parser *p, const char *token)
{
    if (p->failed || !at(p, token))
        return false;
    advance(p);
    return true;
}

static void expect(struct parser *p, const char *token)
{
    if (!take(p, token))
        complain(p, "expected '%s', not '%s'", token, p->token);
}

static void expect_name(struct parser *p, char name[IDL_NAME])
{
    if (!isalpha((unsigned char)p->token[0]) && p->token[0] != '_')
        complain(p, "expected a name, not '%s'", p->token);
    memcpy(name, p->token, IDL_NAME);
    advance(p);
}

static uint32_t expect_number(struct parser *p, uint32_t least, uint32_t most)
{
    char *end;
    const unsigned long number = strtoul(p->token, &end, 10);

    if (!isdigit((unsigned char)p->token[0]) || *end != '\0' || number < least || number > most)
        complain(p, "expected a number from %u to %u, not '%s'", least, most, p->token);
    advance(p);
    return (uint32_t)number;
}

/* --- Fields ------------------------------------------------------------------------------------------- */

static bool is_number_type(const char *word)
{
    static const char *const names[] = {"bool", "u8",  "u16", "u32", "u64", "i8",
                                        "i16",  "i32", "i64", "f32", "f64"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(word, names[i]) == 0)
            return true;
    return false;
}

static bool is_struct(const struct parser *p, const char *word)
{
    for (int i = 0; i < p->service->struct_count; i++)
        if (strcmp(word, p->service->structs[i].name) == 0)
            return true;
    return false;
}

#define IDL_MOST (1u << 20) /* of strings, bytes and arrays: a message is not longer */

static void parse_type(struct parser *p, struct idl_field *field)
{
    expect_name(p, field->type_name);
    if (strcmp(field->type_name, "string") == 0 || strcmp(field->type_name, "bytes") == 0) {
        field->type = field->type_name[0] == 's' ? IDL_STRING : IDL_BYTES;
        expect(p, "<");
        field->most = expect_number(p, 1, IDL_MOST);
        expect(p, ">");
    } else if (strcmp(field->type_name, "fd") == 0) {
        field->type = IDL_FD;
    } else if (is_number_type(field->type_name)) {
        field->type = IDL_NUMBER;
    } else if (is_struct(p, field->type_name)) {
        field->type = IDL_STRUCT;
    } else {
        complain(p, "'%s' is no type", field->type_name);
    }
}

static void parse_shape(struct parser *p, struct idl_field *field)
{
    if (take(p, "["))
        field->shape = IDL_EXACTLY;
    else if (take(p, "<"))
        field->shape = IDL_UP_TO;
    else
        return;
    if (field->type == IDL_FD)
        complain(p, "descriptors come one by one, not in arrays");
    field->count = expect_number(p, 1, IDL_MOST);
    expect(p, field->shape == IDL_EXACTLY ? "]" : ">");
}

static void parse_field(struct parser *p, struct idl_fields *fields, const char *owner)
{
    struct idl_field *const field = &fields->field[fields->count];

    if (fields->count == IDL_FIELDS) {
        complain(p, "more than %d fields", IDL_FIELDS);
        return;
    }
    memset(field, 0, sizeof *field);
    parse_type(p, field);
    if (take(p, "*"))
        field->shape = IDL_POINTER;
    expect_name(p, field->name);
    if (field->shape == IDL_ONE)
        parse_shape(p, field);
    if (owner && field->type == IDL_STRUCT && field->shape != IDL_POINTER &&
        strcmp(field->type_name, owner) == 0)
        complain(p, "struct %s cannot contain itself; a pointer can lead to it", owner);
    for (int i = 0; i < fields->count; i++)
        if (strcmp(fields->field[i].name, field->name) == 0)
            complain(p, "there are two fields '%s'", field->name);
    fields->count++;
}

static void parse_arguments(struct parser *p, struct idl_fields *fields)
{
    expect(p, "(");
    if (take(p, ")"))
        return;
    do
        parse_field(p, fields, NULL);
    while (take(p, ","));
    expect(p, ")");
}

/* --- Items -------------------------------------------------------------------------------------------- */

static void parse_struct(struct parser *p)
{
    struct idl_struct *const one = &p->service->structs[p->service->struct_count];

    if (p->service->struct_count == IDL_ITEMS) {
        complain(p, "more than %d structs", IDL_ITEMS);
        return;
    }
    expect_name(p, one->name);
    if (is_struct(p, one->name) || is_number_type(one->name))
        complain(p, "'%s' is a type already", one->name);
    p->service->struct_count++; /* its own fields may point to it */
    expect(p, "{");
    while (!p->failed && !take(p, "}")) {
        parse_field(p, &one->fields, one->name);
        expect(p, ";");
    }
    if (one->fields.count == 0)
        complain(p, "struct %s is empty", one->name);
}

static void parse_call(struct parser *p, bool oneway)
{
    struct idl_call *const call = &p->service->calls[p->service->call_count];

    if (p->service->call_count == IDL_ITEMS) {
        complain(p, "more than %d calls", IDL_ITEMS);
        return;
    }
    call->oneway = oneway;
    expect_name(p, call->name);
    for (int i = 0; i < p->service->call_count; i++)
        if (strcmp(p->service->calls[i].name, call->name) == 0)
            complain(p, "there are two calls '%s'", call->name);
    for (int i = 0; i < p->service->struct_count; i++)
        if (strcmp(p->service->structs[i].name, call->name) == 0)
            complain(p, "'%s' is a struct already", call->name);
    parse_arguments(p, &call->in);
    if (!oneway && take(p, "->"))
        parse_arguments(p, &call->out);
    if (!oneway && take(p, "idempotent"))
        call->idempotent = true;
    expect(p, ";");
    p->service->call_count++;
}

bool idl_parse(FILE *in, const char *file, struct idl_service *service)
{
    struct parser parser = {.in = in, .file = file, .line = 1, .service = service}, *const p =
                                                                                        &parser;

    memset(service, 0, sizeof *service);
    advance(p);
    expect(p, "service");
    expect_name(p, service->name);
    service->major = expect_number(p, 0, UINT16_MAX);
    expect(p, ".");
    service->minor = expect_number(p, 0, UINT16_MAX);
    expect(p, "{");
    while (!p->failed && !take(p, "}")) {
        if (take(p, "struct"))
            parse_struct(p);
        else if (take(p, "call"))
            parse_call(p, false);
        else if (take(p, "oneway"))
            parse_call(p, true);
        else
            complain(p, "expected struct, call or oneway, not '%s'", p->token);
    }
    if (!at(p, ""))
        complain(p, "'%s' follows the end of the service", p->token);
    if (service->call_count == 0)
        complain(p, "service %s has no calls", service->name);
    return !p->failed;
}
