/* SPDX-License-Identifier: MIT */
/* What the rooms of the editor share. */
#ifndef R3SH_EDIT_INTERNAL_H
#define R3SH_EDIT_INTERNAL_H

#include "edit/edit.h"
#include "edit/text.h"

#include <stdlib.h>

typedef void edit_action(struct edit *e);

struct edit_command {
    const char *name;
    edit_action *run;
};

struct binding {
    edit_key key;
    const struct edit_command *command; /* NULL: the host's, by name */
    char *name;
};

enum { MAP_EMACS, MAP_VI_INSERT, MAP_VI_COMMAND, MAPS };

struct keymap {
    struct binding *list;
    size_t count, cap;
};

#define KILL_RING 16

/* Kills that follow each other grow one entry. */
struct kill_ring {
    char *entry[KILL_RING];
    size_t newest, count, shown;    /* shown: how many back the last yank is */
    size_t yank_start, yank_length; /* where in the text that is */
};

/* Incremental search: what is looked for, and where we are. */
struct search {
    bool active, vi, forward, failed;
    struct buf wanted;
    struct buf vi_wanted; /* the last pattern of / and ?, for n, N, and those without one */
    bool vi_forward;
    size_t back;        /* of the entry found, 0: the line itself */
    size_t origin_back; /* where the search began */
};

/* A vi command as it is typed: [count] operator [count] motion. */
struct vi_state {
    int count, operator_count;
    char pending; /* waits for a character: f F t T r @ or an operator */
    char find;    /* last f F t T, and its character */
    edit_key operator, find_key;
    struct buf replay, last; /* keys of this command, and of the last one that changed something */
    bool recording, replaying;
    bool replace; /* R: typing goes over what is there */
};

struct menu {
    struct edit_candidates found;
    size_t selected;      /* SIZE_MAX: none yet */
    size_t start, length; /* of what stands in the text for it */
    bool open;
};

struct edit {
    struct edit_host host;
    void *ctx;
    struct edit_text text;
    struct buf prompt, right, output;
    struct screen screen;
    int rows, columns;
    struct keymap maps[MAPS];
    int map;
    enum edit_mode mode;
    enum edit_state state;
    struct buf pending;    /* bytes that are no whole key yet */
    bool pasting, quoting; /* the next key is text */
    edit_key prefix;       /* KEY_CX, or 0 */
    edit_key key;          /* the one that runs the command */
    edit_action *last;     /* the command before this one */
    edit_action *now;
    int repeat; /* emacs' numeric argument; 0: none */
    bool repeat_given;
    size_t back;       /* history entry shown; 0: the line itself */
    char *own_line;    /* the line itself, while history is shown */
    char *prefix_text; /* what a prefix search looks for */
    size_t mark;
    size_t word_back, word_length; /* yank-last-word: from which entry, and how long */
    struct kill_ring kills;
    struct search search;
    struct vi_state vi;
    struct menu menu;
    char *suggestion; /* what may follow, or NULL */
    uint8_t *styles;
    size_t styles_cap;
    bool hidden, dirty; /* taken off the screen; to be drawn anew */
};

/* commands.c */
extern const struct edit_command edit_commands[];
const struct edit_command *edit_find_command(const char *name);
void edit_insert_key(struct edit *e, edit_key key);
edit_action edit_self_insert, edit_accept, edit_newline, edit_history_up, edit_history_down;
void edit_show_history(struct edit *e, size_t back);
bool edit_on_first_line(const struct edit *e);
bool edit_on_last_line(const struct edit *e);
edit_action edit_suggestion_accept;
bool edit_elsewhere(struct edit *e, const char *text);

/* kill.c */
void edit_kill(struct edit *e, size_t from, size_t to, bool before);
void edit_keep(struct edit *e, const char *text, size_t len, bool before);
const char *edit_killed(const struct edit *e, size_t back);
edit_action edit_kill_line, edit_kill_line_back, edit_kill_whole_line, edit_kill_word,
    edit_kill_word_back, edit_kill_bigword_back, edit_kill_region, edit_yank, edit_yank_pop;

/* search.c */
edit_action edit_search_back, edit_search_forward, edit_prefix_back, edit_prefix_forward;
void edit_search_begin_vi(struct edit *e, bool forward);
bool edit_search_key(struct edit *e, edit_key key);
void edit_search_again_vi(struct edit *e, bool reverse);

/* menu.c */
edit_action edit_complete, edit_complete_back, edit_list_choices;
void edit_menu_close(struct edit *e);
bool edit_menu_key(struct edit *e, edit_key key);
void edit_menu_show(const struct edit *e, struct frame *f);
void edit_insert_all_choices(struct edit *e);

/* vi.c */
void edit_vi_key(struct edit *e, edit_key key);
void edit_vi_record(struct edit *e, edit_key key);
edit_action edit_vi_command_mode;
void edit_vi_begin(struct edit *e);
bool edit_vi_takes_literally(struct edit *e, edit_key key);

/* keymap.c */
int keymap_defaults(struct edit *e);
const struct binding *keymap_find(const struct keymap *map, edit_key key);

/* edit.c */
void edit_run(struct edit *e, edit_action *action);
void edit_mapped_key(struct edit *e, edit_key key);
void edit_key_pressed(struct edit *e, edit_key key);
size_t edit_key_bytes(edit_key key, char bytes[8]);
void edit_set_line(struct edit *e, const char *text);
void edit_update_suggestion(struct edit *e);
void edit_bell(struct edit *e);

#endif
