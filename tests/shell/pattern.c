/* SPDX-License-Identifier: MIT */
/* Shell patterns: XCU 2.14 and XBD 9.3.5, and prefixes and suffixes against a matcher that tries everything. */
#include "lang/pattern.h"
#include "lang/buf.h"
#include "ring3_test.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *pattern, const char *subject)
{
    struct pattern p;
    bool yes;

    check_eq(pattern_compile(&p, pattern, strlen(pattern)), 0);
    yes = pattern_match(&p, subject, strlen(subject));
    pattern_free(&p);
    return yes;
}

static long prefix(const char *pattern, const char *subject, bool longest)
{
    struct pattern p;
    long end;

    check_eq(pattern_compile(&p, pattern, strlen(pattern)), 0);
    end = pattern_prefix(&p, subject, strlen(subject), longest);
    pattern_free(&p);
    return end;
}

static long suffix(const char *pattern, const char *subject, bool longest)
{
    struct pattern p;
    long start;

    check_eq(pattern_compile(&p, pattern, strlen(pattern)), 0);
    start = pattern_suffix(&p, subject, strlen(subject), longest);
    pattern_free(&p);
    return start;
}

struct row {
    const char *pattern, *subject;
    bool expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_eq(matches(rows[i].pattern, rows[i].subject), rows[i].expected, "'%s' on '%s'",
                 rows[i].pattern, rows[i].subject);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

TEST(shell_pattern, matches_text_stars_and_question_marks)
{
    static const struct row rows[] = {
        {"", "", true},         {"", "a", false},         {"abc", "abc", true},
        {"abc", "abcd", false}, {"*", "", true},          {"*", "anything", true},
        {"?", "", false},       {"?", "a", true},         {"a*", "a", true},
        {"*a", "ba", true},     {"*a", "ab", false},      {"a*c", "abbc", true},
        {"a*c", "ac", true},    {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false},
        {"**", "x", true},      {"*?*?*", "a", false},    {"*?*?*", "ab", true},
        {"a?c", "abc", true},   {"*ab*ab", "ab", false},  {"*ab*ab", "abab", true},
        {"*a*", "bab", true},
    };

    CHECK_ROWS(rows);
}

TEST(shell_pattern, takes_a_quoted_character_as_itself)
{
    static const struct row rows[] = {
        {"\\*", "*", true},     {"\\*", "a", false},    {"\\a", "a", true},
        {"a\\", "a\\", true},   {"\\\\", "\\", true},   {"\\[a]", "[a]", true},
        {"\\?", "?", true},     {"[\\]]", "]", true},   {"[a\\-z]", "m", false},
        {"[a\\-z]", "-", true}, {"[\\!a]", "!", true},  {"[\\!a]", "b", false},
        {"[\\]a]", "a", true},  {"[\\\\]", "\\", true},
    };

    CHECK_ROWS(rows);
}

TEST(shell_pattern, reads_bracket_expressions)
{
    static const struct row rows[] = {
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]", "b", true},
        {"[!a-c]", "b", false},
        {"[!a-c]", "d", true},
        {"[^a-c]", "d", true},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[]-a]", "^", true},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[a]", "", false},
        {"[[:digit:]]", "7", true},
        {"[[:digit:]]", "x", false},
        {"[![:digit:]]", "x", true},
        {"[[:alpha:]_]*", "_x", true},
        {"[[:alpha:][:digit:]]", "5", true},
        {"[[.-.]]", "-", true},
        {"[[.a.]-[.c.]]", "b", true},
        {"[[=a=]]", "a", true},
        {"[[.hyphen.]]", "-", true},
        {"[[:nonsense:]]", "n", false},
        {"[c-a]", "b", false},
        {"[[:alpha:]", "a", false},
        {"[[:alpha:]", "[:alpha:", false},
    };

    CHECK_ROWS(rows);
}

TEST(shell_pattern, takes_an_open_bracket_without_end_as_itself)
{
    static const struct row rows[] = {
        {"[", "[", true},      {"[a", "[a", true}, {"[!", "[!", true},
        {"[a*", "[abc", true}, {"[]", "[]", true}, {"a[", "a", false},
    };

    CHECK_ROWS(rows);
    check(!pattern_is_magic("a[b", 3));
    check(pattern_is_magic("a[b]", 4));
    check(!pattern_is_magic("\\*\\?", 4));
}

