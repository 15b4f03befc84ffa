/* SPDX-License-Identifier: MIT */
/* From text to steps: precedence climbing, with the nesting limited so that no input exhausts the stack. */
#include "lang/arith_program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parentheses, unary operators, assignments and ?: within each other. Each takes a few hundred bytes of stack. */
#define MAX_NESTING 1000

struct compiler {
    struct arith_program *p;
    struct arith_error *err;
    size_t at;      /* next byte, blanks skipped */
    uint32_t stack; /* values on the stack after the steps so far */
    int nesting;
    int failed; /* negative errno; then all input counts as read */
};

static void compile_comma(struct compiler *c);
static void compile_assignment(struct compiler *c);

void arith_say(struct arith_error *err, size_t at, const char *fmt, ...)
{
    va_list args;

    err->at = at;
    va_start(args, fmt);
    vsnprintf(err->what, sizeof err->what, fmt, args);
    va_end(args);
}

static void fail(struct compiler *c, size_t at, const char *what)
{
    if (c->failed)
        return;
    c->failed = -EINVAL;
    arith_say(c->err, at, "%s", what);
    c->at = c->p->len;
}

static char peek(const struct compiler *c, size_t ahead)
{
    return c->at + ahead < c->p->len ? c->p->text[c->at + ahead] : '\0';
}

static void skip_blanks(struct compiler *c)
{
    while (c->at < c->p->len && strchr(" \t\n\r\v\f", c->p->text[c->at]) && c->p->text[c->at])
        c->at++;
}

static void take(struct compiler *c, size_t len)
{
    c->at += len;
    skip_blanks(c);
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* [ … ] at that place, brackets within it in pairs; 0: it is not closed. */
static size_t subscript_length(const struct compiler *c, size_t start)
{
    size_t n = start;
    int depth = 0;

    for (; c->at + n < c->p->len; n++) {
        depth += (peek(c, n) == '[') - (peek(c, n) == ']');
        if (depth == 0)
            return n + 1 - start;
    }
    return 0;
}

static size_t name_length(const struct compiler *c)
{
    size_t n = 0;

    if (is_name_start(peek(c, 0)))
        while (is_name_start(peek(c, n)) || (peek(c, n) >= '0' && peek(c, n) <= '9'))
            n++;
    return n && peek(c, n) == '[' ? n + subscript_length(c, n) : n;
}

/* What each operation does to the height of the stack. */
static int effect(enum arith_op op)
{
    switch (op) {
    case ARITH_CONSTANT:
    case ARITH_LOAD:
        return 1;
    case ARITH_STORE:
    case ARITH_JUMP:
    case ARITH_TRUTH:
    case ARITH_NOT:
    case ARITH_COMPLEMENT:
    case ARITH_NEGATE:
        return 0;
    default:
        return -1;
    }
}

static bool more_room(struct arith_program *p)
{
    const uint32_t room = p->room * 2;
    struct arith_step *steps;

    if (p->steps == p->inline_steps) {
        steps = malloc(room * sizeof *steps);
        if (steps)
            memcpy(steps, p->steps, p->count * sizeof *steps);
    } else {
        steps = realloc(p->steps, room * sizeof *steps);
    }
    if (!steps)
        return false;
    p->steps = steps;
    p->room = room;
    return true;
}

static struct arith_step *emit(struct compiler *c, enum arith_op op, size_t at)
{
    static struct arith_step nowhere; /* after a failure; never read */
    struct arith_program *p = c->p;

    if (!c->failed && p->count == p->room && !more_room(p)) {
        fail(c, at, "out of memory");
        c->failed = -ENOMEM;
    }
    if (c->failed)
        return &nowhere;
    c->stack = (uint32_t)((int)c->stack + effect(op));
    if (c->stack > p->depth)
        p->depth = c->stack;
    p->steps[p->count] = (struct arith_step){.op = (uint8_t)op, .at = (uint32_t)at};
    return &p->steps[p->count++];
}

/* The step just emitted jumps to where we are now, once this is called with its index. */
static void land(struct compiler *c, uint32_t jump)
{
    if (!c->failed)
        c->p->steps[jump].target = c->p->count;
}

static void emit_constant(struct compiler *c, int64_t value, size_t at)
{
    emit(c, ARITH_CONSTANT, at)->value = value;
}

static void emit_variable(struct compiler *c, enum arith_op op, size_t at, size_t len)
{
    emit(c, op, at)->len = (uint32_t)len;
}

static bool enter(struct compiler *c)
{
    if (++c->nesting <= MAX_NESTING)
        return true;
    fail(c, c->at, "expression is nested too deeply");
    return false;
}

size_t arith_number(const char *text, size_t len, uint64_t *value, bool *overflow)
{
    unsigned base = 10;
    size_t i = 0, first;

    *value = 0;
    *overflow = false;
    if (len > 1 && text[0] == '0') {
        base = text[1] == 'x' || text[1] == 'X' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    for (first = i; i < len; i++) {
        const char c = text[i];
        unsigned digit = 99;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (unsigned)((c | 32) - 'a') + 10;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)digit, value))
            *overflow = true;
    }
    if (base == 10 &&
        *value > (uint64_t)INT64_MAX + 1) /* INT64_MIN is written -9223372036854775808 */
        *overflow = true;
    return i == first && base != 8 ? 0 : i;
}

