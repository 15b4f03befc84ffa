/* SPDX-License-Identifier: MIT */
/* times: what the shell and its children have used, user and system. */
#include "builtins/builtin.h"

#include <sys/resource.h>

static void print_time(struct out *out, struct timeval t, char after)
{
    out_printf(out, "%ldm%ld.%06lds%c", (long)t.tv_sec / 60, (long)t.tv_sec % 60, (long)t.tv_usec,
               after);
}

int builtin_times(struct builtin_io *io, int argc, char **argv)
{
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    struct rusage used;

    (void)argc, (void)argv;
    for (int i = 0; i < 2; i++) {
        getrusage(whose[i], &used);
        print_time(io->out, used.ru_utime, ' ');
        print_time(io->out, used.ru_stime, '\n');
    }
    return 0;
}
