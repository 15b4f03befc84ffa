/* SPDX-License-Identifier: MIT */
/* A person at a terminal, for tests: r3sh runs on a real pseudo-terminal; keys go in, and what it shows is waited for. */
#ifndef R3SH_TEST_TERMINAL_H
#define R3SH_TEST_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct test_terminal {
    int fd; /* the master side */
    pid_t pid;
    char *text; /* all it ever showed */
    size_t len, room;
    size_t seen; /* what tests have dealt with */
    char home[64];
};

/* A shell with this TERM, in an empty home of its own, at its first prompt. `option`: one argument for it, or NULL. */
void terminal_start(struct test_terminal *t, const char *term, const char *option);
void terminal_type(struct test_terminal *t, const char *keys);
/* Waits until that text comes after what was seen, and takes all up to its end as seen. */
void terminal_shows(struct test_terminal *t, const char *text);
/* As terminal_shows; false: something else came first, or the shell ended. */
bool terminal_shows_before(struct test_terminal *t, const char *text, const char *other);
/* Waits that long at most; whether it came. */
bool terminal_waits(struct test_terminal *t, const char *text, double seconds);
/* Drops what was seen. */
void terminal_forget(struct test_terminal *t);
/* Waits for a prompt. */
void terminal_prompts(struct test_terminal *t);
/* Types a command and waits for what it writes, then for the prompt. */
void terminal_runs(struct test_terminal *t, const char *command, const char *output);
/* The shell's exit status as of wait(2): waits for its end. */
int terminal_ends(struct test_terminal *t);
/* Whether the terminal edits lines, echoes, and has keys that signal: what commands are given. */
bool terminal_is_cooked(struct test_terminal *t);
/* Ends what is left, and removes the home. */
void terminal_close(struct test_terminal *t);

#endif
