/* SPDX-License-Identifier: MIT */
/* pwd: -L the name in PWD when it is right, -P the kernel's. */
#include "builtins/builtin.h"
#include "lang/path.h"

int builtin_pwd(struct builtin_io *io, int argc, char **argv)
{
    struct builtin_options o = {0};
    struct buf here = {0};
    const char *pwd = NULL;
    bool physical = false;
    int letter, err;

    while ((letter = builtin_option(&o, argc, argv, "LP")) != -1) {
        if (letter == '?') {
            builtin_fail(io, "pwd", "-%c: unknown option", *o.value);
            return BUILTIN_USAGE;
        }
        physical = letter == 'P';
    }
    if (!physical && io->host && io->host->variable)
        pwd = io->host->variable(io->shell, "PWD");
    if (pwd && path_names_here(pwd)) {
        out_printf(io->out, "%s\n", pwd);
        return 0;
    }
    err = path_physical(&here);
    if (err)
        builtin_fail(io, "pwd", "%s", strerror(-err));
    else
        out_printf(io->out, "%s\n", here.data);
    buf_free(&here);
    return err ? 1 : 0;
}
