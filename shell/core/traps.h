/* SPDX-License-Identifier: MIT */
/* Traps and the shell's own handling of signals (XCU 2.12, trap). */
#ifndef R3SH_TRAPS_H
#define R3SH_TRAPS_H

#include "core/shell.h"

#define SIGNALS 65 /* 0 is EXIT */

struct trap {
    char *action;     /* NULL: default; "": ignored */
    bool was_ignored; /* when the shell started: cannot be changed by a script */
    bool parents;     /* shown by trap in a subshell, but no longer in force */
};

void traps_init(struct shell *sh);
/* Run the actions of signals that came. */
enum flow traps_run(struct shell *sh);
bool traps_pending(const struct shell *sh);
/* Run the EXIT action once. */
enum flow traps_exit(struct shell *sh);
/* 0; -EINVAL */
int trap_set(struct shell *sh, int signal, const char *action);
/* What trap shows: the action, "" (ignored), or NULL. */
const char *trap_action(struct shell *sh, int signal);
/* Before exec: what only this shell ignores goes back to its default. */
void traps_for_exec(struct shell *sh);
/* In a new subshell: actions are reset, ignored signals stay ignored. */
void traps_in_child(struct shell *sh, bool keep_shown);
/* Whether something is left to do that exec would lose. */
bool traps_forbid_exec(const struct shell *sh);
/* Signals that only the shell ignores, not its children; or NULL. */
const sigset_t *traps_ignored_by_us(const struct shell *sh, sigset_t *set);
/* A background list without job control does not hear the keyboard. */
void traps_ignore_interrupts(struct shell *sh);
/* What an interactive shell ignores and catches. */
void signals_interactive(struct shell *sh);
void signals_monitor(struct shell *sh);
/* Whether the keyboard can stop what the shell starts: not where nobody could continue it. */
void signals_stoppable(struct shell *sh, bool on);
/* Wait for a signal or child event without a race; the caller has looked before with signals blocked. */
void signals_block(sigset_t *before);
/* Signals are blocked: sleeps until one that is not in `mask` comes, or SIGCHLD; at most that long (NULL: for ever). */
void signals_sleep(const sigset_t *mask, const struct timespec *limit);
extern volatile sig_atomic_t signals_seen[SIGNALS];
extern volatile sig_atomic_t signals_any;

#endif
