/* SPDX-License-Identifier: MIT */
/* From the bytes a terminal sends to keys. */
#ifndef R3SH_KEY_H
#define R3SH_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key is a Unicode character, or one of these; META and the prefix C-x are added to it. */
typedef uint32_t edit_key;

#define KEY_META    ((edit_key)1 << 28) /* with Alt, or behind an Escape */
#define KEY_CX      ((edit_key)1 << 29) /* behind C-x */
#define KEY_CTRL(c) ((edit_key)(c)&0x1f)

enum {
    KEY_ESCAPE = 27,
    KEY_BACKSPACE = 127,
    KEY_UP = 1 << 24,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_CTRL_LEFT,
    KEY_CTRL_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_INSERT,
    KEY_DELETE,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_BACKTAB,
    KEY_F1,
    KEY_F12 = KEY_F1 + 11,
    KEY_PASTE,   /* the terminal begins a paste */
    KEY_UNKNOWN, /* a sequence that means nothing to us */
    KEY_BYTE,    /* + 0 … 255: a byte that is part of no character */
};

/*
 * The first key in the bytes: how many of them it takes, or 0 when it is not complete yet. With `final` no more
 * will come soon: an Escape is then a key of its own.
 */
size_t key_decode(const char *bytes, size_t len, bool final, edit_key *key);

/* The name of a key as `bind` has it ("C-a", "M-f", "C-x C-u", "Up", "F5", "ä"), and back. False: no such key. */
bool key_parse(const char *name, edit_key *key);
void key_name(edit_key key, char name[32]);

#endif
