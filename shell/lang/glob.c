/* SPDX-License-Identifier: MIT */
#include "lang/glob.h"

#include "lang/buf.h"
#include "lang/pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path as built so far; what follows `base` is relative to the directory `fd`. */
struct walk {
    struct glob_paths *to;
    struct buf path;
    size_t base;
    int fd;
    int failed;
};

static void expand_from(struct walk *w, const char *pattern, const char *end);

static int add_path(struct glob_paths *to, const char *path, size_t len)
{
    char *copy;

    if (to->count == to->cap) {
        const size_t cap = to->cap ? to->cap * 2 : 16;
        char **more = realloc(to->path, cap * sizeof *more);

        if (!more)
            return -ENOMEM;
        to->path = more;
        to->cap = cap;
    }
    copy = malloc(len + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, path, len + 1);
    to->path[to->count++] = copy;
    return 0;
}

static const char *relative(const struct walk *w)
{
    return w->path.len > w->base ? w->path.data + w->base : ".";
}

static void accept_if_there(struct walk *w)
{
    struct stat st;

    if (fstatat(w->fd, relative(w), &st, AT_SYMLINK_NOFOLLOW) == 0)
        w->failed = add_path(w->to, w->path.data, w->path.len);
}

/* Only a dot that is written as itself takes a leading dot. */
static bool begins_with_dot(const char *text, const char *end)
{
    return text < end && (*text == '.' || (*text == '\\' && text + 1 < end && text[1] == '.'));
}

static bool is_dot_or_dotdot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* One name of a directory that is open as `fd`; `rest` is the pattern behind the component. */
static void take_entry(struct walk *w, const struct dirent *entry, int fd, const char *rest,
                       const char *end)
{
    const int saved_fd = w->fd;
    const size_t saved_base = w->base, saved_len = w->path.len;

    if (rest != end && entry->d_type != DT_DIR && entry->d_type != DT_LNK &&
        entry->d_type != DT_UNKNOWN)
        return;
    w->failed = buf_adds(&w->path, entry->d_name);
    if (!w->failed && rest == end) {
        w->failed = add_path(w->to, w->path.data, w->path.len);
    } else if (!w->failed) {
        w->fd = fd;
        w->base = saved_len;
        expand_from(w, rest, end);
        w->fd = saved_fd;
        w->base = saved_base;
    }
    buf_cut(&w->path, saved_len);
}

static void expand_directory(struct walk *w, const struct pattern *p, bool dots, const char *rest,
                             const char *end)
{
    const int fd = openat(w->fd, relative(w), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return;
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    while (!w->failed && (entry = readdir(dir))) {
        const char *name = entry->d_name;

        if (is_dot_or_dotdot(name) || (*name == '.' && !dots))
            continue;
        if (pattern_match(p, name, strlen(name)))
            take_entry(w, entry, fd, rest, end);
    }
    closedir(dir);
}

/* The component's end; a backslash right before the slash quotes nothing that matters. */
static const char *component_end(const char *text, const char *end, const char **slash)
{
    const char *p = text;

    while (p < end && *p != '/') {
        if (*p == '\\' && p + 1 < end && p[1] == '/') {
            *slash = p + 1;
            return p;
        }
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    }
    *slash = p;
    return p;
}

static void expand_from(struct walk *w, const char *pattern, const char *end)
{
    const size_t saved = w->path.len;
    struct pattern p;

    while (!w->failed && pattern < end) {
        const char *slash;
        const char *const stop = component_end(pattern, end, &slash);
        const size_t len = (size_t)(stop - pattern);

        if (pattern_is_magic(pattern, len)) {
            w->failed = pattern_compile(&p, pattern, len);
            if (!w->failed) {
                expand_directory(w, &p, begins_with_dot(pattern, stop), slash, end);
                pattern_free(&p);
            }
            goto done;
        }
        w->failed = pattern_unquote(&w->path, pattern, len);
        pattern = slash;
        if (!w->failed && pattern < end) {
            w->failed = buf_addc(&w->path, '/');
            pattern++;
        }
    }
    if (!w->failed)
        accept_if_there(w);
done:
    buf_cut(&w->path, saved);
}

static int by_collation(const void *a, const void *b)
{
    const char *const left = *(char *const *)a, *const right = *(char *const *)b;
    const int order = strcoll(left, right);

    return order ? order : strcmp(left, right);
}

ptrdiff_t glob_expand(struct glob_paths *to, const char *pattern, size_t len)
{
    struct walk w = {.to = to, .fd = AT_FDCWD};
    const size_t before = to->count;

    if (!pattern_is_magic(pattern, len))
        return 0;
    expand_from(&w, pattern, pattern + len);
    buf_free(&w.path);
    if (w.failed) {
        while (to->count > before)
            free(to->path[--to->count]);
        return w.failed;
    }
    if (to->count > before)
        qsort(to->path + before, to->count - before, sizeof *to->path, by_collation);
    return (ptrdiff_t)(to->count - before);
}

void glob_free(struct glob_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->path[i]);
    free(paths->path);
    *paths = (struct glob_paths){0};
}
