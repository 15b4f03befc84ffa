/* SPDX-License-Identifier: MIT */
/* Finding and running commands: built-ins in this process, programs through libipc's spawn. */
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"
#include "core/vars.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void capture_from(struct shell *sh, int fd);

struct hashed {
    char *path;
    char name[];
};

static const char *name_of_hashed(const void *entry)
{
    return ((const struct hashed *)entry)->name;
}

const char *standard_path(void)
{
    return "/usr/bin:/bin:/usr/sbin:/sbin";
}

void hash_forget(struct shell *sh)
{
    for (uint32_t i = 0; i < sh->hash.size; i++) {
        struct hashed *const entry = sh->hash.slots[i];

        if (!entry)
            continue;
        free(entry->path);
        free(entry);
        sh->hash.slots[i] = NULL;
    }
    sh->hash.count = 0;
    sh->generation++;
}

void hash_print(struct shell *sh, struct out *out)
{
    for (uint32_t i = 0; i < sh->hash.size; i++)
        if (sh->hash.slots[i])
            out_printf(out, "%s\n", ((const struct hashed *)sh->hash.slots[i])->path);
}

char *path_search(struct shell *sh, const char *path, const char *name, mode_t need)
{
    const size_t length = strlen(name);

    for (;;) {
        const size_t size = strcspn(path, ":");
        char *const file = arena_alloc(&sh->arena, size + length + 3);
        struct stat st;

        memcpy(file, path, size);
        strcpy(file + size, size && path[size - 1] != '/' ? "/" : "");
        strcat(file, name);
        if (!stat(file, &st) && S_ISREG(st.st_mode) &&
            (!need || !faccessat(AT_FDCWD, file, X_OK, AT_EACCESS)))
            return file;
        path += size;
        if (!*path++)
            return NULL;
    }
}

const char *command_path(struct shell *sh, const char *name, bool remember)
{
    const char *const path = variable_value(sh->path);
    struct hashed *entry = table_find(&sh->hash, name, name_of_hashed);
    char *file;

    if (entry)
        return entry->path;
    file = path ? path_search(sh, path, name, S_IXUSR) : NULL;
    if (!file || !remember || *file != '/')
        return file;
    entry = must_alloc(sizeof(*entry) + strlen(name) + 1);
    entry->path = must_copy(file, strlen(file));
    strcpy(entry->name, name);
    table_put(&sh->hash, entry, name_of_hashed);
    return entry->path;
}

/* A utility that is not intrinsic counts as found where PATH has the system's directories: it is
 * there in spirit, and no file need be looked at. */
