/* SPDX-License-Identifier: MIT */
/* The machine that runs compiled arithmetic, and the doors. */
#include "lang/arith_program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A variable's value may name variables, whose values may again; a circle of them ends here. */
#define MAX_INDIRECTION 64
#define INLINE_STACK    16

bool arith_constant(const char *text, long long *value)
{
    uint64_t number;
    bool negative, overflow;
    size_t len;

    text += strspn(text, " \t\n");
    negative = *text == '-';
    text += *text == '-' || *text == '+';
    len = arith_number(text, strlen(text), &number, &overflow);
    if (len == 0 || overflow || text[len + strspn(text + len, " \t\n")] != '\0')
        return false;
    *value = (long long)(negative ? 0 - number : number);
    return true;
}

/* The value of a variable, when it is more than a constant. */
static int evaluate_value(const struct arith_env *env, const char *value, size_t at, int nested,
                          int64_t *result, struct arith_error *err)
{
    struct arith_program p;
    struct arith_error inner;
    int failed;

    if (nested >= MAX_INDIRECTION) {
        arith_say(err, at, "variables refer to each other without end");
        return -EINVAL;
    }
    p.len = strlen(value);
    p.text = p.copy = malloc(p.len + 1); /* an assignment in it may change the variable */
    if (!p.copy) {
        arith_say(err, at, "out of memory");
        return -ENOMEM;
    }
    memcpy(p.copy, value, p.len + 1);
    failed = arith_build(&p, &inner);
    if (!failed) {
        failed = arith_execute(&p, env, nested + 1, result, &inner);
        arith_drop_steps(&p);
    }
    if (failed)
        arith_say(err, at, "in the value of this variable, \"%.20s\": %.40s", p.copy, inner.what);
    free(p.copy);
    return failed;
}

static int load(const struct arith_program *p, const struct arith_step *s,
                const struct arith_env *env, int nested, int64_t *result, struct arith_error *err)
{
    const char *value = env->get(env->ctx, p->text + s->at, s->len);
    long long number;

    *result = 0;
    if (!value && env->nounset) {
        arith_say(err, s->at, "%.*s: parameter not set", (int)(s->len > 60 ? 60 : s->len),
                  p->text + s->at);
        return -ENOENT;
    }
    if (!value || !*value)
        return 0;
    if (arith_constant(value, &number)) {
        *result = number;
        return 0;
    }
    return evaluate_value(env, value, s->at, nested, result, err);
}

/* Arithmetic is done on unsigned words, where wrapping around is defined. */
static int64_t combine(enum arith_op op, int64_t a, int64_t b)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;

    switch (op) {
    case ARITH_MULTIPLY:
        return (int64_t)(ua * ub);
    case ARITH_ADD:
        return (int64_t)(ua + ub);
    case ARITH_SUBTRACT:
        return (int64_t)(ua - ub);
    case ARITH_SHIFT_LEFT:
        return (int64_t)(ua << (ub & 63));
    case ARITH_SHIFT_RIGHT:
        return a >> (ub & 63);
    case ARITH_LESS:
        return a < b;
    case ARITH_LESS_EQUAL:
        return a <= b;
    case ARITH_GREATER:
        return a > b;
    case ARITH_GREATER_EQUAL:
        return a >= b;
    case ARITH_EQUAL:
        return a == b;
    case ARITH_UNEQUAL:
        return a != b;
    case ARITH_BIT_AND:
        return a & b;
    case ARITH_BIT_XOR:
        return a ^ b;
    case ARITH_BIT_OR:
        return a | b;
    case ARITH_DIVIDE:
        return a / b;
    default:
        return a % b;
    }
}

static int check_division(int64_t a, int64_t b, size_t at, struct arith_error *err)
{
    if (b != 0 && !(a == INT64_MIN && b == -1))
        return 0;
    arith_say(err, at, b == 0 ? "division by zero" : "the quotient does not fit in 64 bits");
    return -EDOM;
}

