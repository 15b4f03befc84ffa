/* SPDX-License-Identifier: MIT */
/* An editor on a terminal: raw mode, waiting for keys, following the window's size. */
#ifndef R3SH_TERMINAL_H
#define R3SH_TERMINAL_H

#include "edit/edit.h"

#include <termios.h>

/*
 * Waits until `fd` can be read, for at most `milliseconds` (-1: for ever), and does what else there is to do, between
 * edit_leave and edit_return if it writes. 1: there is input; 0: time is up; negative errno, of which
 * -EINTR (a signal came) goes on. NULL: poll().
 */
typedef int edit_wait(void *ctx, struct edit *e, int fd, int milliseconds);

struct edit_terminal {
    int in, out;
    edit_wait *wait;
    void *ctx;
    struct termios saved, raw; /* while edit_read runs: the modes before, and ours */
};

/* Whether an editor can work there: both ends are terminals, and TERM (may be NULL) names one that moves its cursor. */
bool edit_usable(int in, int out, const char *term);

/*
 * Reads one line with a new prompt. EDIT_LINE, EDIT_EOF, EDIT_INTERRUPTED; or a negative errno: the terminal is gone.
 * The terminal's modes are as before when it returns, whatever they were.
 */
int edit_read(struct edit *e, struct edit_terminal *t, const char *prompt, const char *right);

/* While edit_read runs: takes the line off the screen and gives the terminal back for a while; and takes it again. */
void edit_leave(struct edit *e, const struct edit_terminal *t);
void edit_return(struct edit *e, const struct edit_terminal *t);

#endif
