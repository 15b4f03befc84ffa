/* SPDX-License-Identifier: MIT */
#include "ring3/subprocess.h"

#include "call.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void close_one(int *fd)
{
    if (*fd >= 0)
        ring3_fd_close(*fd);
    *fd = -1;
}

void ring3_subprocess_close(ring3_subprocess_t *sub)
{
    close_one(&sub->input);
    close_one(&sub->output);
    close_one(&sub->errors);
}

/* A pipe whose one end is ours and whose other will be the program's. */
static int make_pipe(int *ours, int *theirs, bool we_write)
{
    int ends[2];
    const int err = ring3_call(pipe2(ends, O_CLOEXEC));

    if (err)
        return err;
    *ours = ends[we_write ? 1 : 0];
    *theirs = ends[we_write ? 0 : 1];
    return 0;
}

int ring3_subprocess_start(ring3_subprocess_t *sub, const ring3_spawn_plan_t *plan, unsigned pipes)
{
    ring3_fd_map_t fds[RING3_SPAWN_FDS_MAX];
    ring3_spawn_plan_t whole = *plan;
    int theirs[3] = {-1, -1, -1}, err = 0;
    size_t count = 0;

    *sub = (ring3_subprocess_t){{0, -1}, -1, -1, -1};
    if (plan->fd_count > RING3_SPAWN_FDS_MAX - 3)
        return -EINVAL;
    if (pipes & RING3_SUBPROCESS_INPUT)
        err = make_pipe(&sub->input, &theirs[0], true);
    if (!err && (pipes & RING3_SUBPROCESS_OUTPUT))
        err = make_pipe(&sub->output, &theirs[1], false);
    if (!err && (pipes & RING3_SUBPROCESS_ERRORS))
        err = make_pipe(&sub->errors, &theirs[2], false);
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            fds[count++] = (ring3_fd_map_t){theirs[i], i};
    if (pipes & RING3_SUBPROCESS_MERGED)
        fds[count++] = (ring3_fd_map_t){theirs[1] >= 0 ? theirs[1] : STDOUT_FILENO, STDERR_FILENO};
    if (plan->fd_count > 0)
        memcpy(fds + count, plan->fds, plan->fd_count * sizeof *fds);
    whole.fds = fds;
    whole.fd_count = count + plan->fd_count;
    if (!err)
        err = ring3_spawn(&whole, &sub->process);
    for (int i = 0; i < 3; i++)
        close_one(&theirs[i]);
    if (err)
        ring3_subprocess_close(sub);
    return err;
}

static int send_input(ring3_subprocess_t *sub, ring3_talk_t *talk)
{
    const ssize_t put = ring3_fd_try_write(sub->input, (const char *)talk->input + talk->input_done,
                                           talk->input_size - talk->input_done);

    if (put > 0)
        talk->input_done += (size_t)put;
    if (talk->input_done == talk->input_size || put == -EPIPE)
        close_one(&sub->input);
    return put >= 0 || put == -EPIPE || put == -EAGAIN ? 0 : (int)put;
}

static int take_output(int *fd, short events, void *room, size_t size, size_t *got)
{
    if (*got == size && (events & POLLIN))
        return -ENOBUFS;
    const ssize_t n = *got == size ? 0 : ring3_fd_try_read(*fd, (char *)room + *got, size - *got);

    if (n > 0)
        *got += (size_t)n;
    else if (n == 0)
        close_one(fd);
    return n >= 0 || n == -EAGAIN ? 0 : (int)n;
}

int ring3_subprocess_talk(ring3_subprocess_t *sub, ring3_talk_t *talk,
                          const struct timespec *deadline)
{
    if (sub->input >= 0 && talk->input_done == talk->input_size)
        close_one(&sub->input);
    while (sub->input >= 0 || sub->output >= 0 || sub->errors >= 0) {
        struct pollfd fds[] = {
            {.fd = sub->input, .events = POLLOUT},
            {.fd = sub->output, .events = POLLIN},
            {.fd = sub->errors, .events = POLLIN},
        };
        int err = ring3_fd_wait_any(fds, 3, deadline);

        if (err < 0)
            return err;
        err = fds[0].revents ? send_input(sub, talk) : 0;
        if (!err && fds[1].revents)
            err = take_output(&sub->output, fds[1].revents, talk->output, talk->output_size,
                              &talk->output_got);
        if (!err && fds[2].revents)
            err = take_output(&sub->errors, fds[2].revents, talk->errors, talk->errors_size,
                              &talk->errors_got);
        if (err)
            return err;
    }
    return 0;
}