static void compile_number(struct compiler *c)
{
    const size_t at = c->at;
    uint64_t value;
    bool overflow;
    const size_t len = arith_number(c->p->text + at, c->p->len - at, &value, &overflow);

    c->at += len;
    if (len == 0 || is_name_start(peek(c, 0)) || (peek(c, 0) >= '0' && peek(c, 0) <= '9'))
        fail(c, at, "not a number");
    else if (overflow)
        fail(c, at, "number does not fit in 64 bits");
    take(c, 0);
    emit_constant(c, (int64_t)value, at);
}

/* ++x, --x; x++ and x-- leave the old value by undoing the step on the copy that stays. */
static void compile_step(struct compiler *c, size_t name, size_t len, char sign, bool postfix)
{
    emit_variable(c, ARITH_LOAD, name, len);
    emit_constant(c, 1, name);
    emit(c, sign == '+' ? ARITH_ADD : ARITH_SUBTRACT, name);
    emit_variable(c, ARITH_STORE, name, len);
    if (!postfix)
        return;
    emit_constant(c, 1, name);
    emit(c, sign == '+' ? ARITH_SUBTRACT : ARITH_ADD, name);
}

static void compile_primary(struct compiler *c)
{
    const size_t at = c->at, name = name_length(c);

    if (name > 0) {
        take(c, name);
        if ((peek(c, 0) == '+' || peek(c, 0) == '-') && peek(c, 1) == peek(c, 0)) {
            const char sign = peek(c, 0);

            take(c, 2);
            compile_step(c, at, name, sign, true);
            return;
        }
        emit_variable(c, ARITH_LOAD, at, name);
    } else if (peek(c, 0) >= '0' && peek(c, 0) <= '9') {
        compile_number(c);
    } else if (peek(c, 0) == '(') {
        take(c, 1);
        compile_comma(c);
        if (peek(c, 0) != ')')
            fail(c, at, "this parenthesis is not closed");
        else
            take(c, 1);
    } else {
        fail(c, at, at < c->p->len ? "a value is expected here" : "a value is missing at the end");
    }
}

static void compile_unary(struct compiler *c)
{
    const size_t at = c->at;
    const char op = peek(c, 0);
    size_t name;

    if (op != '+' && op != '-' && op != '!' && op != '~') {
        compile_primary(c);
        return;
    }
    if (!enter(c))
        return;
    take(c, 1);
    if ((op == '+' || op == '-') && c->at == at + 1 && peek(c, 0) == op) {
        const size_t second = c->at;

        take(c, 1);
        name = name_length(c);
        if (name > 0) {
            const size_t where = c->at;

            take(c, name);
            compile_step(c, where, name, op, false);
            c->nesting--;
            return;
        }
        c->at = second; /* two signs */
    }
    compile_unary(c);
    c->nesting--;
    if (op == '-')
        emit(c, ARITH_NEGATE, at);
    else if (op == '!')
        emit(c, ARITH_NOT, at);
    else if (op == '~')
        emit(c, ARITH_COMPLEMENT, at);
}

/* Binary operators: longer ones first. An operator followed by = is an assignment, except those that end in it. */
struct operator
{
    const char text[3];
    uint8_t len, precedence, op;
};

static const struct operator operators[] = {
    {"||", 2, 1, ARITH_OR},         {"&&", 2, 2, ARITH_AND},
    {"==", 2, 6, ARITH_EQUAL},      {"!=", 2, 6, ARITH_UNEQUAL},
    {"<<", 2, 8, ARITH_SHIFT_LEFT}, {">>", 2, 8, ARITH_SHIFT_RIGHT},
    {"<=", 2, 7, ARITH_LESS_EQUAL}, {">=", 2, 7, ARITH_GREATER_EQUAL},
    {"<", 1, 7, ARITH_LESS},        {">", 1, 7, ARITH_GREATER},
    {"|", 1, 3, ARITH_BIT_OR},      {"^", 1, 4, ARITH_BIT_XOR},
    {"&", 1, 5, ARITH_BIT_AND},     {"+", 1, 9, ARITH_ADD},
    {"-", 1, 9, ARITH_SUBTRACT},    {"*", 1, 10, ARITH_MULTIPLY},
    {"/", 1, 10, ARITH_DIVIDE},     {"%", 1, 10, ARITH_REMAINDER},
};

