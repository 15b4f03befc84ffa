/* SPDX-License-Identifier: MIT */
/* cd and umask: what a subshell in this process has to undo outside of it. */
#include "intrinsics/intrinsics.h"
#include "lang/path.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* By CDPATH: the directory to go to, in `to`; true if its name is to be shown. */
static bool by_cdpath(struct shell *sh, const char *target, struct buf *to)
{
    const char *path = variable_get(sh, "CDPATH");
    struct stat st;

    if (!path || *target == '/' || strcmp(target, ".") == 0 || strcmp(target, "..") == 0 ||
        strncmp(target, "./", 2) == 0 || strncmp(target, "../", 3) == 0)
        path = NULL;
    while (path) {
        const size_t length = strcspn(path, ":");

        buf_cut(to, 0);
        buf_add(to, path, length);
        if (length && path[length - 1] != '/')
            buf_addc(to, '/');
        buf_adds(to, target);
        if (!stat(buf_str(to), &st) && S_ISDIR(st.st_mode))
            return length > 0;
        path = path[length] ? path + length + 1 : NULL;
    }
    buf_cut(to, 0);
    buf_adds(to, target);
    return false;
}

static int change(struct shell *sh, const char *target, bool physical, struct buf *pwd)
{
    const char *const old = variable_value(sh->pwd);
    enum flow flow;
    int err;

    flow = subshell_save_directory(sh);
    if (flow != FLOW_NEXT) {
        sh->flow = flow;
        return -ECANCELED;
    }
    if (physical) {
        if (chdir(target))
            return -errno;
    } else {
        struct buf here = {0};

        if (!old || *old != '/')
            path_physical(&here);
        err = path_logical(pwd, here.len ? here.data : old ? old : "/", target);
        buf_free(&here);
        if (err)
            return err;
        if (chdir(pwd->data)) {
            err = -errno;
            /* The name may be too long, or the way to it closed. */
            if (err != -ENAMETOOLONG && err != -EACCES)
                return err;
            if (*target == '/' || chdir(target))
                return err;
        }
        return 0;
    }
    buf_cut(pwd, 0);
    return path_physical(pwd) ? 1 : 0;
}

int intrinsic_cd(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;
    struct builtin_options o = {0};
    struct buf target = {0}, pwd = {0};
    bool physical = false, strict = false, show = false;
    const char *operand;
    int letter, err, status = 0;

    while ((letter = builtin_option(&o, argc, argv, "LPe")) != -1) {
        if (letter == '?')
            return intrinsic_usage(sh, "cd", &o);
        if (letter == 'e')
            strict = true;
        else
            physical = letter == 'P';
    }
    if (argc - o.index > 1)
        return intrinsic_fail(sh, 2, "cd: too many operands");
    operand = o.index < argc ? argv[o.index] : variable_value(sh->home);
    if (!operand || (o.index >= argc && !*operand))
        return intrinsic_fail(sh, 2, "cd: HOME is not set");
    if (!*operand)
        return intrinsic_fail(sh, 2, "cd: an empty name is no directory");
    if (o.index < argc && strcmp(operand, "-") == 0) {
        operand = variable_get(sh, "OLDPWD");
        show = true;
        if (!operand || !*operand)
            return intrinsic_fail(sh, 2, "cd: OLDPWD is not set");
        buf_adds(&target, operand);
    } else {
        show = by_cdpath(sh, operand, &target);
    }
    err = change(sh, target.data, physical, &pwd);
    if (err == -ECANCELED && sh->flow != FLOW_NEXT) {
        status = sh->status;
    } else if (err < 0) {
        complain(sh, "cd: %s: %s", target.data, strerror(-err));
        status = strict && physical ? 2 : 1;
    } else {
        const char *const old = variable_value(sh->pwd);

        if (err > 0 && strict)
            status = 1;
        if (variable_set_name(sh, "OLDPWD", old ? old : "") ||
            variable_set(sh, sh->pwd, buf_str(&pwd), pwd.len))
            status = 1;
        if (show)
            out_printf(io->out, "%s\n", buf_str(&pwd));
    }
    buf_free(&target);
    buf_free(&pwd);
    return status;
}

int intrinsic_umask(struct builtin_io *io, int argc, char **argv)
{
    struct shell *const sh = io->shell;

    if (in_virtual_subshell(sh) && !sh->subshell->mask_saved) {
        sh->subshell->mask = umask(0);
        umask(sh->subshell->mask);
        sh->subshell->mask_saved = true;
    }
    return builtin_umask(io, argc, argv);
}
