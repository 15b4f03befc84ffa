/* SPDX-License-Identifier: MIT */
/*
 * A shell in front of a person: the line editor on the shell's input, with its history, prompts, looks and
 * completions. The rest of the shell knows session_start, session_read and session_end.
 */
#ifndef R3SH_SESSION_H
#define R3SH_SESSION_H

#include "core/vars.h"
#include "edit/history.h"
#include "edit/terminal.h"

struct completion {
    struct completion *next;
    char *words;    /* fixed choices, or NULL */
    char *function; /* prints choices, one to a line, a TAB before the description; or NULL */
    char command[];
};

struct session {
    struct shell *sh;
    struct edit *edit;
    struct edit_terminal terminal;
    struct history *history;
    struct completion *completions;
    int64_t sequence;      /* of the command that runs, 0: none is recorded */
    struct timespec began; /* when it was accepted, CLOCK_MONOTONIC */
    int64_t milliseconds;  /* how long the last one ran; -1: none has */
    int status;            /* how it ended */
    int branch_fd;         /* a worker still looks for the git branch; -1: none does */
    pid_t branch_worker;
    struct buf branch, suggestion;
    bool marks; /* the terminal understands OSC 7 and 133 */
};

/* Begins a session if the shell is interactive on a terminal that can be edited on: before its start-up files. */
void session_start(struct shell *sh);
/* They have been read: opens the history they may have named. */
void session_ready(struct shell *sh);
void session_end(struct shell *sh);
/* Appends one complete input to the text: its length, 0 at the end of input, -EINTR: the line was dropped. */
ssize_t session_read(struct session *s, struct buf *text, bool continued);

/* prompt.c: a prompt with its escapes replaced and expanded, in the shell's arena. */
char *prompt_text(struct session *s, const char *format);
/* The directory as people write it: ~ for home. */
void prompt_directory(struct shell *sh, struct buf *to);
void prompt_look_for_branch(struct session *s, int milliseconds);
/* The worker has something to say; whether the prompt changes. */
bool prompt_branch_came(struct session *s);
void prompt_forget_branch(struct session *s);

/* highlight.c */
void session_highlight(void *ctx, const char *text, size_t len, uint8_t *style);
bool session_is_complete(void *ctx, const char *text, size_t len);
/* A token of unfinished text, for completion. */
struct word_place {
    size_t start, end;                 /* of the word at the cursor */
    bool command;                      /* it stands where a command's name does */
    bool redirect;                     /* it names a file for a redirection */
    size_t command_start, command_end; /* the name of its command, if it is not that itself */
};
void session_find_word(struct shell *sh, const char *text, size_t cursor, struct word_place *place);

/* complete.c */
void session_complete(void *ctx, const char *text, size_t len, size_t cursor,
                      struct edit_candidates *to);

/* worker.c: work in a process of its own, which cannot keep the shell waiting. */
pid_t worker_start(void (*work)(void *argument, int out), void *argument, int *fd);
/* Reads all it writes within that time, then ends it. What came in time is there; whether that is all. */
bool worker_collect(pid_t worker, int fd, int milliseconds, struct buf *to);
void worker_end(pid_t worker, int fd);

#endif
