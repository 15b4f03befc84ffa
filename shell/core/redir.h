/* SPDX-License-Identifier: MIT */
/* Redirections (XCU 2.7), applied to the shell itself and undone; a program started meanwhile inherits them. */
#ifndef R3SH_REDIR_H
#define R3SH_REDIR_H

#include "core/shell.h"
#include "ring3/spawn.h"

#define REDIR_FDS_MAX 10 /* saved copies live at or above */

struct redirected {
    struct saved_fd {
        int fd, copy; /* copy -1: it was closed */
    } * saved;        /* in the arena */
    int count, room;
    struct out *capture;
    int forks; /* of the shell when this was made */
};

/* 0, or -1 after a message; what was done until then is undone. */
int redirect(struct shell *sh, const struct redirect *list, struct redirected *saved);
void redirect_undo(struct shell *sh, struct redirected *saved);
/* The redirections stay (exec). */
void redirect_keep(struct shell *sh, struct redirected *saved);
/* Move a descriptor of our own out of the way of scripts: at 10 or above, close-on-exec. */
int fd_move_up(int fd);
/* A redirection needs the real descriptor 1, which is captured. */
bool redirect_needs_real_output(const struct redirect *list);
/* Open fd, or -1: the shell's own descriptors are not the script's. */
bool fd_is_ours(const struct shell *sh, int fd);
/* Open a file as a redirection of that kind does: a descriptor that exec closes, or -1 and errno. */
int redirect_open(struct shell *sh, int kind, const char *file);

#define STAGE_CLOSED    (-1)
#define STAGE_INHERITED (-2)

/* The descriptors of a stage of a pipeline. */
struct stage {
    int from[REDIR_FDS_MAX]; /* of the shell's, or STAGE_… */
    int opened[REDIR_FDS_MAX];
    int opened_count;
};

/* `in`, `out`: the ends of its pipes, or -1. */
void stage_begin(struct stage *stage, int in, int out);
/* False: a copy of the shell has to do it. */
bool stage_redirect(struct shell *sh, struct stage *stage, const struct redirect *list);
/* For spawn; at most REDIR_FDS_MAX. */
size_t stage_map(const struct stage *stage, ring3_fd_map_t *map);
void stage_end(struct stage *stage);

#endif
