/* SPDX-License-Identifier: MIT */
/* Input: an expression. A kept program gives what the expression gives, and errors point into the text. */
#include "lang/arith.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One variable per first letter; those with a small letter begin as expressions. */
static char values[256][32];

static const char *get(void *ctx, const char *name, size_t len)
{
    (void)ctx, (void)len;
    return *name == 'U' ? NULL : values[(unsigned char)*name];
}

static int set(void *ctx, const char *name, size_t len, long long value)
{
    (void)ctx, (void)len;
    if (*name == 'R')
        return -EPERM;
    snprintf(values[(unsigned char)*name], sizeof values[0], "%lld", value);
    return 0;
}

static void begin(void)
{
    memset(values, 0, sizeof values);
    strcpy(values['a'], "b + 1");
    strcpy(values['b'], "C = C + 1");
    strcpy(values['c'], "c");
    strcpy(values['n'], "-7");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct arith_env env = {.get = get, .set = set, .nounset = size % 2};
    const char *const text = (const char *)data;
    struct arith_error err, kept_err;
    struct arith_program *kept;
    long long value = 0, again = 0;
    int failed, kept_failed;

    begin();
    failed = r3sh_arith(&env, text, size, &value, &err);
    begin();
    kept_failed = arith_compile(&kept, text, size, &kept_err);
    if (!kept_failed) {
        kept_failed = arith_run(kept, &env, &again, &kept_err);
        arith_free(kept);
    }
    if (failed != kept_failed || value != again)
        abort();
    if (failed && (err.at > size || !*err.what || err.at != kept_err.at))
        abort();
    return 0;
}
