/* SPDX-License-Identifier: MIT */
#include "lang/path.h"

#include "lang/buf.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes the last component off, if what it names is a directory. */
static int go_up(struct buf *to)
{
    struct stat st;
    size_t len = to->len;

    if (len <= 1) /* the root is above itself */
        return 0;
    if (stat(to->data, &st) != 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    while (len > 1 && to->data[len - 1] != '/')
        len--;
    buf_cut(to, len > 1 ? len - 1 : 1);
    return 0;
}

static int append_components(struct buf *to, const char *path)
{
    int err = 0;

    while (!err) {
        size_t len;

        path += strspn(path, "/");
        len = strcspn(path, "/");
        if (len == 0)
            return 0;
        if (len == 2 && path[0] == '.' && path[1] == '.') {
            err = go_up(to);
        } else if (len > 1 || path[0] != '.') {
            err = to->len > 1 ? buf_addc(to, '/') : 0;
            err = err ? err : buf_add(to, path, len);
        }
        path += len;
    }
    return err;
}

int path_logical(struct buf *to, const char *pwd, const char *target)
{
    int err;

    buf_clear(to);
    err = buf_addc(to, '/');
    if (!err && *target != '/')
        err = append_components(to, pwd);
    return err ? err : append_components(to, target);
}

int path_physical(struct buf *to)
{
    buf_clear(to);
    for (size_t size = 256;; size *= 2) {
        if (buf_reserve(to, size) != 0)
            return -ENOMEM;
        if (getcwd(to->data, size)) {
            to->len = strlen(to->data);
            return to->data[0] == '/' ? 0 : -ENOENT; /* "(unreachable)" */
        }
        if (errno != ERANGE)
            return -errno;
    }
}

bool path_names_here(const char *path)
{
    struct stat here, there;

    if (*path != '/')
        return false;
    for (const char *p = path; *p; p += strcspn(p, "/")) {
        size_t len;

        p += strspn(p, "/");
        len = strcspn(p, "/");
        if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
            return false;
    }
    return stat(".", &here) == 0 && stat(path, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}
