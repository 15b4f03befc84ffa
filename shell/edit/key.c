/* SPDX-License-Identifier: MIT */
#include "edit/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

/* ESC [ number ~ */
static edit_key tilde_key(int number)
{
    static const edit_key low[] = {KEY_UNKNOWN, KEY_HOME,      KEY_INSERT, KEY_DELETE, KEY_END,
                                   KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME,   KEY_END};
    static const int functions[] = {11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24};

    if (number >= 0 && number <= 8)
        return low[number];
    for (int i = 0; i < 12; i++)
        if (functions[i] == number)
            return KEY_F1 + (edit_key)i;
    return number == 200 ? KEY_PASTE : KEY_UNKNOWN;
}

static edit_key letter_key(char letter)
{
    switch (letter) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case 'Z':
        return KEY_BACKTAB;
    case 'P':
    case 'Q':
    case 'R':
    case 'S':
        return KEY_F1 + (edit_key)(letter - 'P');
    }
    return KEY_UNKNOWN;
}

/* Modifiers come as 1 + Shift 1 + Alt 2 + Control 4. */
static edit_key modified(edit_key key, int modifiers)
{
    const int mask = modifiers > 0 ? modifiers - 1 : 0;

    if (mask & 4 && (key == KEY_LEFT || key == KEY_RIGHT))
        key = key == KEY_LEFT ? KEY_CTRL_LEFT : KEY_CTRL_RIGHT;
    return mask & 2 ? key | KEY_META : key;
}

/* Behind ESC [: parameters, intermediates, a final byte. */
static size_t decode_csi(const char *bytes, size_t len, edit_key *key)
{
    int number[2] = {0, 0}, count = 0;
    size_t i = 2;

    for (; i < len && (unsigned char)bytes[i] >= 0x20 && (unsigned char)bytes[i] < 0x40; i++) {
        if (bytes[i] == ';')
            count++;
        else if (bytes[i] >= '0' && bytes[i] <= '9' && count < 2 && number[count] < 1000)
            number[count] = number[count] * 10 + bytes[i] - '0';
    }
    if (i == len)
        return i < 32 ? 0 : (*key = KEY_UNKNOWN, i);
    *key = bytes[i] == '~' ? tilde_key(number[0]) : letter_key(bytes[i]);
    *key = modified(*key, number[1]);
    return i + 1;
}

static size_t decode_character(const char *bytes, size_t len, bool final, edit_key *key)
{
    const unsigned char first = (unsigned char)bytes[0];
    const size_t need = first < 0xc2   ? 1
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 1;
    utf8proc_int32_t value = -1;

    if (first < 0x80) {
        *key = first;
        return 1;
    }
    if (len >= need &&
        utf8proc_iterate((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)need, &value) > 0) {
        *key = (edit_key)value;
        return need;
    }
    if (len < need && !final) {
        for (size_t i = 1; i < len; i++)
            if (((unsigned char)bytes[i] & 0xc0) != 0x80)
                goto stray;
        return 0;
    }
stray:
    *key = KEY_BYTE + first;
    return 1;
}

size_t key_decode(const char *bytes, size_t len, bool final, edit_key *key)
{
    size_t n;

    if (len == 0)
        return 0;
    if (bytes[0] != KEY_ESCAPE)
        return decode_character(bytes, len, final, key);
    if (len == 1) {
        *key = KEY_ESCAPE;
        return final ? 1 : 0;
    }
    if (bytes[1] == '[' || bytes[1] == 'O') {
        if (len == 2) {
            *key = (edit_key)bytes[1] | KEY_META;
            return final ? 2 : 0;
        }
        if (bytes[1] == 'O') {
            *key = letter_key(bytes[2]);
            return 3;
        }
        n = decode_csi(bytes, len, key);
        return n || !final ? n : (*key = KEY_UNKNOWN, len);
    }
    if (bytes[1] == KEY_ESCAPE) { /* a key on its own; the second one begins another */
        *key = KEY_ESCAPE;
        return 1;
    }
    n = decode_character(bytes + 1, len - 1, final, key);
    *key |= KEY_META;
    return n ? n + 1 : 0;
}

static const struct {
    const char *name;
    edit_key key;
} names[] = {
    {"Up", KEY_UP},
    {"Down", KEY_DOWN},
    {"Left", KEY_LEFT},
    {"Right", KEY_RIGHT},
    {"C-Left", KEY_CTRL_LEFT},
    {"C-Right", KEY_CTRL_RIGHT},
    {"Home", KEY_HOME},
    {"End", KEY_END},
    {"Insert", KEY_INSERT},
    {"Delete", KEY_DELETE},
    {"PageUp", KEY_PAGE_UP},
    {"PageDown", KEY_PAGE_DOWN},
    {"Backtab", KEY_BACKTAB},
    {"Backspace", KEY_BACKSPACE},
    {"Tab", 9},
    {"Enter", 13},
    {"Escape", KEY_ESCAPE},
    {"Space", ' '},
};

static bool parse_one(const char *name, size_t len, edit_key *key)
{
    utf8proc_int32_t value;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, name, len) == 0) {
            *key = names[i].key;
            return true;
        }
    }
    if (len > 2 && name[1] == '-' && (name[0] == 'M' || name[0] == 'C')) {
        if (!parse_one(name + 2, len - 2, key))
            return false;
        if (name[0] == 'C' && (*key < '?' || *key >= 128))
            return false;
        *key = name[0] == 'M' ? *key | KEY_META : *key == '?' ? KEY_BACKSPACE : KEY_CTRL(*key);
        return true;
    }
    if (len == 2 && name[0] == '^' && name[1] >= '?') {
        *key = name[1] == '?' ? KEY_BACKSPACE : KEY_CTRL(name[1]);
        return true;
    }
    if ((len == 2 || len == 3) && (name[0] == 'F' || name[0] == 'f') && name[1] >= '1' &&
        name[1] <= '9') {
        const int n = atoi(name + 1);

        *key = KEY_F1 + (edit_key)(n - 1);
        return n <= 12;
    }
    if (utf8proc_iterate((const utf8proc_uint8_t *)name, (utf8proc_ssize_t)len, &value) !=
        (utf8proc_ssize_t)len)
        return false;
    *key = (edit_key)value;
    return true;
}

bool key_parse(const char *name, edit_key *key)
{
    const char *const space = strchr(name, ' ');

    if (!*name)
        return false;
    if (!space || space == name || !space[1])
        return parse_one(name, strlen(name), key);
    if (!parse_one(name, (size_t)(space - name), key) || *key != KEY_CTRL('x') ||
        !parse_one(space + 1, strlen(space + 1), key))
        return false;
    *key |= KEY_CX;
    return true;
}

void key_name(edit_key key, char name[32])
{
    utf8proc_uint8_t bytes[8] = "";

    name[0] = '\0';
    if (key & KEY_CX)
        strcat(name, "C-x ");
    if (key & KEY_META)
        strcat(name, "M-");
    key &= ~(KEY_CX | KEY_META);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].key == key) {
            strcat(name, names[i].name);
            return;
        }
    }
    if (key >= KEY_F1 && key <= KEY_F12) {
        snprintf(name + strlen(name), 16, "F%u", (unsigned)(key - KEY_F1 + 1));
    } else if (key < 32) {
        snprintf(name + strlen(name), 16, "C-%c", (char)(key + (key >= 1 && key <= 26 ? 96 : 64)));
    } else if (key < KEY_UP) {
        utf8proc_encode_char((utf8proc_int32_t)key, bytes);
        strcat(name, (const char *)bytes);
    } else {
        strcat(name, "?");
    }
}
