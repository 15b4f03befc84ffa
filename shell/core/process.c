/* SPDX-License-Identifier: MIT */
/*
 * Process substitution, an extension: <( list ) and >( list ) are names of files, /dev/fd/N, behind which the list
 * runs. The file is open until the command that it was given to has ended; the list is not waited for.
 */
#include "core/jobs.h"
#include "core/vars.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Out of the way of the numbers that scripts use, and of those the shell keeps for itself. */
#define FIRST_FILE 63

/* Processes whose file was closed and that have ended need no record. */
static void forget_ended(struct shell *sh)
{
    struct job *next;

    jobs_look(sh);
    for (struct job *job = sh->jobs; job; job = next) {
        next = job->next;
        if (job->silent && job_state(job) == PROCESS_ENDED)
            job_free(sh, job);
    }
}

void process_files_close(struct shell *sh, int count)
{
    while (sh->process_file_count > count)
        close(sh->process_files[--sh->process_file_count]);
    forget_ended(sh);
}

static int keep_file(struct shell *sh, int end)
{
    const int fd = fcntl(end, F_DUPFD, FIRST_FILE); /* programs inherit it */

    if (fd < 0)
        return -errno;
    if (sh->process_file_count == sh->process_file_room) {
        sh->process_file_room = 2 * sh->process_file_room + 4;
        sh->process_files = must_realloc(sh->process_files, (size_t)sh->process_file_room *
                                                                sizeof(*sh->process_files));
    }
    sh->process_files[sh->process_file_count++] = fd;
    return fd;
}

static void run_child(struct shell *sh, const struct part *part, const int *ends)
{
    dup2(ends[part->output ? 0 : 1], part->output ? STDIN_FILENO : STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    /* Who holds the other files open would keep their processes from their end. */
    while (sh->process_file_count)
        close(sh->process_files[--sh->process_file_count]);
    subshell_in_child(sh, false);
    leave_process(sh, run_list(sh, part->command->list, RUN_LAST));
}

char *process_substitution(struct shell *sh, const struct part *part)
{
    struct job *const job = job_new(sh, 1, false);
    char *name = NULL;
    int ends[2], fd;
    pid_t pid;

    job->silent = true;
    if (pipe2(ends, O_CLOEXEC)) {
        complain(sh, "pipe: %s", strerror(errno));
        job_free(sh, job);
        return NULL;
    }
    pid = job_fork(sh, job, false);
    if (pid == 0)
        run_child(sh, part, ends);
    close(ends[part->output ? 0 : 1]);
    fd = pid > 0 ? keep_file(sh, ends[part->output ? 1 : 0]) : -1;
    close(ends[part->output ? 1 : 0]);
    if (fd >= 0) {
        name = arena_alloc(&sh->arena, 24);
        snprintf(name, 24, "/dev/fd/%d", fd);
    } else if (pid > 0) {
        complain(sh, "process substitution: %s", strerror(-fd));
    } else {
        job_free(sh, job);
    }
    return name;
}
