/* SPDX-License-Identifier: MIT */
/*
 * The history of commands: a log that shells share and only ever append to.
 *
 * Each record is one line with a checksum, written by one write(2) to a descriptor opened with O_APPEND, with a
 * newline before and behind it. So records of several shells never mix, and what a killed shell or a full disk
 * leaves of a record is a line that does not add up, which readers pass over. A command is recorded when it is
 * accepted; a second record tells how it ended.
 *
 *     crc32 + session sequence time directory TAB text      a command
 *     crc32 = session sequence status milliseconds           its end
 *
 * Newlines, tabs and backslashes in names and texts are written \n, \t and \\.
 */
#ifndef R3SH_HISTORY_H
#define R3SH_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_entry {
    const char *text, *directory;
    uint64_t session;
    uint32_t sequence;    /* within its session, from 1 */
    int64_t time;         /* seconds since the epoch, when it was accepted */
    int32_t status;       /* -1: not known (yet) */
    int64_t milliseconds; /* how long it ran; -1: not known */
};

struct history;

/* The log at `path`; NULL, or a file that cannot be opened: in memory only. NULL without memory. Reads nothing yet. */
struct history *history_open(const char *path);
void history_close(struct history *h);

/* Records a command, first of all in the file. Its sequence number, or a negative errno (it is kept in memory still). */
int64_t history_add(struct history *h, const char *text, const char *directory, int64_t time);
/* Records how one of our commands ended. 0 or a negative errno. */
int history_done(struct history *h, uint32_t sequence, int status, int64_t milliseconds);

/* Reads what other shells have added since. 0 or a negative errno. */
int history_refresh(struct history *h);
/* All entries, oldest first, 0 … count - 1. Pointers stay valid until history_close. */
size_t history_count(struct history *h);
const struct history_entry *history_at(struct history *h, size_t index);
/* Our own commands newest first, then those of others. 1 is the newest; NULL: there are no more. */
const struct history_entry *history_back(struct history *h, size_t back);
/* How many steps back the entry at `index` is, so that history_back finds it; 0: there is none. */
size_t history_steps(struct history *h, size_t index);
/* The newest command, our own first, that begins with this text and goes on; or NULL. */
const struct history_entry *history_beginning(struct history *h, const char *text, size_t len);

#endif
