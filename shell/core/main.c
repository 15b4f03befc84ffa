/* SPDX-License-Identifier: MIT */
/* Invocation and start-up (XCU sh). */
#include "core/expand.h"
#include "core/input.h"
#include "core/jobs.h"
#include "core/options.h"
#include "core/traps.h"
#include "core/vars.h"
#include "interactive/session.h"
#include "lang/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Also where the limit is unlimited: so deep that no script means it. */
#define STACK_MOST ((size_t)64 << 20)

static const char usage[] =
    "usage: r3sh [-abCefhimnuvx] [-o option]… [file [argument…]]\n"
    "       r3sh [-abCefhimnuvx] [-o option]… -c commands [name [argument…]]\n"
    "       r3sh [-abCefhimnuvx] [-o option]… -s [argument…]\n"
    "  -c commands    run them             -s  read standard input        -i  for a person\n"
    "  -n  only check the syntax           -l, --login  read the profiles  --posix  POSIX only\n"
    "  --rcfile file  read it in the place of ~/.r3shrc       --help, --version\n"
    "`help` in the shell lists the built-ins.\n";

static size_t stack_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur > STACK_MOST)
        return STACK_MOST;
    return limit.rlim_cur;
}

static int bad_option(struct shell *sh, const char *text)
{
    out_printf(&sh->err, "%s: %s: unknown option\n%s", sh->name, text, usage);
    out_flush(&sh->err);
    return -1;
}

static void print_version(void)
{
    static const char text[] = "r3sh, the shell of ring3 0.1.0\n";

    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
    _exit(0);
}

/* The index of the first operand, or -1. */
static int parse_options(struct shell *sh, int argc, char **argv, uint32_t *given)
{
    int i = 1;

    for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+'); i++) {
        const bool on = argv[i][0] == '-';

        if (argv[i][1] == '\0') /* a lone - */
            return on ? i + 1 : i;
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "--help") == 0) {
            out_puts(&sh->out, usage);
            out_flush(&sh->out);
            _exit(0);
        }
        if (strcmp(argv[i], "--version") == 0)
            print_version();
        if (strcmp(argv[i], "--rcfile") == 0) {
            if (i + 1 >= argc)
                return bad_option(sh, argv[i]);
            sh->start_up_file = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--login") == 0) {
            sh->login = true;
            continue;
        }
        if (strcmp(argv[i], "--posix") == 0) {
            sh->options |= 1u << OPTION_POSIX;
            continue;
        }
        const char *const word = argv[i];
        for (const char *letter = word + 1; *letter; letter++) {
            enum option option = option_of_letter(*letter);

            if (*letter == 'l') {
                sh->login = true;
                continue;
            }
            if (*letter == 'o') {
                if (i + 1 >= argc)
                    return bad_option(sh, word);
                option = option_of_name(argv[++i]);
                if (option == OPTION_COUNT)
                    return bad_option(sh, argv[i]);
            }
            if (option == OPTION_COUNT)
                return bad_option(sh, word);
            *given |= 1u << option;
            if (on && option == OPTION_STRICT)
                option_set(sh, option, on);
            else if (on)
                sh->options |= 1u << option;
            else
                sh->options &= ~(1u << option);
        }
    }
    return i;
}

static void set_directory(struct shell *sh)
{
    const char *const pwd = variable_value(sh->pwd);
    struct stat here, there;
    struct buf path = {0};

    if (pwd && *pwd == '/' && !strstr(pwd, "/./") && !strstr(pwd, "/../") && !stat(pwd, &there) &&
        !stat(".", &here) && here.st_dev == there.st_dev && here.st_ino == there.st_ino &&
        (strlen(pwd) < 3 || strcmp(pwd + strlen(pwd) - 2, "/.") != 0) &&
        (strlen(pwd) < 4 || strcmp(pwd + strlen(pwd) - 3, "/..") != 0)) {
        variable_export(sh, sh->pwd, true);
        return;
    }
    if (path_physical(&path) == 0) {
        variable_set(sh, sh->pwd, path.data, path.len);
        variable_export(sh, sh->pwd, true);
    }
    buf_free(&path);
}

