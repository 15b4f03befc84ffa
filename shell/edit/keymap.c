/* SPDX-License-Identifier: MIT */
/* Which key runs which command, at first and after `bind`. */
#include "edit/internal.h"

#include <errno.h>

static const char *const map_names[MAPS] = {"emacs", "vi-insert", "vi-command"};

/* "key command", for the emacs map and for vi's insertion. */
static const char *const shared[][2] = {
    {"Enter", "accept-line"},
    {"C-j", "accept-line"},
    {"M-Enter", "newline"},
    {"C-c", "interrupt"},
    {"C-d", "delete-char-or-eof"},
    {"Tab", "complete"},
    {"Backtab", "complete-backward"},
    {"Backspace", "backward-delete-char"},
    {"C-h", "backward-delete-char"},
    {"Delete", "delete-char"},
    {"Left", "backward-char"},
    {"Right", "forward-char"},
    {"Up", "up-history"},
    {"Down", "down-history"},
    {"Home", "start-of-line"},
    {"End", "end-of-line"},
    {"C-Left", "backward-word"},
    {"C-Right", "forward-word"},
    {"C-l", "clear-screen"},
    {"C-r", "search-backward"},
    {"C-s", "search-forward"},
    {"C-v", "quoted-insert"},
};

static const char *const emacs[][2] = {
    {"C-@", "set-mark"},
    {"C-a", "start-of-line"},
    {"C-b", "backward-char"},
    {"C-e", "end-of-line"},
    {"C-f", "forward-char"},
    {"C-k", "kill-line"},
    {"C-n", "down-history"},
    {"C-o", "newline"},
    {"C-p", "up-history"},
    {"C-q", "quoted-insert"},
    {"C-t", "transpose-chars"},
    {"C-u", "backward-kill-line"},
    {"C-w", "backward-kill-bigword"},
    {"C-y", "yank"},
    {"C-_", "undo"},
    {"C-x C-u", "undo"},
    {"C-x C-r", "redo"},
    {"C-x C-x", "exchange-mark"},
    {"C-x C-e", "edit-elsewhere"},
    {"C-x C-k", "kill-region"},
    {"C-x Backspace", "kill-whole-line"},
    {"M-b", "backward-word"},
    {"M-c", "capitalize-word"},
    {"M-d", "kill-word"},
    {"M-f", "forward-word"},
    {"M-l", "downcase-word"},
    {"M-n", "prefix-search-forward"},
    {"M-p", "prefix-search-backward"},
    {"M-t", "transpose-words"},
    {"M-u", "upcase-word"},
    {"M-y", "yank-pop"},
    {"M-.", "yank-last-word"},
    {"M-_", "redo"},
    {"M-#", "insert-comment"},
    {"M-<", "oldest-history"},
    {"M->", "end-of-history"},
    {"M-?", "list-choices"},
    {"M-Backspace", "backward-kill-word"},
    {"M-Left", "backward-word"},
    {"M-Right", "forward-word"},
    {"M-0", "digit-argument"},
    {"M-1", "digit-argument"},
    {"M-2", "digit-argument"},
    {"M-3", "digit-argument"},
    {"M-4", "digit-argument"},
    {"M-5", "digit-argument"},
    {"M-6", "digit-argument"},
    {"M-7", "digit-argument"},
    {"M-8", "digit-argument"},
    {"M-9", "digit-argument"},
};

static const char *const vi_insert[][2] = {
    {"Escape", "vi-command-mode"},
    {"C-u", "backward-kill-line"},
    {"C-w", "backward-kill-word"},
};

static int by_key(const void *key, const void *entry)
{
    const edit_key a = *(const edit_key *)key, b = ((const struct binding *)entry)->key;

    return (a > b) - (a < b);
}

const struct binding *keymap_find(const struct keymap *map, edit_key key)
{
    return map->count ? bsearch(&key, map->list, map->count, sizeof *map->list, by_key) : NULL;
}

static int put(struct keymap *map, edit_key key, const char *name)
{
    struct binding *b = (struct binding *)keymap_find(map, key);
    char *const copy = strdup(name);
    size_t at = 0;

    if (!copy)
        return -ENOMEM;
    if (!b && map->count == map->cap) {
        const size_t cap = map->cap ? map->cap * 2 : 96;
        struct binding *more = realloc(map->list, cap * sizeof *more);

        if (!more) {
            free(copy);
            return -ENOMEM;
        }
        map->list = more;
        map->cap = cap;
    }
    if (b) {
        free(b->name);
    } else {
        while (at < map->count && map->list[at].key < key)
            at++;
        b = &map->list[at];
        memmove(b + 1, b, (map->count - at) * sizeof *b);
        map->count++;
    }
    *b = (struct binding){key, edit_find_command(name), copy};
    return 0;
}

static int map_index(const char *name)
{
    int i = 0;

    while (i < MAPS && strcmp(map_names[i], name) != 0)
        i++;
    return i;
}

int edit_bind(struct edit *e, const char *map, const char *key, const char *command)
{
    const int index = map_index(map);
    edit_key parsed;

    if (index == MAPS || !key_parse(key, &parsed))
        return -EINVAL;
    return put(&e->maps[index], parsed, command);
}

void edit_bindings(const struct edit *e, const char *map,
                   void (*each)(void *, const char *, const char *), void *ctx)
{
    const int index = map_index(map);
    char name[32];

    for (size_t i = 0; index < MAPS && i < e->maps[index].count; i++) {
        key_name(e->maps[index].list[i].key, name);
        each(ctx, name, e->maps[index].list[i].name);
    }
}

static int bind_all(struct edit *e, const char *map, const char *const (*list)[2], size_t count)
{
    int err = 0;

    for (size_t i = 0; i < count && !err; i++)
        err = edit_bind(e, map, list[i][0], list[i][1]);
    return err;
}
#define BIND_ALL(e, map, list) bind_all(e, map, list, sizeof(list) / sizeof *(list))

int keymap_defaults(struct edit *e)
{
    int err = BIND_ALL(e, "emacs", shared);

    err = err ? err : BIND_ALL(e, "emacs", emacs);
    err = err ? err : BIND_ALL(e, "vi-insert", shared);
    return err ? err : BIND_ALL(e, "vi-insert", vi_insert);
}