static int run(const struct arith_program *p, const struct arith_env *env, int nested,
               int64_t *stack, struct arith_error *err)
{
    int64_t *top = stack - 1;
    int failed = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        const struct arith_step *s = &p->steps[i];

        switch ((enum arith_op)s->op) {
        case ARITH_CONSTANT:
            *++top = s->value;
            break;
        case ARITH_LOAD:
            failed = load(p, s, env, nested, ++top, err);
            break;
        case ARITH_STORE:
            failed = env->set(env->ctx, p->text + s->at, s->len, *top);
            if (failed)
                arith_say(err, s->at, "%.*s: cannot be assigned to: %s",
                          (int)(s->len > 40 ? 40 : s->len), p->text + s->at,
                          failed == -EPERM ? "read-only" : strerror(-failed));
            break;
        case ARITH_DROP:
            top--;
            break;
        case ARITH_JUMP:
            i = s->target - 1;
            break;
        case ARITH_AND:
            if (*top == 0)
                i = s->target - 1;
            else
                top--;
            break;
        case ARITH_OR:
            if (*top != 0) {
                *top = 1;
                i = s->target - 1;
            } else {
                top--;
            }
            break;
        case ARITH_UNLESS:
            if (*top-- == 0)
                i = s->target - 1;
            break;
        case ARITH_TRUTH:
            *top = *top != 0;
            break;
        case ARITH_NOT:
            *top = *top == 0;
            break;
        case ARITH_COMPLEMENT:
            *top = ~*top;
            break;
        case ARITH_NEGATE:
            *top = (int64_t)(0 - (uint64_t)*top);
            break;
        case ARITH_DIVIDE:
        case ARITH_REMAINDER:
            failed = check_division(top[-1], *top, s->at, err);
            if (failed)
                break;
            /* fall through */
        default:
            top--;
            *top = combine(s->op, *top, top[1]);
            break;
        }
        if (failed)
            return failed;
    }
    return 0;
}

int arith_execute(const struct arith_program *p, const struct arith_env *env, int nested,
                  int64_t *result, struct arith_error *err)
{
    int64_t small[INLINE_STACK], *stack = small;
    int failed;

    if (p->depth > INLINE_STACK) {
        stack = malloc(p->depth * sizeof *stack);
        if (!stack) {
            arith_say(err, 0, "out of memory");
            return -ENOMEM;
        }
    }
    failed = run(p, env, nested, stack, err);
    if (!failed)
        *result = stack[0];
    if (stack != small)
        free(stack);
    return failed;
}

int arith_compile(struct arith_program **program, const char *text, size_t len,
                  struct arith_error *err)
{
    struct arith_program *p = malloc(sizeof *p);
    int failed = -ENOMEM;

    if (!p)
        goto no_memory;
    p->copy = malloc(len + 1);
    if (!p->copy)
        goto free_program;
    memcpy(p->copy, text, len);
    p->copy[len] = '\0';
    p->text = p->copy;
    p->len = len;
    failed = arith_build(p, err);
    if (failed)
        goto free_copy;
    *program = p;
    return 0;

free_copy:
    free(p->copy);
free_program:
    free(p);
no_memory:
    if (failed == -ENOMEM)
        arith_say(err, 0, "out of memory");
    return failed;
}

int arith_run(const struct arith_program *program, const struct arith_env *env, long long *result,
              struct arith_error *err)
{
    int64_t value;
    const int failed = arith_execute(program, env, 0, &value, err);

    if (!failed)
        *result = value;
    return failed;
}

void arith_free(struct arith_program *program)
{
    if (!program)
        return;
    arith_drop_steps(program);
    free(program->copy);
    free(program);
}

int r3sh_arith(const struct arith_env *env, const char *text, size_t len, long long *result,
               struct arith_error *err)
{
    struct arith_program p;
    int failed;

    p.text = text;
    p.len = len;
    p.copy = NULL;
    failed = arith_build(&p, err);
    if (failed)
        return failed;
    failed = arith_run(&p, env, result, err);
    arith_drop_steps(&p);
    return failed;
}
