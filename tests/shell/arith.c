/* SPDX-License-Identifier: MIT */
/* Arithmetic expansion: XCU 2.6.4 and the operators of C. */
#include "lang/arith.h"
#include "ring3_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A few variables; `r` is read-only. */
static struct variable {
    char name[16], value[64];
    bool set;
} variables[16];
static int reads;

static struct variable *variable(const char *name, size_t len)
{
    for (size_t i = 0; i < 16; i++) {
        struct variable *v = &variables[i];

        if (!v->name[0])
            snprintf(v->name, sizeof v->name, "%.*s", (int)len, name);
        if (strlen(v->name) == len && memcmp(v->name, name, len) == 0)
            return v;
    }
    abort();
}

static const char *get(void *ctx, const char *name, size_t len)
{
    const struct variable *v = variable(name, len);

    (void)ctx;
    reads++;
    return v->set ? v->value : NULL;
}

static int set(void *ctx, const char *name, size_t len, long long value)
{
    struct variable *v = variable(name, len);

    (void)ctx;
    if (strcmp(v->name, "r") == 0)
        return -EPERM;
    snprintf(v->value, sizeof v->value, "%lld", value);
    v->set = true;
    return 0;
}

static void assign(const char *name, const char *value)
{
    struct variable *v = variable(name, strlen(name));

    snprintf(v->value, sizeof v->value, "%s", value);
    v->set = true;
}

static struct arith_env env = {.get = get, .set = set};
static struct arith_error err;

static long long value_of(const char *text)
{
    long long result = -424242;
    const int failed = r3sh_arith(&env, text, strlen(text), &result, &err);

    check_eq(failed, 0, "\"%s\": %s at %zu", text, err.what, err.at);
    return result;
}

static int failure_of(const char *text)
{
    long long result;

    return r3sh_arith(&env, text, strlen(text), &result, &err);
}

TEST(shell_arith, computes_as_c_does)
{
#define SAME(expression) check_eq(value_of(#expression), (long long)(expression), "%s", #expression)
    SAME(1 + 2 * 3);
    SAME((1 + 2) * 3);
    SAME(7 / 2);
    SAME(-7 / 2);
    SAME(-7 % 3);
    SAME(1 << 4 >> 2);
    SAME(10 - 4 - 3);
    SAME(100 / 10 / 5);
    SAME((5 & 3) | (8 ^ 1));
    SAME(1 < 2);
    SAME((2 <= 1) + (2 >= 2) + (3 > 4));
    SAME((3 == 3) + (3 != 3));
    SAME(!5);
    SAME(!0);
    SAME(~0);
    SAME(- -3);
    SAME(+3);
    SAME((1 && 2) + (0 || 7));
    SAME(1 ? 2 : 3);
    SAME(0 ? 1 : 0 ? 2 : 3);
    SAME(0x1F + 010 + 0);
    SAME(0XfF);
#undef SAME
    check_eq(value_of("1|2^3&4==5"), 3);
    check_eq(value_of(""), 0);
    check_eq(value_of(" \t\n 7 \n"), 7);
    check_eq(value_of("1,2,3"), 3);
    check_eq(value_of("-8>>1"), -4);
    check_eq(value_of("2<1<1"), 1);
}

TEST(shell_arith, wraps_around_and_keeps_all_64_bits)
{
    check_eq(value_of("9223372036854775807 + 1"), INT64_MIN);
    check_eq(value_of("-9223372036854775808"), INT64_MIN);
    check_eq(value_of("-9223372036854775807 - 2"), INT64_MAX);
    check_eq(value_of("0xffffffffffffffff"), -1);
    check_eq(value_of("-(-9223372036854775807 - 1)"), INT64_MIN);
    check_eq(value_of("9223372036854775807 * 2"), -2);
    check_eq(value_of("1 << 64"), 1);
    check_eq(value_of("1 << 63"), INT64_MIN);
    check_eq(failure_of("9223372036854775809"), -EINVAL);
    check_eq(failure_of("0x10000000000000000"), -EINVAL);
}

TEST(shell_arith, refuses_divisions_without_result)
{
    check_eq(failure_of("1 / 0"), -EDOM);
    check_eq(err.at, 2u);
    check_str_eq(err.what, "division by zero");
    check_eq(failure_of("1 % 0"), -EDOM);
    check_eq(failure_of("(-9223372036854775807 - 1) / -1"), -EDOM);
    check_eq(failure_of("(-9223372036854775807 - 1) % -1"), -EDOM);
    check_eq(value_of("0 && 1/0"), 0);
    check_eq(value_of("1 || 1/0"), 1);
    check_eq(value_of("1 ? 5 : 1/0"), 5);
}

