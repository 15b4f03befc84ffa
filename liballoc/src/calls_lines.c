/* SPDX-License-Identifier: MIT */
/* Callers by file and line, which addr2line of binutils knows. For reports at the end of a process
 * only: it starts another. */
#include "calls.h"

#include "number.h"

#include "ring3/env.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How far into its object, or into the address space if it is linked to stand at one place. */
static uintptr_t offset_of(uintptr_t at, const Dl_info *found)
{
    const unsigned char *const header = found->dli_fbase;
    const bool fixed = header[16] == 2; /* e_type: ET_EXEC */

    return fixed ? at : at - (uintptr_t)found->dli_fbase;
}

/* Starts addr2line; its output is to be read from the descriptor. Or -1. */
static int start(const char *object, const char *offset, pid_t *pid)
{
    char program[] = "addr2line", exe[] = "-e", names[] = "-fCps";
    char *const argv[] = {program, names, exe, (char *)object, (char *)offset, NULL};
    char plain[] = "LC_ALL=C";
    char *const environment[] = {plain, NULL}; /* without LD_PRELOAD */
    posix_spawn_file_actions_t actions;
    int ends[2], err;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    err = posix_spawnp(pid, program, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (err)
        close(ends[0]);
    return err ? -1 : ends[0];
}

/* "function at file:line" in `text`; false if nobody knows. */
static bool line_of(uintptr_t at, char *text, size_t size)
{
    char number[NUMBER_MAX];
    size_t length = 0;
    ssize_t got;
    Dl_info found;
    pid_t pid;
    int fd;

    if (!dladdr((void *)at, &found) || !found.dli_fname[0])
        return false;
    fd = start(found.dli_fname, number_text(offset_of(at, &found), 16, number), &pid);
    if (fd < 0)
        return false;
    while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    close(fd);
    (void)waitpid(pid, NULL, 0);
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return length > 0 && !strstr(text, "??");
}

void ring3_calls_show_lines(void *const calls[CALLS_MAX])
{
    for (int i = ring3_calls_first(calls); i < CALLS_MAX && calls[i]; i++) {
        char text[400];
        const bool known = line_of((uintptr_t)calls[i] - 1, text, sizeof text);
        const char *const parts[] = {"    at ", text};
        void *const one[CALLS_MAX] = {calls[i]};

        if (known)
            ring3_env_complain(parts, 2);
        else
            ring3_calls_show(one);
    }
}
