/* SPDX-License-Identifier: MIT */
/*
 * printf (POSIX.1-2024): the format is used again while operands are left, %n$ takes operand n of each round,
 * %b expands backslashes, %q quotes for the shell. Numbers are C constants, or a quote and a character.
 * A wrong operand is reported, its leading part is used, and the status is 1.
 */
#include "builtins/builtin.h"
#include "builtins/escape.h"
#include "lang/mb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct print {
    struct builtin_io *io;
    char **operand;
    int count;
    int base, used; /* the round's first operand, and how many the round has used */
    int next;       /* for conversions without a number */
    int status;
    bool stop; /* \c, or a format that is wrong */
};

struct conversion {
    char flags[8];
    bool left, has_precision;
    int width, precision;
    char letter;
};

static const char *operand_at(struct print *p, int n)
{
    if (n > p->used)
        p->used = n;
    return p->base + n <= p->count ? p->operand[p->base + n - 1] : NULL;
}

static void complain(struct print *p, const char *what, const char *problem)
{
    builtin_fail(p->io, "printf", "%s: %s", what, problem);
    p->status = 1;
}

static bool quoted_character(const char *text, intmax_t *value)
{
    wint_t wide;

    if (*text != '\'' && *text != '"')
        return false;
    mb_decode(text + 1, strlen(text + 1) + 1, &wide);
    *value = wide == MB_NONE ? (unsigned char)text[1] : (intmax_t)wide;
    return true;
}

static void check_number(struct print *p, const char *text, const char *end, int error)
{
    if (end == text || *end != '\0')
        complain(p, text, end == text ? "not a number" : "not a number to its end");
    else if (error == ERANGE)
        complain(p, text, "out of range");
}

static intmax_t signed_operand(struct print *p, const char *text)
{
    intmax_t value;
    char *end;

    if (!text || quoted_character(text, &value))
        return text ? value : 0;
    errno = 0;
    value = strtoimax(text, &end, 0);
    check_number(p, text, end, errno);
    return value;
}

static uintmax_t unsigned_operand(struct print *p, const char *text)
{
    intmax_t character;
    uintmax_t value;
    char *end;

    if (!text || quoted_character(text, &character))
        return text ? (uintmax_t)character : 0;
    errno = 0;
    value = strtoumax(text, &end, 0);
    check_number(p, text, end, errno);
    return value;
}

static double real_operand(struct print *p, const char *text)
{
    intmax_t character;
    double value;
    char *end;

    if (!text || quoted_character(text, &character))
        return text ? (double)character : 0;
    errno = 0;
    value = strtod(text, &end);
    check_number(p, text, end, errno);
    return value;
}

/* Digits, or * for an operand, whose number may follow. The position behind. */
static const char *read_size(struct print *p, const char *f, int *size)
{
    char *end;
    long n;

    if (*f == '*') {
        int at = 0;

        n = strtol(f + 1, &end, 10);
        if (end > f + 1 && *end == '$' && n > 0 && n < INT32_MAX) {
            at = (int)n;
            f = end;
        }
        n = (long)signed_operand(p, operand_at(p, at ? at : ++p->next));
        f++;
    } else {
        n = strtol(f, &end, 10);
        f = end;
    }
    if (n > INT32_MAX / 2 || n < -INT32_MAX / 2) {
        complain(p, "width or precision", "out of range");
        n = 0;
    }
    *size = (int)n;
    return f;
}

/* Text in its field; widths count bytes. */
static void put_field(struct print *p, const struct conversion *c, const char *text, size_t len)
{
    const size_t width = (size_t)(c->width < 0 ? -c->width : c->width);
    const bool left = c->left || c->width < 0;

    if (c->has_precision && c->precision >= 0 && len > (size_t)c->precision)
        len = (size_t)c->precision;
    for (size_t i = len; !left && i < width; i++)
        out_putc(p->io->out, ' ');
    out_write(p->io->out, text, len);
    for (size_t i = len; left && i < width; i++)
        out_putc(p->io->out, ' ');
}

static void put_expanded(struct print *p, const struct conversion *c, const char *text)
{
    struct buf expanded = {0};

    if (!escape_expand(&expanded, text, ESCAPE_ECHO))
        p->stop = true;
    put_field(p, c, buf_str(&expanded), expanded.len);
    buf_free(&expanded);
}