TEST(shell_pattern, trims_the_shortest_and_longest_ends)
{
    check_eq(prefix("*/", "/usr/lib/x", false), 1);
    check_eq(prefix("*/", "/usr/lib/x", true), 9);
    check_eq(suffix("/*", "/usr/lib/x", false), 8);
    check_eq(suffix("/*", "/usr/lib/x", true), 0);
    check_eq(suffix(".*", "a.tar.gz", true), 1);
    check_eq(prefix("x*", "abc", false), -1);
    check_eq(suffix("*x", "abc", true), -1);
    check_eq(prefix("*", "abc", false), 0);
    check_eq(prefix("*", "abc", true), 3);
    check_eq(suffix("*", "abc", false), 3);
    check_eq(suffix("*", "abc", true), 0);
    check_eq(prefix("", "abc", true), 0);
}

TEST(shell_pattern, counts_characters_and_lets_stray_bytes_be)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return;
    check(matches("?", "\xc3\xa9"));
    check(!matches("??", "\xc3\xa9"));
    check(matches("[\xc3\xa8-\xc3\xaa]", "\xc3\xa9"));
    check(!matches("[!\xc3\xa9]", "\xc3\xa9"));
    check(matches("[[:alpha:]]", "\xc3\xa9"));
    check(matches("?", "\xff"));
    check(matches("a?b", "a\xff"
                         "b"));
    check(matches("[\xff]", "\xff"));
    check(matches("[!a]", "\xff"));
    check(!matches("*\xa9", "\xc3\xa9"));
    check_eq(prefix("?", "\xc3\xa9x", false), 2);
    check_eq(suffix("?", "x\xc3\xa9", false), 1);
}

TEST(shell_pattern, quotes_so_that_it_matches_only_itself)
{
    static const char hard[] = "a*[b]?\\!-[:alpha:]";
    struct buf quoted = {0}, plain = {0};

    check_eq(pattern_quote(&quoted, hard, strlen(hard)), 0);
    check(matches(quoted.data, hard));
    check(!pattern_is_magic(quoted.data, quoted.len));
    check_eq(pattern_unquote(&plain, quoted.data, quoted.len), 0);
    check_str_eq(plain.data, hard);
    buf_free(&quoted);
    buf_free(&plain);
}

/* The definition, tried in all ways; for a, b, ? and * only. */
static bool naive(const char *p, const char *s, size_t len)
{
    if (!*p)
        return len == 0;
    if (*p == '*')
        return naive(p + 1, s, len) || (len && naive(p, s + 1, len - 1));
    return len && (*p == '?' || *p == *s) && naive(p + 1, s + 1, len - 1);
}

static void random_text(char *to, const char *alphabet, int most)
{
    int len = rand() % (most + 1);

    while (len-- > 0)
        *to++ = alphabet[(size_t)rand() % strlen(alphabet)];
    *to = '\0';
}

TEST(shell_pattern, agrees_with_the_definition_on_random_patterns, 60)
{
    char p[16], s[16];

    srand(1);
    for (long i = scaled(100000, 2000000); i-- > 0;) {
        long first = -1, last = -1, start_first = -1, start_last = -1, len;

        random_text(p, "ab?**", 6);
        random_text(s, "ab", 8);
        len = (long)strlen(s);
        for (long k = 0; k <= len; k++) {
            if (naive(p, s, (size_t)k)) {
                first = first < 0 ? k : first;
                last = k;
            }
            if (naive(p, s + k, (size_t)(len - k))) {
                start_first = start_first < 0 ? k : start_first;
                start_last = k;
            }
        }
        check_eq(matches(p, s), naive(p, s, (size_t)len), "'%s' on '%s'", p, s);
        check_eq(prefix(p, s, false), first, "'%s' on '%s'", p, s);
        check_eq(prefix(p, s, true), last, "'%s' on '%s'", p, s);
        check_eq(suffix(p, s, true), start_first, "'%s' on '%s'", p, s);
        check_eq(suffix(p, s, false), start_last, "'%s' on '%s'", p, s);
    }
}

TEST(shell_pattern, does_not_blow_up_on_many_stars, 60)
{
    char p[201], s[20001];

    for (int i = 0; i < 200; i += 2)
        memcpy(p + i, "*a", 2);
    p[199] = 'b';
    p[200] = '\0';
    memset(s, 'a', 20000);
    s[20000] = '\0';
    check(!matches(p, s));
    check_eq(prefix(p, s, true), -1);
    check_eq(suffix(p, s, true), -1);
}
