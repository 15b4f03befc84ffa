/* SPDX-License-Identifier: MIT */
/* Spawning with what POSIX offers. File actions take effect one after the other, so every source is
 * first copied, in this process, to a number above all targets. */
#include "spawn.h"

#include "call.h"
#include "ring3/fd.h"

#include <spawn.h>
#include <unistd.h>

extern char **environ;

static void close_all(const int *copies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (copies[i] >= 0)
            ring3_fd_close(copies[i]);
}

/* Returns how many copies were made, or a negative errno (and then none is left). */
static int copy_sources(const ring3_spawn_plan_t *plan, int copies[RING3_SPAWN_FDS_MAX])
{
    const int above = ring3_spawn_above(plan);

    for (size_t i = 0; i < plan->fd_count; i++) {
        copies[i] = plan->fds[i].from < 0 ? -1 : ring3_fd_dup(plan->fds[i].from, above);
        if (plan->fds[i].from >= 0 && copies[i] < 0) {
            const int err = copies[i];

            close_all(copies, i);
            return err;
        }
    }
    return 0;
}

static int add_actions(posix_spawn_file_actions_t *actions, const ring3_spawn_plan_t *plan,
                       const int *copies)
{
    int err = 0;

    if (plan->flags & RING3_SPAWN_FOREGROUND)
        err = posix_spawn_file_actions_addtcsetpgrp_np(actions, plan->terminal);
    for (size_t i = 0; i < plan->fd_count && !err; i++)
        err = copies[i] >= 0 ? posix_spawn_file_actions_adddup2(actions, copies[i], plan->fds[i].to)
                             : posix_spawn_file_actions_addclose(actions, plan->fds[i].to);
    if (!err && plan->directory)
        err = posix_spawn_file_actions_addchdir_np(actions, plan->directory);
    return err;
}

static int set_attributes(posix_spawnattr_t *attributes, const ring3_spawn_plan_t *plan)
{
    short flags = 0;

    if (plan->flags & RING3_SPAWN_SESSION) {
        flags = POSIX_SPAWN_SETSID;
    } else if (plan->flags & RING3_SPAWN_GROUP) {
        flags = POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(attributes, plan->group);
    }
    if (plan->mask) {
        flags = (short)(flags | POSIX_SPAWN_SETSIGMASK);
        posix_spawnattr_setsigmask(attributes, plan->mask);
    }
    if (plan->defaults) {
        flags = (short)(flags | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigdefault(attributes, plan->defaults);
    }
    return posix_spawnattr_setflags(attributes, flags);
}

int ring3_spawn_posix(const ring3_spawn_plan_t *plan, ring3_process_t *process)
{
    char *const *const environment = plan->environment ? plan->environment : environ;
    const unsigned both = RING3_SPAWN_FOREGROUND | RING3_SPAWN_SESSION;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int copies[RING3_SPAWN_FDS_MAX];
    pid_t pid;

    if (plan->limit_count > 0 || (plan->flags & RING3_SPAWN_ONLY_FDS) ||
        (plan->flags & both) == both)
        return -ENOTSUP;
    int err = -copy_sources(plan, copies);

    if (err)
        return -err;
    err = posix_spawn_file_actions_init(&actions);
    if (err)
        goto close_copies;
    err = posix_spawnattr_init(&attributes);
    if (err)
        goto destroy_actions;
    err = add_actions(&actions, plan, copies);
    if (!err)
        err = set_attributes(&attributes, plan);
    if (!err)
        err = (plan->flags & RING3_SPAWN_SEARCH ? posix_spawnp : posix_spawn)(
            &pid, plan->path, &actions, &attributes, plan->argv, environment);
    if (!err && plan->flags & RING3_SPAWN_NO_PIDFD)
        *process = (ring3_process_t){pid, -1};
    else if (!err)
        err = -ring3_process_adopt(process, pid);
    posix_spawnattr_destroy(&attributes);
destroy_actions:
    posix_spawn_file_actions_destroy(&actions);
close_copies:
    close_all(copies, plan->fd_count);
    return -err;
}