static void put_quoted(struct print *p, const struct conversion *c, const char *text)
{
    struct out quoted;

    out_init(&quoted, OUT_MEMORY);
    out_quoted(&quoted, text);
    put_field(p, c, buf_str(&quoted.text), quoted.text.len);
    out_free(&quoted);
}

/* The C library does numbers: its format is ours, with the sizes as arguments. */
static void put_number(struct print *p, const struct conversion *c, const char *operand)
{
    char format[24];
    const bool real = strchr("aAeEfFgG", c->letter) != NULL;

    snprintf(format, sizeof format, "%%%s*%s%s%c", c->flags, c->has_precision ? ".*" : "",
             real ? "" : "j", c->letter);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define PRINT(value)                                                                               \
    (c->has_precision ? out_printf(p->io->out, format, c->width, c->precision, value)              \
                      : out_printf(p->io->out, format, c->width, value))
    if (real)
        PRINT(real_operand(p, operand));
    else if (c->letter == 'd' || c->letter == 'i')
        PRINT(signed_operand(p, operand));
    else
        PRINT(unsigned_operand(p, operand));
#undef PRINT
#pragma GCC diagnostic pop
}

/* One conversion, behind its %. The position behind it. */
static const char *convert(struct print *p, const char *f)
{
    struct conversion c = {0};
    const char *operand;
    size_t flags = 0;
    char *end;
    long number = strtol(f, &end, 10);

    if (end > f && *end == '$' && *f != '+' && *f != '-' && *f != ' ' && number > 0 &&
        number < INT32_MAX)
        f = end + 1;
    else
        number = 0;
    for (; *f && strchr("-+ #0'", *f); f++) {
        if (!memchr(c.flags, *f, flags) && flags < sizeof c.flags - 1)
            c.flags[flags++] = *f;
        c.left = c.left || *f == '-';
    }
    if (*f == '*' || (*f >= '0' && *f <= '9'))
        f = read_size(p, f, &c.width);
    if (*f == '.') {
        c.has_precision = true;
        f = f[1] == '-' ? f + 1 : read_size(p, f + 1, &c.precision);
    }
    c.letter = *f;
    if (!*f || !strchr("diouxXaAeEfFgGcsbq", *f)) {
        const char bad[] = {'%', *f, '\0'};

        complain(p, bad, "not a conversion");
        p->stop = true;
        return f;
    }
    operand = operand_at(p, number ? (int)number : ++p->next);
    if (c.letter == 's')
        put_field(p, &c, operand ? operand : "", operand ? strlen(operand) : 0);
    else if (c.letter == 'c')
        put_field(p, &c, operand ? operand : "", operand && *operand);
    else if (c.letter == 'b')
        put_expanded(p, &c, operand ? operand : "");
    else if (c.letter == 'q')
        put_quoted(p, &c, operand ? operand : "");
    else
        put_number(p, &c, operand);
    return f + 1;
}

static void one_round(struct print *p, const char *f)
{
    struct buf byte = {0};
    size_t plain;

    while (*f && !p->stop) {
        plain = strcspn(f, "%\\");
        out_write(p->io->out, f, plain);
        f += plain;
        if (*f == '\\') {
            f += 1 + escape_one(&byte, f + 1, ESCAPE_FORMAT, &p->stop);
            out_write(p->io->out, buf_str(&byte), byte.len);
            buf_clear(&byte);
        } else if (f[0] == '%' && f[1] == '%') {
            out_putc(p->io->out, '%');
            f += 2;
        } else if (*f == '%') {
            f = convert(p, f + 1);
        }
    }
    buf_free(&byte);
}

int builtin_printf(struct builtin_io *io, int argc, char **argv)
{
    struct print p = {.io = io};
    int first = 1;

    if (first < argc && strcmp(argv[first], "--") == 0)
        first++;
    if (first >= argc) {
        builtin_fail(io, "printf", "usage: printf format [argument...]");
        return BUILTIN_USAGE;
    }
    p.operand = argv + first + 1;
    p.count = argc - first - 1;
    do {
        p.base += p.used;
        p.used = p.next = 0;
        one_round(&p, argv[first]);
    } while (!p.stop && p.used > 0 && p.base + p.used < p.count);
    return p.status;
}
