/* SPDX-License-Identifier: MIT */
/* umask: octal, or symbolic as chmod has it, applied to what the mask lets through. */
#include "builtins/builtin.h"

#include <sys/stat.h>

static const char letters[] = "ugo";

static mode_t current_mask(void)
{
    const mode_t mask = umask(0);

    umask(mask);
    return mask;
}

static void print_symbolic(struct out *out, mode_t mask)
{
    for (int i = 0; i < 3; i++) {
        const mode_t bits = ~mask >> (6 - 3 * i) & 7;

        out_printf(out, "%c=%s%s%s%s", letters[i], bits & 4 ? "r" : "", bits & 2 ? "w" : "",
                   bits & 1 ? "x" : "", i < 2 ? "," : "\n");
    }
}

static bool parse_octal(const char *text, mode_t *mask)
{
    mode_t value = 0;

    do {
        if (*text < '0' || *text > '7' || value > 0777)
            return false;
        value = value * 8 + (mode_t)(*text - '0');
    } while (*++text);
    *mask = value & 0777;
    return value <= 07777;
}

/* The permissions behind an operator, for all three classes; the position behind them. */
static const char *parse_permissions(const char *text, mode_t allowed, mode_t *bits)
{
    const char *who;

    *bits = 0;
    if (*text && (who = strchr(letters, *text))) { /* a copy of another class */
        *bits = (allowed >> (6 - 3 * (who - letters)) & 7) * 0111;
        return text + 1;
    }
    for (; *text && strchr("rwxXst", *text); text++) {
        if (*text == 'r')
            *bits |= 0444;
        else if (*text == 'w')
            *bits |= 0222;
        else if (*text == 'x' || (*text == 'X' && allowed & 0111))
            *bits |= 0111;
    }
    return text;
}

static bool parse_symbolic(const char *text, mode_t *mask)
{
    mode_t allowed = ~*mask & 0777;

    for (;;) {
        mode_t who = 0, bits;

        for (; *text && strchr("ugoa", *text); text++)
            who |= *text == 'u' ? 0700 : *text == 'g' ? 0070 : *text == 'o' ? 0007 : 0777;
        who = who ? who : 0777;
        if (*text != '=' && *text != '+' && *text != '-')
            return false;
        while (*text == '=' || *text == '+' || *text == '-') {
            const char op = *text;

            text = parse_permissions(text + 1, allowed, &bits);
            bits &= who;
            allowed = op == '='   ? (allowed & ~who) | bits
                      : op == '+' ? allowed | bits
                                  : allowed & ~bits;
        }
        if (*text == '\0')
            break;
        if (*text++ != ',')
            return false;
    }
    *mask = ~allowed & 0777;
    return true;
}

int builtin_umask(struct builtin_io *io, int argc, char **argv)
{
    struct builtin_options o = {0};
    mode_t mask = current_mask();
    bool symbolic = false;
    const char *operand = argc > 1 ? argv[1] : NULL;

    /* -w is an operand: it takes a permission away. */
    if (operand && (strcmp(operand, "-S") == 0 || strcmp(operand, "--") == 0)) {
        while (builtin_option(&o, argc, argv, "S") == 'S')
            symbolic = true;
        operand = o.index < argc ? argv[o.index] : NULL;
    } else if (operand && operand[0] == '-' && !strchr("rwxXstugo", operand[1])) {
        builtin_fail(io, argv[0], "%s: unknown option", operand);
        return BUILTIN_USAGE;
    }
    if (!operand) {
        if (symbolic)
            print_symbolic(io->out, mask);
        else
            out_printf(io->out, "%04o\n", mask);
        return 0;
    }
    if (*operand >= '0' && *operand <= '9' ? !parse_octal(operand, &mask)
                                           : !parse_symbolic(operand, &mask))
        return builtin_fail(io, argv[0], "%s: not a file mode", operand);
    umask(mask);
    return 0;
}