static void set_variables(struct shell *sh)
{
    char number[16];

    variables_init(sh, environ);
    set_directory(sh);
    snprintf(number, sizeof number, "%d", (int)getppid());
    variable_set_name(sh, "PPID", number);
    variable_export(sh, variable_intern(sh, "PPID", 4), false);
    variable_set_name(sh, "LINENO", "1");
    variable_export(sh, sh->lineno, false);
    if (is_interactive(sh)) {
        if (!variable_get(sh, "PS1"))
            variable_set_name(sh, "PS1", geteuid() ? "$ " : "# ");
        if (!variable_get(sh, "PS2"))
            variable_set_name(sh, "PS2", "> ");
    }
}

/* A start-up file, if it is there. */
static enum flow run_file(struct shell *sh, const char *path, bool must)
{
    struct file_input file;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum flow flow;

    if (fd < 0) {
        if (must)
            complain(sh, "%s: %s", path, strerror(errno));
        return FLOW_NEXT;
    }
    file_input_open(&file, sh, path, fd, false);
    flow = run_input(sh, &file.input, 0);
    file_input_close(&file);
    return flow == FLOW_EXIT ? FLOW_EXIT : FLOW_NEXT;
}

/* What people set up for their sessions; in posix mode ENV alone does. */
static enum flow run_session_file(struct shell *sh)
{
    const char *const home = variable_value(sh->home);
    char *file;

    if (in_posix_mode(sh) || !is_interactive(sh))
        return FLOW_NEXT;
    if (sh->start_up_file)
        return run_file(sh, sh->start_up_file, true);
    if (!home)
        return FLOW_NEXT;
    file = arena_alloc(&sh->arena, strlen(home) + 16);
    return run_file(sh, strcat(strcpy(file, home), "/.r3shrc"), false);
}

static enum flow start_up(struct shell *sh)
{
    enum flow flow = FLOW_NEXT;
    const char *const home = variable_value(sh->home);
    char *file;

    if (sh->login) {
        flow = run_file(sh, "/etc/profile", false);
        if (flow == FLOW_NEXT && home) {
            file = arena_alloc(&sh->arena, strlen(home) + 16);
            strcat(strcpy(file, home), "/.profile");
            flow = run_file(sh, file, false);
        }
    }
    if (flow == FLOW_NEXT && is_interactive(sh) && geteuid() == getuid() && getegid() == getgid()) {
        const char *const env = variable_get(sh, "ENV");

        if (env && *env)
            flow = run_file(sh, expand_prompt(sh, env), true);
        if (flow == FLOW_NEXT)
            flow = run_session_file(sh);
    }
    return flow;
}

static enum flow run_standard_input(struct shell *sh)
{
    struct file_input file;
    enum flow flow;

    file_input_open(&file, sh, sh->name, STDIN_FILENO, true);
    file.prompts = is_interactive(sh);
    session_ready(sh);
    flow = run_input(sh, &file.input, 0);
    file_input_close(&file);
    return flow;
}

/* A script that is no path is looked for here, then in PATH. */
static int open_script(struct shell *sh, const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && !strchr(name, '/') && variable_value(sh->path)) {
        const char *const file = path_search(sh, variable_value(sh->path), name, S_IXUSR);

        if (file)
            fd = open(file, O_RDONLY | O_CLOEXEC);
        else
            errno = ENOENT;
    }
    return fd;
}

static bool is_binary(int fd)
{
    char start[512];
    const ssize_t n = pread(fd, start, sizeof start, 0);
    const char *const newline = n > 0 ? memchr(start, '\n', (size_t)n) : NULL;

    return n > 0 && memchr(start, '\0', newline ? (size_t)(newline - start) : (size_t)n);
}

static enum flow run_script(struct shell *sh, const char *name)
{
    struct file_input file;
    struct stat st;
    const int fd = open_script(sh, name);
    enum flow flow;

