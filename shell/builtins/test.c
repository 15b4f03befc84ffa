/* SPDX-License-Identifier: MIT */
/*
 * test and [ (POSIX.1-2024): up to four operands are understood by their number, so that no value can be taken
 * for an operator; more are read as a grammar with -a, -o, ! and parentheses. 0 true, 1 false, 2 wrong use.
 */
#include "builtins/builtin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRUE = 0, FALSE = 1, WRONG = 2 };

/* Parentheses and negations within each other, when the grammar reads them. */
#define MAX_NESTING 1000

struct test {
    struct builtin_io *io;
    const char *name;
    char **arg;
    int count;   /* what is left of them */
    int nesting; /* of the grammar */
};

static int truth(bool yes)
{
    return yes ? TRUE : FALSE;
}

static int negated(int result)
{
    return result == WRONG ? WRONG : !result;
}

static int wrong(struct test *t, const char *what, const char *problem)
{
    builtin_fail(t->io, t->name, "%s%s%s", what, *what ? ": " : "", problem);
    return WRONG;
}

static bool to_integer(struct test *t, const char *text, intmax_t *value, int *result)
{
    char *end;

    errno = 0;
    *value = strtoimax(text, &end, 10);
    if (end != text && errno == 0 && end[strspn(end, " \t\n")] == '\0')
        return true;
    *result = wrong(t, text, errno == ERANGE ? "number out of range" : "not an integer");
    return false;
}

static bool is_mode(const char *path, mode_t type)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static bool is_terminal(struct test *t, const char *text, int *result)
{
    const struct builtin_host *host = t->io->host;
    intmax_t fd;

    if (!to_integer(t, text, &fd, result) || fd < 0 || fd > INT32_MAX)
        return false;
    if (host && host->fd)
        fd = host->fd(t->io->shell, (int)fd);
    return isatty((int)fd);
}

static bool is_unary(const char *text)
{
    return text[0] == '-' && text[1] && !text[2] && strchr("bcdefghLknprsStuwxzGO", text[1]);
}

static int unary(struct test *t, char op, const char *value)
{
    struct stat st;
    int result = FALSE;

    switch (op) {
    case 'n':
        return truth(*value != '\0');
    case 'z':
        return truth(*value == '\0');
    case 'b':
        return truth(is_mode(value, S_IFBLK));
    case 'c':
        return truth(is_mode(value, S_IFCHR));
    case 'd':
        return truth(is_mode(value, S_IFDIR));
    case 'f':
        return truth(is_mode(value, S_IFREG));
    case 'p':
        return truth(is_mode(value, S_IFIFO));
    case 'S':
        return truth(is_mode(value, S_IFSOCK));
    case 'h':
    case 'L':
        return truth(lstat(value, &st) == 0 && S_ISLNK(st.st_mode));
    case 'r':
        return truth(faccessat(AT_FDCWD, value, R_OK, AT_EACCESS) == 0);
    case 'w':
        return truth(faccessat(AT_FDCWD, value, W_OK, AT_EACCESS) == 0);
    case 'x':
        return truth(faccessat(AT_FDCWD, value, X_OK, AT_EACCESS) == 0);
    case 't':
        return is_terminal(t, value, &result) ? TRUE : result;
    }
    if (stat(value, &st) != 0)
        return FALSE;
    switch (op) {
    case 'g':
        return truth(st.st_mode & S_ISGID);
    case 'k':
        return truth(st.st_mode & S_ISVTX);
    case 'u':
        return truth(st.st_mode & S_ISUID);
    case 's':
        return truth(st.st_size > 0);
    case 'G':
        return truth(st.st_gid == getegid());
    case 'O':
        return truth(st.st_uid == geteuid());
    }
    return TRUE; /* -e */
}

static const char *const binaries[] = {"=",   "==",  "!=",  "<",   ">",   "-eq", "-ne",
                                       "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"};
enum {
    EQUAL,
    EQUAL2,
    UNEQUAL,
    BEFORE,
    AFTER,
    EQ,
    NE,
    LT,
    LE,
    GT,
    GE,
    NEWER,
    OLDER,
    SAME,
    NO_BINARY
};

static int binary_operator(const char *text)
{
    int op = 0;

    while (op < NO_BINARY && strcmp(binaries[op], text) != 0)
        op++;
    return op;
}

