/* SPDX-License-Identifier: MIT */
/*
 * What a stage of a pipeline has as its descriptors, worked out without touching the shell's own: a program can then
 * be spawned with them, where a copy of the shell would have to arrange them in itself.
 *
 * Only what can neither fail with a message nor wait for someone else is done here: a pipe with a name waits for its
 * other side, which may be the next stage. Everything else is left to the copy.
 */
#include "core/redir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void stage_begin(struct stage *stage, int in, int out)
{
    *stage = (struct stage){0};
    for (int fd = 0; fd < REDIR_FDS_MAX; fd++)
        stage->from[fd] = STAGE_INHERITED;
    if (in >= 0)
        stage->from[STDIN_FILENO] = in;
    if (out >= 0)
        stage->from[STDOUT_FILENO] = out;
}

static bool duplicate(struct stage *stage, const struct redirect *r)
{
    const char *const word = r->word->plain;
    const int refused = r->kind == REDIRECT_DUP ? O_RDONLY : O_WRONLY;
    int from, flags;

    if (strcmp(word, "-") == 0) {
        stage->from[r->fd] = STAGE_CLOSED;
        return true;
    }
    if (word[0] < '0' || word[0] > '9' || word[1])
        return false;
    from = word[0] - '0';
    if (stage->from[from] != STAGE_INHERITED)
        from = stage->from[from];
    flags = from >= 0 ? fcntl(from, F_GETFL) : -1;
    if (flags < 0 || (flags & O_ACCMODE) == refused)
        return false;
    stage->from[r->fd] = from;
    return true;
}

static bool opens_at_once(const struct redirect *r)
{
    const char *const file = r->word->plain;
    struct stat st;

    if (strcmp(file, "/dev/null") == 0)
        return true;
    if (stat(file, &st))
        return errno == ENOENT && r->kind != REDIRECT_INPUT;
    return S_ISREG(st.st_mode);
}

static bool open_for(struct shell *sh, struct stage *stage, const struct redirect *r)
{
    int fd;

    if (stage->opened_count == REDIR_FDS_MAX || !opens_at_once(r) ||
        (r->kind == REDIRECT_OUTPUT && option_on(sh, OPTION_NOCLOBBER)))
        return false;
    fd = fd_move_up(redirect_open(sh, r->kind, r->word->plain));
    if (fd < 0)
        return false;
    stage->opened[stage->opened_count++] = fd;
    stage->from[r->fd] = fd;
    return true;
}

bool stage_redirect(struct shell *sh, struct stage *stage, const struct redirect *list)
{
    for (const struct redirect *r = list; r; r = r->next) {
        bool done = false;

        if (r->word->plain && r->fd < REDIR_FDS_MAX && r->kind < REDIRECT_HERE)
            done = r->kind == REDIRECT_DUP || r->kind == REDIRECT_DUP_INPUT
                       ? duplicate(stage, r)
                       : open_for(sh, stage, r);
        if (!done)
            return false;
    }
    return true;
}

size_t stage_map(const struct stage *stage, ring3_fd_map_t *map)
{
    size_t count = 0;

    for (int fd = 0; fd < REDIR_FDS_MAX; fd++)
        if (stage->from[fd] != STAGE_INHERITED)
            map[count++] = (ring3_fd_map_t){stage->from[fd], fd};
    return count;
}

void stage_end(struct stage *stage)
{
    while (stage->opened_count)
        close(stage->opened[--stage->opened_count]);
}
