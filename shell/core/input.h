/* SPDX-License-Identifier: MIT */
/* Where scripts are read from: files of our own, and standard input, which commands read too. */
#ifndef R3SH_INPUT_H
#define R3SH_INPUT_H

#include "core/shell.h"

struct file_input {
    struct input input;
    struct shell *sh;
    int fd;
    bool shared; /* with the commands: not a byte is read ahead that could be theirs */
    bool prompts;
    bool ended;
};

/* Takes over the descriptor unless `shared`. */
void file_input_open(struct file_input *file, struct shell *sh, const char *name, int fd,
                     bool shared);
void file_input_close(struct file_input *file);
/* Before a command runs: a shared file's offset is put behind what was read. */
void file_input_settle(struct input *input, const char *next);

#endif