static const struct operator* operator_at(const struct compiler *c)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const struct operator* o = & operators[i];

        if (peek(c, 0) == o->text[0] && (o->len == 1 || peek(c, 1) == o->text[1]))
            return o;
    }
    return NULL;
}

/* The operator of an assignment at this place and its length with the =, or 0. Plain = gives ARITH_CONSTANT. */
static size_t assignment_at(const struct compiler *c, enum arith_op *op)
{
    const struct operator* o;

    *op = ARITH_CONSTANT;
    if (peek(c, 0) == '=' && peek(c, 1) != '=')
        return 1;
    o = operator_at(c);
    if (!o || peek(c, o->len) != '=' || o->precedence <= 2 || o->precedence == 6 ||
        o->precedence == 7)
        return 0;
    *op = o->op;
    return o->len + 1u;
}

static void compile_binary(struct compiler *c, int lowest)
{
    const struct operator* o;
    enum arith_op ignored;

    compile_unary(c);
    while ((o = operator_at(c)) && o->precedence >= lowest && !assignment_at(c, &ignored)) {
        const size_t at = c->at;
        const uint32_t jump = c->p->count;

        take(c, o->len);
        if (o->precedence <= 2)
            emit(c, o->op, at);
        if (!enter(c))
            return;
        compile_binary(c, o->precedence + 1);
        c->nesting--;
        if (o->precedence > 2) {
            emit(c, o->op, at);
        } else {
            emit(c, ARITH_TRUTH, at);
            land(c, jump);
        }
    }
}

static void compile_conditional(struct compiler *c)
{
    const size_t at = c->at;
    uint32_t to_else, to_end;

    compile_binary(c, 1);
    if (peek(c, 0) != '?' || !enter(c))
        return;
    take(c, 1);
    to_else = c->p->count;
    emit(c, ARITH_UNLESS, at);
    compile_comma(c);
    if (peek(c, 0) != ':')
        fail(c, c->at, "a colon is expected here");
    take(c, 1);
    to_end = c->p->count;
    emit(c, ARITH_JUMP, at);
    c->stack--; /* only one of the two branches leaves its value */
    land(c, to_else);
    compile_assignment(c); /* wider than C, as all shells have it: 1?2:x=3 */
    land(c, to_end);
    c->nesting--;
}

static void compile_assignment(struct compiler *c)
{
    const size_t at = c->at, name = name_length(c);
    enum arith_op op;
    size_t len = 0;

    if (name > 0) {
        take(c, name);
        len = assignment_at(c, &op);
        if (len == 0)
            c->at = at;
    }
    if (len == 0) {
        compile_conditional(c);
        if (!c->failed && assignment_at(c, &op))
            fail(c, c->at, "only a variable can be assigned to");
        return;
    }
    if (!enter(c))
        return;
    take(c, len);
    if (op != ARITH_CONSTANT)
        emit_variable(c, ARITH_LOAD, at, name);
    compile_assignment(c);
    c->nesting--;
    if (op != ARITH_CONSTANT)
        emit(c, op, at);
    emit_variable(c, ARITH_STORE, at, name);
}

static void compile_comma(struct compiler *c)
{
    if (!enter(c))
        return;
    compile_assignment(c);
    while (peek(c, 0) == ',') {
        emit(c, ARITH_DROP, c->at);
        take(c, 1);
        compile_assignment(c);
    }
    c->nesting--;
}

int arith_build(struct arith_program *p, struct arith_error *err)
{
    struct compiler c = {.p = p, .err = err};

    p->steps = p->inline_steps;
    p->room = ARITH_INLINE_STEPS;
    p->count = p->depth = 0;
    if (p->len > UINT32_MAX / 2) {
        arith_say(err, 0, "expression is too long");
        return -EINVAL;
    }
    skip_blanks(&c);
    if (c.at == p->len)
        emit_constant(&c, 0, 0);
    else
        compile_comma(&c);
    if (c.at < p->len)
        fail(&c, c.at, "an operator is expected here");
    if (c.failed)
        arith_drop_steps(p);
    return c.failed;
}

void arith_drop_steps(struct arith_program *p)
{
    if (p->steps != p->inline_steps)
        free(p->steps);
    p->steps = p->inline_steps;
    p->count = 0;
}