    if (fd < 0 || fstat(fd, &st) || S_ISDIR(st.st_mode) || is_binary(fd)) {
        const int err = fd < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : ENOEXEC;

        sh->line = 0;
        complain(sh, "cannot run %s: %s", name, strerror(err));
        sh->status = err == ENOENT ? 127 : 126;
        return FLOW_EXIT;
    }
    file_input_open(&file, sh, name, fd, false);
    flow = run_input(sh, &file.input, 0);
    file_input_close(&file);
    return flow;
}

static void set_name(struct shell *sh, const char *argv0)
{
    const char *const slash = strrchr(argv0, '/');
    const char *base = slash ? slash + 1 : argv0;

    sh->name = argv0;
    sh->login = *argv0 == '-';
    base += *base == '-';
    if (strcmp(base, "sh") == 0)
        sh->options |= 1u << OPTION_POSIX;
}

static enum flow run_main(struct shell *sh, int argc, char **argv, int operand)
{
    enum flow flow;
    const char *commands = NULL;

    if (option_on(sh, OPTION_COMMAND)) {
        if (operand >= argc) {
            bad_option(sh, "-c without commands");
            sh->status = 2;
            return FLOW_EXIT;
        }
        commands = argv[operand++];
        if (operand < argc)
            sh->name = argv[operand++];
    } else if (!option_on(sh, OPTION_STDIN) && operand < argc) {
        sh->name = argv[operand++];
    } else {
        sh->options |= 1u << OPTION_STDIN;
    }
    sh->arguments = arguments_new(argv + operand, argc - operand);
    set_variables(sh);
    if (option_on(sh, OPTION_STDIN))
        session_start(sh);
    flow = start_up(sh);
    if (flow != FLOW_NEXT)
        return flow;
    if (commands)
        return run_text(sh, sh->name, commands, strlen(commands), RUN_LAST);
    if (option_on(sh, OPTION_STDIN))
        return run_standard_input(sh);
    return run_script(sh, sh->name);
}

int main(int argc, char **argv)
{
    static struct shell shell; /* too large for comfort on the stack */
    struct shell *const sh = &shell;
    const char base = 0;
    uint32_t given = 0;
    int operand;
    bool monitor;

    sh->stack_base = &base;
    sh->stack_limit = stack_limit();
    sh->pid = getpid();
    sh->generation = 1;
    sh->terminal = -1;
    out_init(&sh->out, STDOUT_FILENO);
    out_init(&sh->err, STDERR_FILENO);
    sh->io = (struct builtin_io){.out = &sh->out,
                                 .err = &sh->err,
                                 .in_fd = STDIN_FILENO,
                                 .shell = sh,
                                 .host = &shell_builtin_host};
    set_name(sh, argc ? argv[0] : "r3sh");
    operand = parse_options(sh, argc, argv, &given);
    if (operand < 0)
        return 2;
    if (!option_on(sh, OPTION_COMMAND) && !(given >> OPTION_INTERACTIVE & 1) &&
        (option_on(sh, OPTION_STDIN) || operand >= argc) && isatty(STDIN_FILENO) &&
        isatty(STDERR_FILENO))
        sh->options |= 1u << OPTION_INTERACTIVE;
    traps_init(sh);
    monitor = given >> OPTION_MONITOR & 1 ? option_on(sh, OPTION_MONITOR) : is_interactive(sh);
    sh->options &= ~(1u << OPTION_MONITOR);
    if (is_interactive(sh))
        signals_interactive(sh);
    if (monitor)
        monitor_start(sh);
    sh->fork_always = getenv("FORK") && strcmp(getenv("FORK"), "always") == 0;
    sh->status = 0;

    const enum flow flow = run_main(sh, argc, argv, operand);

    if (flow == FLOW_ERROR && sh->status == 0)
        sh->status = 2;
    reader_settle(sh);
    traps_exit(sh);
    session_end(sh);
    reader_settle(sh);
    out_flush(&sh->err);
    if (out_flush(&sh->out) && !sh->status)
        sh->status = 1;
    if (!sh->forked && option_on(sh, OPTION_MONITOR))
        monitor_stop(sh);
    _exit(sh->status & 0xff);
}
