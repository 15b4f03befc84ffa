/* SPDX-License-Identifier: MIT */
/*
 * A line editor: a state machine that is fed with bytes and produces bytes. It opens nothing, waits for
 * nothing and knows no shell; what it must know it asks its host. edit_read in terminal.h drives one on a
 * terminal.
 *
 *     edit_begin(e, "$ ", NULL);
 *     do { write(edit_output(e)); read(bytes); } while (edit_feed(e, bytes, len) == EDIT_MORE);
 *     edit_text(e) is the line.
 */
#ifndef R3SH_EDIT_H
#define R3SH_EDIT_H

#include "edit/frame.h"
#include "edit/key.h"

struct edit;

enum edit_state {
    EDIT_MORE,        /* feed on */
    EDIT_LINE,        /* a line was accepted */
    EDIT_EOF,         /* end of file on an empty line */
    EDIT_INTERRUPTED, /* C-c: the line was dropped */
};

/* A thing that may stand in the place of the word that is being completed. */
struct edit_candidate {
    char *text;        /* replaces the word, quoted as it must be */
    char *display;     /* shown in the menu; NULL: the text */
    char *description; /* or NULL */
};

struct edit_candidates {
    struct edit_candidate *list;
    size_t count, cap;
    size_t start, end; /* of the word in the text */
    bool open_ended;   /* a single one is not yet the whole word: no blank follows */
};

/* 0 or -ENOMEM. Strings are copied; NULL stays NULL. */
int edit_candidate_add(struct edit_candidates *to, const char *text, const char *display,
                       const char *description);
void edit_candidates_free(struct edit_candidates *c);

/* What the editor asks. Any of them may be NULL. */
struct edit_host {
    /* Whether Enter ends the input, or the syntax wants another line. */
    bool (*is_complete)(void *ctx, const char *text, size_t len);
    /* The look of each byte: an enum edit_style in style[0 … len). */
    void (*highlight)(void *ctx, const char *text, size_t len, uint8_t *style);
    void (*complete)(void *ctx, const char *text, size_t len, size_t cursor,
                     struct edit_candidates *to);
    /* What may follow the text, from history; NULL: nothing. Valid until the next call. */
    const char *(*suggest)(void *ctx, const char *text, size_t len);
    /* The entry `back` steps ago (1 is the newest), NULL when there is none. Valid until the next call. */
    const char *(*history)(void *ctx, size_t back);
    /* How many steps back the entry is that has this number in lists of the history; 0: there is none. */
    size_t (*numbered)(void *ctx, size_t number);
    /* For vi's v and emacs' C-x C-e: lets the user edit the text elsewhere. A malloc'd text, or NULL. */
    char *(*edit_elsewhere)(void *ctx, const char *text);
    /* vi's @c: the text of the alias _c; NULL: there is none. */
    const char *(*macro)(void *ctx, char letter);
    /* Commands that the editor does not know by name. False: neither does the host. */
    bool (*command)(void *ctx, struct edit *e, const char *name);
};

/* A new editor, or NULL without memory. It starts with the emacs keys. */
struct edit *edit_new(const struct edit_host *host, void *ctx);
void edit_free(struct edit *e);

enum edit_mode { EDIT_EMACS, EDIT_VI };
void edit_set_mode(struct edit *e, enum edit_mode mode);
enum edit_mode edit_get_mode(const struct edit *e);
void edit_set_size(struct edit *e, int rows, int columns);

/* Begins a line. The right prompt may be NULL. */
void edit_begin(struct edit *e, const char *prompt, const char *right);
enum edit_state edit_feed(struct edit *e, const char *bytes, size_t len);
/* Nothing more came for a while: an Escape that waited for the rest of a sequence is one. */
enum edit_state edit_pause(struct edit *e);
/* A paste is coming in: nothing in it ends the line. */
bool edit_pastes(const struct edit *e);
/* Whether edit_pause should be called after a short time. */
bool edit_waits(const struct edit *e);
/* The terminal has another size. */
void edit_resize(struct edit *e, int rows, int columns);
/* Other things are to be written: takes the line off the screen, and edit_redraw brings it back. */
void edit_hide(struct edit *e);
void edit_redraw(struct edit *e);
/* Another prompt, for what became known only after the line began. */
void edit_set_prompt(struct edit *e, const char *prompt, const char *right);

/* What to write to the terminal, after all keys so far; buf_clear it afterwards. */
struct buf *edit_output(struct edit *e);
const char *edit_text(const struct edit *e);
size_t edit_length(const struct edit *e);
size_t edit_cursor(const struct edit *e);
void edit_put_text(struct edit *e, const char *text);

/* Binds a key (see key_parse) in the keymap "emacs", "vi-insert" or "vi-command" to a command; an unknown name goes to the
 * host. 0, -EINVAL: no such key or map, -ENOMEM. */
int edit_bind(struct edit *e, const char *map, const char *key, const char *command);
/* Calls `each` for all that is bound in the map. */
void edit_bindings(const struct edit *e, const char *map,
                   void (*each)(void *ctx, const char *key, const char *command), void *ctx);
/* The names of the editor's commands; NULL behind the last one. */
const char *edit_command_name(size_t index);

#endif