static bool is_in_path(struct shell *sh)
{
    const char *path = variable_value(sh->path);

    while (path && *path) {
        const size_t length = strcspn(path, ":");

        if ((length == 4 && strncmp(path, "/bin", 4) == 0) ||
            (length == 8 && strncmp(path, "/usr/bin", 8) == 0))
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

enum command_kind command_look_up(struct shell *sh, const char *name, const void **found)
{
    const struct builtin *builtin;

    *found = name;
    if (strchr(name, '/'))
        return COMMAND_FILE;
    builtin = builtin_find(name);
    *found = builtin;
    if (builtin && builtin->flags & BUILTIN_SPECIAL)
        return COMMAND_SPECIAL;
    *found = sh->function_table.count ? function_find(sh, name) : NULL;
    if (*found)
        return COMMAND_FUNCTION;
    *found = builtin;
    if (builtin && (!in_posix_mode(sh) || !(builtin->flags & BUILTIN_SEARCHED) || is_in_path(sh) ||
                    command_path(sh, name, true)))
        return COMMAND_BUILTIN;
    *found = command_path(sh, name, true);
    return *found ? COMMAND_FILE : COMMAND_NONE;
}

/* --- Built-ins ------------------------------------------------------------------------------- */

enum flow run_builtin(struct shell *sh, const struct builtin *builtin, int argc, char **argv,
                      unsigned flags)
{
    const bool by_command = sh->by_command;
    struct out *const out = sh->io.out;
    enum flow flow;
    int err;

    if (builtin->flags & BUILTIN_FOREVER) {
        flow = subshell_become_real(sh);
        if (flow != FLOW_NEXT)
            return flow;
    }
    sh->flow = FLOW_NEXT;
    sh->builtin_flags = flags;
    sh->by_command = false;
    sh->io.out = sh->capture ? sh->capture : &sh->out;
    sh->status = builtin->run(&sh->io, argc, argv);
    sh->io.out = out;
    flow = sh->flow;
    sh->flow = FLOW_NEXT;
    if (sh->out.text.len || sh->out.error) {
        err = out_flush(&sh->out);
        if (err && sh->status == 0) {
            complain(sh, "%s: cannot write: %s", argv[0], strerror(-err));
            sh->status = 1;
        }
    }
    if (sh->err.text.len)
        out_flush(&sh->err);
    if (flow == FLOW_FAULT) {
        if (by_command || !(builtin->flags & BUILTIN_SPECIAL))
            return FLOW_NEXT;
        return FLOW_ERROR;
    }
    return flow;
}

/* --- Programs -------------------------------------------------------------------------------- */

int exec_status(struct shell *sh, const char *name, int err)
{
    if (err == -ENOENT || err == -ENOTDIR) {
        complain(sh, "%s: %s", name, strchr(name, '/') ? strerror(-err) : "not found");
        return 127;
    }
    complain(sh, "%s: %s", name, strerror(-err));
    return 126;
}

/* Whether the file that exec refused is text: a script without #!. */
static bool is_script(const char *path)
{
    char start[256];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, start, sizeof start);
    const char *const newline = n > 0 ? memchr(start, '\n', (size_t)n) : NULL;

    if (fd >= 0)
        close(fd);
    return n >= 0 && !memchr(start, '\0', newline ? (size_t)(newline - start) : (size_t)n);
}

/* The command line that has this shell run a script: r3sh path arguments… */
char **script_arguments(struct shell *sh, char **argv, const char *path);

char **script_arguments(struct shell *sh, char **argv, const char *path)
{
    size_t count = 0;
    char **list;

    while (argv[count])
        count++;
    list = arena_alloc(&sh->arena, (count + 2) * sizeof(*list));
    list[0] = in_posix_mode(sh) ? "sh" : "r3sh";
    list[1] = (char *)(uintptr_t)path;
    memcpy(list + 2, argv + 1, count * sizeof(*list));
    return list;
}

void exec_replace(struct shell *sh, char **argv, const char *path)
{
    reader_settle(sh);
    out_flush(&sh->err);
    traps_for_exec(sh);
    execve(path, argv, variables_environment(sh));
    if (errno == ENOEXEC && is_script(path)) {
        execve("/proc/self/exe", script_arguments(sh, argv, path), variables_environment(sh));
    }
}

void exec_program(struct shell *sh, char **argv, const char *path)
{
    exec_replace(sh, argv, path);
    sh->status = exec_status(sh, argv[0], -errno);
    sh->exit_trap_done = true;
    leave_process(sh, FLOW_EXIT);
}

static int start(struct shell *sh, struct job *job, const char *path, char **argv, int out)
{
    struct stage stage;
    int err;

    stage_begin(&stage, -1, out);
    err = job_start(sh, job, path, argv, &stage);

    if (err == -ENOEXEC && is_script(path))
        err = job_start(sh, job, "/proc/self/exe", script_arguments(sh, argv, path), &stage);
    return err;
}

enum flow run_program(struct shell *sh, char **argv, const char *path, unsigned flags)
{
    int ends[2] = {-1, -1}, err;
    struct job *job;

    if (in_virtual_subshell(sh) && !(flags & RUN_LAST)) {
        const enum flow flow = subshell_become_real(sh);

        if (flow != FLOW_NEXT)
            return flow;
    }
    if (flags & RUN_LAST && !in_virtual_subshell(sh) && !traps_forbid_exec(sh) &&
        !option_on(sh, OPTION_MONITOR))
        exec_program(sh, argv, path);
    if (sh->capture && pipe2(ends, O_CLOEXEC)) {
        complain(sh, "pipe: %s", strerror(errno));
        sh->status = 2;
        return FLOW_ERROR;
    }
    job = job_new(sh, 1, option_on(sh, OPTION_MONITOR));
    err = start(sh, job, path, argv, ends[1]);
    if (ends[1] >= 0)
        close(ends[1]);
    if (!err && ends[0] >= 0)
        capture_from(sh, ends[0]);
    if (ends[0] >= 0)
        close(ends[0]);
    if (err == -ENOENT && !strchr(argv[0], '/') && !(flags & RUN_AGAIN)) {
        /* It is not where it was remembered to be. */
        job_free(sh, job);
        hash_forget(sh);
        path = command_path(sh, argv[0], true);
        if (path)
            return run_program(sh, argv, path, flags | RUN_AGAIN);
        sh->status = exec_status(sh, argv[0], err);
        return FLOW_NEXT;
    }
    if (err) {
        job_free(sh, job);
        sh->status = exec_status(sh, argv[0], err);
        return FLOW_NEXT;
    }
    if (job->monitored && !job->text) {
        struct buf text = {0};

        for (char **word = argv; *word; word++) {
            buf_adds(&text, word == argv ? "" : " ");
            buf_adds(&text, *word);
        }
        job->text = buf_take(&text);
    }
    sh->status = job_foreground(sh, job);
    return sh->line_left ? FLOW_ERROR : FLOW_NEXT;
}
