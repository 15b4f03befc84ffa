/* SPDX-License-Identifier: MIT */
/*
 * The state of a shell, all of it, in one struct.
 *
 * ( … ) and $( … ) run in this process as long as everything they do can be undone: what they change is
 * put in the journal first (journal.h), and undone at their end. When they come to something that cannot
 * be undone (a program that is not their last command, a background job, a trap), subshell_become_real
 * forks, and the child goes on as the subshell.
 *
 * Errors are results: every function that runs commands returns a flow.
 */
#ifndef R3SH_SHELL_H
#define R3SH_SHELL_H

#include "builtins/builtin.h"
#include "builtins/readline.h"
#include "lang/ifs.h"
#include "lang/out.h"
#include "lang/parse.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <termios.h>

/* Where control goes after a command. */
enum flow {
    FLOW_NEXT,
    FLOW_BREAK,    /* out of shell->levels loops */
    FLOW_CONTINUE, /* with the shell->levels-th loop */
    FLOW_RETURN,   /* from the function or file */
    FLOW_EXIT,     /* from the shell or subshell */
    FLOW_ERROR, /* the same after an error, but an interactive shell goes on with its next command */
    FLOW_FAILED, /* set -o strict: a command failed within a command whose status is looked at */
    FLOW_FAULT,  /* a special built-in was used wrongly: an error, unless `command` was before it */
};

enum option {
    OPTION_ALLEXPORT,
    OPTION_ERREXIT,
    OPTION_IGNOREEOF,
    OPTION_MONITOR,
    OPTION_NOCLOBBER,
    OPTION_NOEXEC,
    OPTION_NOGLOB,
    OPTION_NOLOG,
    OPTION_NOTIFY,
    OPTION_NOUNSET,
    OPTION_VERBOSE,
    OPTION_VI,
    OPTION_EMACS,
    OPTION_XTRACE,
    OPTION_PIPEFAIL,
    OPTION_HASHALL,
    OPTION_STRICT,
    OPTION_POSIX,
    OPTION_INTERACTIVE, /* those from here on cannot be changed by set */
    OPTION_STDIN,
    OPTION_COMMAND,
    OPTION_COUNT,
};

struct session;
struct part;
struct test_command;
struct variable;
struct function;
struct trap;
struct job;

/* Positional parameters. shift moves list; who shares them takes a copy first. */
struct arguments {
    char **list;
    int count, references;
    bool borrowed; /* lives on the stack of a function call, its strings in the arena */
};

/* What a subshell in this process must put back. */
struct subshell {
    struct subshell *outer;
    size_t journal;
    uint32_t options;
    struct arguments *arguments;
    int directory; /* the working directory to go back to, or -1: it is still the same */
    mode_t mask;
    bool mask_saved;
    bool real; /* this process is the subshell: it ends with it */
    struct out *capture;
    int functions, loops, dots;
    bool in_trap;
};

struct table {
    void **slots;
    uint32_t size, count; /* size is a power of two */
};

struct shell {
    int status;       /* $? */
    int levels;       /* for FLOW_BREAK and FLOW_CONTINUE */
    enum flow flow;   /* what the built-in that just ran wants */
    uint32_t options; /* 1 << enum option */
    uint32_t line;    /* $LINENO */
    struct position at;
    const char *file; /* of the command that runs */
    const char *name; /* $0 */
    pid_t pid;        /* $$ */
    pid_t last_background;
    bool login, fork_always;
    bool forked;              /* this process is a subshell */
    int forks;                /* how many levels of such processes there are above */
    bool keep_redirects;      /* of the built-in that just ran: it was exec */
    bool by_command;          /* the built-in is run by `command` */
    bool substitution_failed; /* one of them did, for set -o strict */
    bool
        substituted; /* the simple command being expanded ran a substitution, which set the status */
    int functions, loops, dots; /* how many of each we are in */
    uint32_t generation;        /* changes when a command's name may mean something else */

    struct table variables, function_table, aliases, hash;
    struct journal_entry *journal;
    size_t journal_count, journal_room;
    uint32_t scope; /* number of the innermost subshell or function with locals */
    struct arguments *arguments;
    struct subshell *subshell;

