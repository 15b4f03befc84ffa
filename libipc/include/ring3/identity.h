/* SPDX-License-Identifier: MIT */
/*
 * Who owns this? A process id alone is reused; with the boot, the process-id namespace and the
 * start time it names one process for ever. Lock files and named objects carry this, so that what
 * dead processes left behind can be told from what is in use, exactly and without time limits.
 *
 *     ring3_identity_t me, owner;
 *     ring3_identity_self(&me);
 *     if (ring3_identity_alive(&owner) == 0) clean_up();
 *
 * Source: proc(5): /proc/PID/stat fields 3, 20 and 22, /proc/sys/kernel/random/boot_id,
 * /proc/self/ns/pid. Thread-safe; async-signal-safe; a forked child has another identity.
 */
#ifndef RING3_IDENTITY_H
#define RING3_IDENTITY_H

#include "ring3/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

RING3_API_BEGIN

/** Plain words: may be kept in files and in shared memory. */
typedef struct ring3_identity {
    uint64_t start;     /* clock ticks from boot to the start of the process */
    uint64_t boot[2];   /* the kernel's random boot id */
    uint64_t pid_space; /* inode number of the pid namespace in which `pid` is meant */
    int32_t pid;
    uint32_t zero;
} ring3_identity_t;

/** Room for the text form with its terminator. */
#define RING3_IDENTITY_TEXT 96

/** The calling process, or process `pid` of the caller's namespace.
 * @return 0; -ESRCH (no such process, or a zombie), -EACCES (/proc hides it), -ENOENT (no /proc) */
int ring3_identity_self(ring3_identity_t *identity);
int ring3_identity_of(pid_t pid, ring3_identity_t *identity);

/** @return 1 while the process lives (a zombie does not), 0 once it is gone (also by a reboot);
 * -EXDEV when it belongs to another pid namespace and cannot be judged here, -EACCES, -ENOENT,
 * -EINVAL (no identity). Treat every error as alive. */
int ring3_identity_alive(const ring3_identity_t *identity);

bool ring3_identity_equal(const ring3_identity_t *a, const ring3_identity_t *b);

/** One line of text without newline: "pid start namespace boot". @return its length */
size_t ring3_identity_format(const ring3_identity_t *identity, char text[RING3_IDENTITY_TEXT]);

/** The reverse, for `length` bytes that need no terminator; a newline at the end is allowed.
 * @return 0; -EBADMSG if it is anything else */
int ring3_identity_parse(const char *text, size_t length, ring3_identity_t *identity);

RING3_API_END

#endif