TEST(shell_arith, assigns_in_all_forms)
{
    check_eq(value_of("a = 5"), 5);
    check_eq(value_of("a += 2, a *= 3, a -= 1, a /= 2"), 10);
    check_eq(value_of("a %= 7"), 3);
    check_eq(value_of("(a <<= 3) + (a >>= 1)"), 36);
    check_eq(value_of("a |= 3, a &= 14, a ^= 1"), 15);
    check_eq(value_of("b = c = 4"), 4);
    check_eq(value_of("b + c"), 8);
    check_eq(value_of("a++ + ++a"), 15 + 17);
    check_eq(value_of("a-- - --a"), 17 - 15);
    check_eq(value_of("x - -1"), 1);
    check_eq(value_of("- - 3 + - + 2"), 1);
    check_eq(value_of("1?b=2:3"), 2);
    check_eq(value_of("0?b=2:(b=9)"), 9);
    check_eq(failure_of("1 = 2"), -EINVAL);
    check_eq(failure_of("a + 1 = 2"), -EINVAL);
    check_eq(failure_of("r = 2"), -EPERM);
    check_contains(err.what, "read-only");
}

TEST(shell_arith, skips_the_side_that_does_not_count)
{
    assign("a", "1");
    value_of("0 && (a = 2)");
    value_of("1 || (a = 3)");
    value_of("1 ? 0 : (a = 4)");
    value_of("0 ? (a = 5) : 0");
    check_eq(value_of("a"), 1);
}

TEST(shell_arith, reads_variables)
{
    check_eq(value_of("unset_one + 1"), 1);
    assign("e", "");
    check_eq(value_of("e"), 0);
    assign("n", " -12 ");
    check_eq(value_of("n"), -12);
    check_eq(value_of("-n"), 12);
    assign("h", "0x10");
    check_eq(value_of("h"), 16);
    assign("x", "n + 1");
    check_eq(value_of("x * 2"), -22);
    assign("bad", "1 +");
    check_eq(failure_of("3 + bad"), -EINVAL);
    check_eq(err.at, 4u);
    assign("self", "self");
    check_eq(failure_of("self"), -EINVAL);
    check_contains(err.what, "variable");
    env.nounset = true;
    check_eq(failure_of("1 + nosuch"), -ENOENT);
    check_eq(err.at, 4u);
    check_eq(value_of("nosuch = 3"), 3);
    env.nounset = false;
}

TEST(shell_arith, says_where_an_expression_is_wrong)
{
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        {"1 +", 3}, {"1 2", 2}, {"(1", 0},  {"1)", 1},  {"1 ? 2", 5}, {"08", 0},    {"1x", 0},
        {"$a", 0},  {"0x", 0},  {"* 2", 0}, {"a b", 2}, {"--", 2},    {"1 + ;", 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_eq(failure_of(rows[i].text), -EINVAL, "%s", rows[i].text);
        check_eq(err.at, rows[i].at, "%s: %s", rows[i].text, err.what);
    }
}

static int failure_of_repeated(const char *part, int times, const char *end)
{
    const size_t len = strlen(part);
    char *text = malloc(len * (size_t)times + strlen(end) + 1);
    int failed;

    for (int i = 0; i < times; i++)
        memcpy(text + len * (size_t)i, part, len);
    strcpy(text + len * (size_t)times, end);
    failed = failure_of(text);
    free(text);
    return failed;
}

TEST(shell_arith, limits_nesting_and_not_length)
{
    check_eq(failure_of_repeated("(", 100000, "1"), -EINVAL);
    check_contains(err.what, "deeply");
    check_eq(failure_of_repeated("-", 100000, "1"), -EINVAL);
    check_eq(failure_of_repeated("a=", 100000, "1"), -EINVAL);
    check_eq(failure_of_repeated("1?", 100000, "1"), -EINVAL);
    check_eq(failure_of_repeated("1?1:", 100000, "1"), -EINVAL);
    check_eq(failure_of_repeated("1+", 100000, "1"), 0);
    check_eq(failure_of_repeated("1&&", 100000, "1"), 0);
    check_eq(failure_of_repeated("1||", 100000, "1"), 0);
}

TEST(shell_arith, runs_a_kept_program_again)
{
    struct arith_program *p;
    long long result;
    char text[] = "i = i + 1";

    check_eq(arith_compile(&p, text, strlen(text), &err), 0);
    memset(text, '?', strlen(text));
    assign("i", "0");
    for (int i = 1; i <= 10; i++) {
        check_eq(arith_run(p, &env, &result, &err), 0);
        check_eq(result, i);
    }
    arith_free(p);
    check_eq(arith_compile(&p, "1+", 2, &err), -EINVAL);
}