    struct variable *exported; /* list */
    char **environment;
    bool environment_stale;
    struct variable *ifs, *path, *lineno, *optind, *ps4, *home, *pwd;

    struct arena arena; /* of commands that run: released when each has ended */
    struct buf field, pattern;
    struct out out, err;
    struct out *capture; /* standard output is this memory; or NULL */
    struct builtin_io io;
    struct parser *parser; /* that reads the running script */
    struct program *running;
    const char *stack_base;
    size_t stack_limit;

    struct trap *traps;
    unsigned builtin_flags; /* RUN_… of the built-in that runs, for eval and . */
    int trap_status;        /* $? before the trap action: for exit */
    bool in_trap;
    bool exit_trap_done;

    struct job *jobs;
    bool jobs_inherited;            /* they are the parent's */
    const struct program *line_run; /* what the user entered, while it runs; or NULL */
    bool line_left;                 /* it was stopped: the shell leaves it, a copy has the rest */
    bool told_of_stopped;           /* the last command was an exit that was refused */
    bool unstoppable;               /* in a command substitution, or when the line has stopped */
    int *stage_status;              /* of the last pipeline: PIPESTATUS */
    int stage_count, stage_room;
    int *process_files; /* descriptors of process substitutions that are open */
    int process_file_count, process_file_room;
    int terminal; /* descriptor for job control, or -1 */
    pid_t group, first_group;
    bool has_modes;
    bool ignores_stops; /* TSTP, TTIN, TTOU, for monitor mode */
    struct termios modes;

    struct {
        int index, place; /* of getopts in its argument */
        bool changed;
    } getopts;
    struct ifs separators; /* IFS, compiled */
    bool ifs_stale;
    struct read_source *reader; /* of read: what it has taken from a file ahead of its lines */
    int trap_functions;         /* sh->functions when the trap action began */
    bool locale_ready, locale_stale;
    int trace_depth;           /* commands within commands, for set -x */
    bool handed_over;          /* a child goes on as the subshell that is being left */
    const char *start_up_file; /* --rcfile; or NULL */
    struct session *session;   /* with a line editor; or NULL */
};

static inline bool option_on(const struct shell *sh, enum option option)
{
    return sh->options >> option & 1;
}

static inline bool in_posix_mode(const struct shell *sh)
{
    return option_on(sh, OPTION_POSIX);
}

/* It talks with a user: a subshell does not. */
static inline bool is_interactive(const struct shell *sh)
{
    return option_on(sh, OPTION_INTERACTIVE) && !sh->forked;
}

/* --- Messages (error.c) ---------------------------------------------------------------------- */

/* "file:line:column: message" on stderr. */
__attribute__((format(printf, 2, 3))) void complain(struct shell *sh, const char *fmt, ...);
/* The same, at a place in the running script, with the line and a caret when it is at hand. */
__attribute__((format(printf, 3, 4))) void complain_at(struct shell *sh, struct position at,
                                                       const char *fmt, ...);
bool stack_is_low(const struct shell *sh);
struct parser_hooks parser_hooks_for(struct shell *sh);

/* --- Running (exec.c and its siblings) --------------------------------------------------------- */

#define RUN_TESTED 1u /* its status is looked at: set -e does not apply */
#define RUN_AGAIN  4u /* the program was looked for anew */
#define RUN_WITHIN                                                                                 \
    8u /* inside of a command that is tested: under set -o strict a failure ends that */
#define RUN_LAST 2u /* nothing is left to do in this shell or subshell after it */

enum flow run_list(struct shell *sh, const struct list *list, unsigned flags);
enum flow run_node(struct shell *sh, const struct node *node, unsigned flags);
enum flow run_simple(struct shell *sh, struct simple *simple, unsigned flags);
enum flow run_pipeline(struct shell *sh, const struct pipeline *pipeline, unsigned flags);
enum flow run_background(struct shell *sh, const struct node *node);
enum flow run_function(struct shell *sh, struct function *function, int argc, char **argv);
enum flow run_subshell(struct shell *sh, const struct list *list, unsigned flags);
/* Runs every command of an input. */
enum flow run_input(struct shell *sh, struct input *input, unsigned flags);
enum flow run_text(struct shell *sh, const char *name, const char *text, size_t length,
                   unsigned flags);
