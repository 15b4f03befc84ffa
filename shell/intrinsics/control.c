/* SPDX-License-Identifier: MIT */
/* Special built-ins that direct control: break, continue, return, exit, eval, ., exec, shift. */
#include "core/input.h"
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"
#include "intrinsics/intrinsics.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char **operands(int argc, char **argv, int *count)
{
    argv++;
    argc--;
    if (argc && strcmp(*argv, "--") == 0) {
        argv++;
        argc--;
    }
    *count = argc;
    return argv;
}

int intrinsic_break(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const bool is_break = *argv[0] == 'b';
    int count;
    char **const args = operands(argc, argv, &count);
    const long levels = count ? intrinsic_number(args[0]) : 1;

    if (levels < 1 || count > 1)
        return intrinsic_fail(sh, 2, "%s: %s", argv[0],
                              count > 1 ? "too many operands" : "not a number above 0");
    if (!sh->loops)
        return 0;
    sh->levels = levels > sh->loops ? sh->loops : (int)levels;
    sh->flow = is_break ? FLOW_BREAK : FLOW_CONTINUE;
    return 0;
}

/* The status that exit and return are given, or the present one. -1 after a message. */
static int given_status(struct shell *sh, const char *name, int argc, char **argv)
{
    int count;
    char **const args = operands(argc, argv, &count);
    long status;

    if (!count)
        return sh->in_trap ? sh->trap_status : sh->status;
    status = intrinsic_number(args[0]);
    if (status < 0 || count > 1) {
        intrinsic_fail(sh, 2, "%s: %s: %s", name, args[0],
                       count > 1 ? "too many operands" : "not a status");
        return -1;
    }
    return (int)(status & 0xff);
}

int intrinsic_return(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const int status = given_status(sh, argv[0], argc, argv);

    if (status < 0)
        return 2;
    sh->flow = sh->functions || sh->dots ? FLOW_RETURN : FLOW_EXIT;
    return status;
}

int intrinsic_exit(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const int status = given_status(sh, argv[0], argc, argv);

    if (status < 0)
        return 2;
    if (!sh->in_trap && !in_virtual_subshell(sh) && jobs_forbid_exit(sh))
        return 1;
    sh->flow = FLOW_EXIT;
    return status;
}

int intrinsic_shift(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    int count;
    char **const args = operands(argc, argv, &count);
    const long n = count ? intrinsic_number(args[0]) : 1;

    if (n < 0 || count > 1)
        return intrinsic_fail(sh, 2, "shift: %s: not a number", args[0]);
    if (n > sh->arguments->count)
        return intrinsic_fail(sh, 1, "shift: there are only %d arguments", sh->arguments->count);
    arguments_shift(sh, (int)n);
    return 0;
}

int intrinsic_eval(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    const unsigned flags = sh->builtin_flags;
    struct buf text = {0};
    int count;
    char **const args = operands(argc, argv, &count);

    for (int i = 0; i < count; i++) {
        if (i)
            buf_addc(&text, ' ');
        buf_adds(&text, args[i]);
    }
    if (!text.len)
        sh->status = 0;
    if (text.len) {
        buf_addc(&text, '\n');
        sh->flow = run_text(sh, "eval", text.data, text.len, flags);
    }
    buf_free(&text);
    return sh->status;
}

int intrinsic_dot(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct file_input file;
    int count, fd;
    char **const args = operands(argc, argv, &count);
    const char *name = count ? args[0] : NULL;
    struct stat st;

    if (!name)
        return intrinsic_fail(sh, 2, ".: which file?");
    if (stack_is_low(sh))
        return intrinsic_fail(sh, 2, ".: files include each other too deeply");
    if (!strchr(name, '/')) {
        const char *const path = variable_value(sh->path);

        name = path ? path_search(sh, path, name, 0) : NULL;
        if (!name)
            return intrinsic_fail(sh, 1, ".: %s: not found", args[0]);
    }
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        close(fd);
        fd = -1;
        errno = EISDIR;
    }
    if (fd < 0)
        return intrinsic_fail(sh, 1, ".: %s: %s", name, strerror(errno));
    file_input_open(&file, sh, name, fd, false);
    sh->dots++;
    sh->flow = run_input(sh, &file.input, sh->builtin_flags & RUN_TESTED);
    sh->dots--;
    if (sh->flow == FLOW_RETURN)
        sh->flow = FLOW_NEXT;
    file_input_close(&file);
    return sh->status;
}

int intrinsic_exec(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    int count;
    char **const args = operands(argc, argv, &count);
    const char *path;

    if (!count) {
        sh->keep_redirects = true;
        return 0;
    }
    path = strchr(args[0], '/') ? args[0] : command_path(sh, args[0], false);
    if (path) {
        out_flush(&sh->out);
        exec_replace(sh, args, path);
        sh->status = exec_status(sh, args[0], -errno);
    } else {
        sh->status = exec_status(sh, args[0], -ENOENT);
    }
    if (is_interactive(sh) && !sh->forked)
        sh->flow = FLOW_ERROR;
    else
        sh->flow = FLOW_EXIT;
    return sh->status;
}