/* -1, 0, 1: as strcmp; a file that is not there is older than any that is. */
static int compare_times(const char *a, const char *b)
{
    struct stat left, right;
    const bool has_left = stat(a, &left) == 0, has_right = stat(b, &right) == 0;

    if (!has_left || !has_right)
        return has_left - has_right;
    if (left.st_mtim.tv_sec != right.st_mtim.tv_sec)
        return left.st_mtim.tv_sec < right.st_mtim.tv_sec ? -1 : 1;
    if (left.st_mtim.tv_nsec != right.st_mtim.tv_nsec)
        return left.st_mtim.tv_nsec < right.st_mtim.tv_nsec ? -1 : 1;
    return 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat left, right;

    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

static int binary(struct test *t, const char *a, int op, const char *b)
{
    intmax_t left, right;
    int result;

    switch (op) {
    case EQUAL:
    case EQUAL2:
        return truth(strcmp(a, b) == 0);
    case UNEQUAL:
        return truth(strcmp(a, b) != 0);
    case BEFORE:
        return truth(strcoll(a, b) < 0);
    case AFTER:
        return truth(strcoll(a, b) > 0);
    case NEWER:
        return truth(compare_times(a, b) > 0);
    case OLDER:
        return truth(compare_times(a, b) < 0);
    case SAME:
        return truth(same_file(a, b));
    }
    if (!to_integer(t, a, &left, &result) || !to_integer(t, b, &right, &result))
        return result;
    switch (op) {
    case EQ:
        return truth(left == right);
    case NE:
        return truth(left != right);
    case LT:
        return truth(left < right);
    case LE:
        return truth(left <= right);
    case GT:
        return truth(left > right);
    }
    return truth(left >= right);
}

/* The grammar: or -> and -> not -> primary. */
static int read_or(struct test *t);

static const char *take(struct test *t)
{
    t->count--;
    return *t->arg++;
}

static bool next_is(const struct test *t, const char *text)
{
    return t->count > 0 && strcmp(t->arg[0], text) == 0;
}

static int read_primary(struct test *t)
{
    int result;

    if (t->count == 0)
        return wrong(t, "", "an operand is missing");
    if (t->count >= 3 && binary_operator(t->arg[1]) != NO_BINARY) {
        const char *left = take(t);
        const int op = binary_operator(take(t));

        return binary(t, left, op, take(t));
    }
    if (next_is(t, "(")) {
        take(t);
        result = read_or(t);
        if (result == WRONG)
            return WRONG;
        if (!next_is(t, ")"))
            return wrong(t, "", "')' is missing");
        take(t);
        return result;
    }
    if (t->count >= 2 && is_unary(t->arg[0])) {
        const char op = take(t)[1];

        return unary(t, op, take(t));
    }
    return truth(*take(t) != '\0');
}

static int read_not(struct test *t)
{
    int result;

    if (++t->nesting > MAX_NESTING)
        return wrong(t, "", "nested too deeply");
    if (next_is(t, "!") && t->count > 1) {
        take(t);
        result = negated(read_not(t));
    } else {
        result = read_primary(t);
    }
    t->nesting--;
    return result;
}

static int read_and(struct test *t)
{
    int result = read_not(t);

    while (result != WRONG && next_is(t, "-a")) {
        int right;

        take(t);
        right = read_not(t);
        result = right == WRONG ? WRONG : truth(result == TRUE && right == TRUE);
    }
    return result;
}

static int read_or(struct test *t)
{
    int result = read_and(t);

    while (result != WRONG && next_is(t, "-o")) {
        int right;

        take(t);
        right = read_and(t);
        result = right == WRONG ? WRONG : truth(result == TRUE || right == TRUE);
    }
    return result;
}

static int read_all(struct test *t)
{
    const int result = read_or(t);

    return result != WRONG && t->count > 0 ? wrong(t, t->arg[0], "an operator was expected")
                                           : result;
}

static int one(char **a)
{
    return truth(a[0][0] != '\0');
}

static int two(struct test *t, char **a)
{
    if (strcmp(a[0], "!") == 0)
        return negated(one(a + 1));
    if (is_unary(a[0]))
        return unary(t, a[0][1], a[1]);
    return wrong(t, a[0], "not an operator");
}

static int three(struct test *t, char **a)
{
    const int op = binary_operator(a[1]);

    if (op != NO_BINARY)
        return binary(t, a[0], op, a[2]);
    if (strcmp(a[1], "-a") == 0)
        return truth(one(a) == TRUE && one(a + 2) == TRUE);
    if (strcmp(a[1], "-o") == 0)
        return truth(one(a) == TRUE || one(a + 2) == TRUE);
    if (strcmp(a[0], "!") == 0)
        return negated(two(t, a + 1));
    if (strcmp(a[0], "(") == 0 && strcmp(a[2], ")") == 0)
        return one(a + 1);
    return wrong(t, a[1], "not an operator");
}

static int four(struct test *t)
{
    if (strcmp(t->arg[0], "!") == 0)
        return negated(three(t, t->arg + 1));
    if (strcmp(t->arg[0], "(") == 0 && strcmp(t->arg[3], ")") == 0)
        return two(t, t->arg + 1);
    return read_all(t);
}

int builtin_test(struct builtin_io *io, int argc, char **argv)
{
    struct test t = {.io = io, .name = argv[0], .arg = argv + 1, .count = argc - 1};

    if (strcmp(argv[0], "[") == 0 && (t.count == 0 || strcmp(argv[t.count--], "]") != 0)) {
        builtin_fail(io, "[", "']' is missing");
        return WRONG;
    }
    switch (t.count) {
    case 0:
        return FALSE;
    case 1:
        return one(t.arg);
    case 2:
        return two(&t, t.arg);
    case 3:
        return three(&t, t.arg);
    case 4:
        return four(&t);
    }
    return read_all(&t);
}
