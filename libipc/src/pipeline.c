/* SPDX-License-Identifier: MIT */
#include "call.h"
#include "ring3/fd.h"
#include "ring3/spawn.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct joint {
    int input;  /* read end of the pipe from the stage before, -1 at the first */
    int output; /* write end of the pipe to the next, -1 at the last */
};

/* The stage's own plan comes last and may override the pipes. */
static int start_stage(const ring3_spawn_plan_t *stage, struct joint joint,
                       ring3_process_t *process)
{
    ring3_fd_map_t fds[RING3_SPAWN_FDS_MAX];
    ring3_spawn_plan_t plan = *stage;
    size_t count = 0;

    if (stage->fd_count > RING3_SPAWN_FDS_MAX - 2)
        return -EINVAL;
    if (joint.input >= 0)
        fds[count++] = (ring3_fd_map_t){joint.input, STDIN_FILENO};
    if (joint.output >= 0)
        fds[count++] = (ring3_fd_map_t){joint.output, STDOUT_FILENO};
    if (stage->fd_count > 0)
        memcpy(fds + count, stage->fds, stage->fd_count * sizeof *fds);
    plan.fds = fds;
    plan.fd_count = count + stage->fd_count;
    return ring3_spawn(&plan, process);
}

static void close_open(int fd)
{
    if (fd >= 0)
        ring3_fd_close(fd);
}

static void abandon(ring3_process_t *processes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)ring3_process_signal(&processes[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        (void)ring3_process_wait(&processes[i], 0, NULL, NULL);
}

int ring3_pipeline(const ring3_spawn_plan_t *plans, size_t count, ring3_process_t *processes)
{
    const bool grouped = count > 0 && (plans[0].flags & RING3_SPAWN_GROUP);
    struct joint joint = {-1, -1};
    int err = count > 0 ? 0 : -EINVAL;

    for (size_t i = 0; i < count && !err; i++) {
        ring3_spawn_plan_t plan = plans[i];
        int ends[2] = {-1, -1};

        if (i > 0)
            plan.flags &= ~RING3_SPAWN_FOREGROUND;
        if (i > 0 && grouped) {
            /* The leader is not reaped yet, so its group exists even if it has ended. */
            plan.flags |= RING3_SPAWN_GROUP;
            plan.group = plans[0].group ? plans[0].group : processes[0].pid;
        }
        if (i + 1 < count)
            err = ring3_call(pipe2(ends, O_CLOEXEC));
        joint.output = ends[1];
        if (!err)
            err = start_stage(&plan, joint, &processes[i]);
        close_open(joint.input);
        close_open(joint.output);
        joint.input = ends[0];
        if (err)
            abandon(processes, i);
    }
    close_open(joint.input);
    return err;
}
