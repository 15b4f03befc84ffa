/* SPDX-License-Identifier: MIT */
/*
 * What the shell hands to a built-in utility. The built-ins in this folder know nothing of the interpreter:
 * what they must ask it goes through `host`. argv[0] is the utility's name, argv[argc] is NULL. They return an
 * exit status. A write error is not theirs to report: it stays in io->out for who flushes it.
 */
#ifndef R3SH_BUILTIN_H
#define R3SH_BUILTIN_H

#include "lang/out.h"

#include <sys/types.h>

struct builtin_host {
    /* What kill(2) takes for a job (a negative process group), or a negative errno. NULL: there are no jobs. */
    int (*job)(void *shell, const char *spec, pid_t *pid);
    /* The signal was sent to that job. NULL: nobody cares. */
    void (*signalled)(void *shell, const char *spec, int signo);
    /* The descriptor behind what the script sees as `fd`, or -1: not open, or memory. NULL: the same number. */
    int (*fd)(void *shell, int fd);
    /* A shell variable, or NULL. NULL: none. */
    const char *(*variable)(void *shell, const char *name);
};

struct builtin_io {
    struct out *out, *err;
    int in_fd;
    void *shell;
    const struct builtin_host *host;
    const char *prefix; /* of messages: "r3sh: file:3: "; or NULL */
};

#define BUILTIN_USAGE 2 /* exit status for a wrong option or number of operands */

/* `prefix: name: message` on io->err, with a newline. Returns 1, a status to fail with. */
__attribute__((format(printf, 3, 4))) int builtin_fail(struct builtin_io *io, const char *name,
                                                       const char *fmt, ...);

/* The built-ins' own getopt: no state but this, no messages. */
struct builtin_options {
    int index;          /* argv[index] is the first operand when -1 is returned; begins with 0 */
    const char *within; /* rest of a group of options; begins with NULL */
    const char *value;  /* of the option returned, when it takes one */
};

/* The next option letter, -1 at the end, '?' if it is not among them, ':' if its value is missing. */
int builtin_option(struct builtin_options *o, int argc, char **argv, const char *letters);

int builtin_colon(struct builtin_io *io, int argc, char **argv);
int builtin_echo(struct builtin_io *io, int argc, char **argv);
int builtin_false(struct builtin_io *io, int argc, char **argv);
int builtin_kill(struct builtin_io *io, int argc, char **argv);
int builtin_printf(struct builtin_io *io, int argc, char **argv);
int builtin_pwd(struct builtin_io *io, int argc, char **argv);
int builtin_test(struct builtin_io *io, int argc, char **argv); /* also as [ */
int builtin_times(struct builtin_io *io, int argc, char **argv);
int builtin_true(struct builtin_io *io, int argc, char **argv);
int builtin_ulimit(struct builtin_io *io, int argc, char **argv);
int builtin_umask(struct builtin_io *io, int argc, char **argv);

#endif