/* $( … ): the output, in the arena. */
enum flow run_substitution(struct shell *sh, const struct program *program, char **text,
                           size_t *length);

enum flow run_test(struct shell *sh, const struct test_command *test);

/* --- Process substitution (process.c) -------------------------------------------------------------- */

/* Start the commands; the name of a file that leads to them, in the arena. NULL after a message. */
char *process_substitution(struct shell *sh, const struct part *part);
/* Close those that were opened since there were `count`. */
void process_files_close(struct shell *sh, int count);

/* --- Subshells (subshell.c) ---------------------------------------------------------------------- */

void subshell_enter(struct shell *sh, struct subshell *sub);
void subshell_leave(struct shell *sh, struct subshell *sub);
/* Before what cannot be undone. FLOW_NEXT: go on. FLOW_EXIT: a child has done it all. */
enum flow subshell_become_real(struct shell *sh);
/* A forked child becomes a subshell. */
void subshell_in_child(struct shell *sh, bool job_control);
bool in_virtual_subshell(const struct shell *sh);
/* Save the working directory of the virtual subshell before it changes. */
enum flow subshell_save_directory(struct shell *sh);
_Noreturn void leave_process(struct shell *sh, enum flow flow);

/* --- Standard input (read.c) ------------------------------------------------------------------------- */

/* Put back what read took ahead: before anyone else may read. The second: and that descriptor changes. */
void reader_settle(struct shell *sh);
void reader_settle_fd(struct shell *sh, int fd);
extern const struct builtin_host shell_builtin_host;

/* --- Commands (command.c) -------------------------------------------------------------------------- */

enum command_kind {
    COMMAND_NONE,
    COMMAND_SPECIAL,
    COMMAND_FUNCTION,
    COMMAND_BUILTIN,
    COMMAND_FILE
};

struct builtin {
    const char *name;
    int (*run)(struct builtin_io *io, int argc, char **argv);
    uint8_t flags;
};
#define BUILTIN_SPECIAL  1u
#define BUILTIN_SEARCHED 2u /* not intrinsic: XCU 2.9.1.4 has it found by PATH */
#define BUILTIN_PURE     4u /* writes its arguments' worth and ends: need no process in a pipeline */
#define BUILTIN_FOREVER  8u /* cannot be undone: a virtual subshell becomes real first */

const struct builtin *builtin_find(const char *name);
const struct builtin *builtin_table(size_t *count);
/* The file a name stands for by PATH; remembered. NULL: none. */
const char *command_path(struct shell *sh, const char *name, bool remember);
char *path_search(struct shell *sh, const char *path, const char *name, mode_t need);
/* Look up the programs that a command may run (set -h). */
void remember_programs(struct shell *sh, const struct node *node);
void hash_forget(struct shell *sh);
void hash_print(struct shell *sh, struct out *out);
/* execve with what a script without #! needs; returns with errno set. */
void exec_replace(struct shell *sh, char **argv, const char *path);
enum command_kind command_look_up(struct shell *sh, const char *name, const void **found);
const char *standard_path(void);

enum flow run_builtin(struct shell *sh, const struct builtin *builtin, int argc, char **argv,
                      unsigned flags);
/* Run a program and wait for it. */
enum flow run_program(struct shell *sh, char **argv, const char *path, unsigned flags);
_Noreturn void exec_program(struct shell *sh, char **argv, const char *path);
/* Says why `name` could not be run, and with which status. */
int exec_status(struct shell *sh, const char *name, int err);

/* --- set -x (trace.c) ------------------------------------------------------------------------------ */

/* A command that is traced: plainly before it runs, as JSON when it has ended. */
struct trace {
    bool json, assignments;
    double clock, began; /* since 1970; monotonic */
    struct position at;
    const char *file;
    struct buf assigned;
};
void trace_begin(struct shell *sh, struct trace *trace, const struct assignment *assignments,
                 int argc, char **argv);
void trace_end(struct shell *sh, struct trace *trace, int argc, char **argv);
/* [[ … ]] */
void trace_node(struct shell *sh, const struct node *node);

void options_letters(struct shell *sh, char *to);

#endif
