/* SPDX-License-Identifier: MIT */
/* Input: a pattern, a newline, a subject. Matching, trimming and quoting must agree with each other. */
#include "lang/pattern.h"
#include "lang/buf.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    setlocale(LC_CTYPE, "C.UTF-8");
    return 0;
}

/* What a pattern takes off matches by itself: prefixes and suffixes are cut at characters, so it must. */
static void check_ends(const struct pattern *p, const char *s, size_t len)
{
    const ssize_t shortest = pattern_prefix(p, s, len, false),
                  longest = pattern_prefix(p, s, len, true);
    const ssize_t last = pattern_suffix(p, s, len, false), first = pattern_suffix(p, s, len, true);

    require((shortest < 0) == (longest < 0) && shortest <= longest && longest <= (ssize_t)len);
    require((last < 0) == (first < 0) && first <= last && last <= (ssize_t)len);
    if (pattern_match(p, s, len))
        require(longest == (ssize_t)len && first == 0);
    else
        require(longest != (ssize_t)len && first != 0);
    require(shortest < 0 || pattern_match(p, s, (size_t)shortest));
    require(longest < 0 || pattern_match(p, s, (size_t)longest));
    require(last < 0 || pattern_match(p, s + last, len - (size_t)last));
    require(first < 0 || pattern_match(p, s + first, len - (size_t)first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const text = (const char *)data, *const line =
                                                     size ? memchr(text, '\n', size) : NULL;
    struct buf quoted = {0}, plain = {0};
    struct pattern p;

    if (!line)
        return 0;
    require(pattern_compile(&p, text, (size_t)(line - text)) == 0);
    check_ends(&p, line + 1, size - (size_t)(line + 1 - text));
    pattern_free(&p);

    require(pattern_quote(&quoted, text, size) == 0 && !pattern_is_magic(quoted.data, quoted.len));
    require(pattern_unquote(&plain, quoted.data, quoted.len) == 0);
    require(plain.len == size && memcmp(plain.data, text, size) == 0);
    require(pattern_compile(&p, quoted.data, quoted.len) == 0 && pattern_match(&p, text, size));
    pattern_free(&p);
    buf_free(&quoted);
    buf_free(&plain);
    return 0;
}
