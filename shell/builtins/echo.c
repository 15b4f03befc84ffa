/* SPDX-License-Identifier: MIT */
/* echo as XSI has it, with backslash sequences; and -n, which Debian policy asks of every shell. */
#include "builtins/builtin.h"
#include "builtins/escape.h"

int builtin_echo(struct builtin_io *io, int argc, char **argv)
{
    const bool no_newline = argc > 1 && strcmp(argv[1], "-n") == 0;
    struct buf text = {0};

    for (int i = no_newline ? 2 : 1; i < argc; i++) {
        if (!strchr(argv[i], '\\')) {
            out_puts(io->out, argv[i]);
        } else {
            const bool more = escape_expand(&text, argv[i], ESCAPE_ECHO);

            out_write(io->out, buf_str(&text), text.len);
            buf_clear(&text);
            if (!more)
                goto done;
        }
        if (i + 1 < argc)
            out_putc(io->out, ' ');
    }
    if (!no_newline)
        out_putc(io->out, '\n');
done:
    buf_free(&text);
    return 0;
}
