/* SPDX-License-Identifier: MIT */
#include "core/traps.h"
#include "core/jobs.h"
#include "core/vars.h"

#include <errno.h>
#include <sys/select.h>
#include <unistd.h>

/* Set by the handler: that is why they are not in the shell's struct. */
volatile sig_atomic_t signals_seen[SIGNALS];
volatile sig_atomic_t signals_any;

static void handler(int signal)
{
    signals_seen[signal] = 1;
    signals_any = 1;
}

static bool ignored_now(int signal)
{
    struct sigaction action;

    return !sigaction(signal, NULL, &action) && action.sa_handler == SIG_IGN;
}

static void arrange(int signal, void (*how)(int))
{
    struct sigaction action = {.sa_handler = how};

    sigfillset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static struct trap *all(struct shell *sh)
{
    if (!sh->traps) {
        sh->traps = must_alloc(SIGNALS * sizeof(*sh->traps));
        memset(sh->traps, 0, SIGNALS * sizeof(*sh->traps));
    }
    return sh->traps;
}

void traps_init(struct shell *sh)
{
    /* An ignored SIGCHLD would take the status of every child away. */
    if (ignored_now(SIGCHLD))
        arrange(SIGCHLD, SIG_DFL);
    (void)sh;
}

/* What the shell itself does with a signal that has no trap. */
static void default_for(struct shell *sh, int signal)
{
    void (*how)(int) = SIG_DFL;

    if (is_interactive(sh) && !sh->forked) {
        if (signal == SIGTERM || signal == SIGQUIT)
            how = SIG_IGN;
        else if (signal == SIGINT || signal == SIGHUP)
            how = handler;
    }
    if (option_on(sh, OPTION_MONITOR) && !sh->forked) {
        if (signal == SIGTTIN || signal == SIGTTOU || signal == SIGTSTP)
            how = SIG_IGN;
        if (signal == SIGTSTP && is_interactive(sh)) /* it stops the line that runs (rest.c) */
            how = handler;
    }
    arrange(signal, how);
}

/* The first look at a signal notes whether the shell was started with it ignored. */
static struct trap *trap_of(struct shell *sh, int signal)
{
    static bool looked[SIGNALS]; /* of the process, as dispositions are */
    struct trap *const trap = &all(sh)[signal];

    if (!looked[signal] && signal) {
        looked[signal] = true;
        if (!trap->action && ignored_now(signal) && signal != SIGCHLD) {
            trap->was_ignored = true;
        }
    }
    return trap;
}

int trap_set(struct shell *sh, int signal, const char *action)
{
    struct trap *trap;

    if (signal < 0 || signal >= SIGNALS)
        return -EINVAL;
    trap = trap_of(sh, signal);
    /* The first trap command of a subshell makes it forget its parent's. */
    for (int i = 0; i < SIGNALS; i++) {
        if (sh->traps[i].parents) {
            free(sh->traps[i].action);
            sh->traps[i].action = NULL;
            sh->traps[i].parents = false;
        }
    }
    if (trap->was_ignored && !option_on(sh, OPTION_INTERACTIVE))
        return 0;
    trap->was_ignored = false;
    free(trap->action);
    trap->action = action ? must_copy(action, strlen(action)) : NULL;
    if (signal == 0 || signal == SIGKILL || signal == SIGSTOP)
        return 0;
    if (!action)
        default_for(sh, signal);
    else
        arrange(signal, *action ? handler : SIG_IGN);
    return 0;
}

const char *trap_action(struct shell *sh, int signal)
{
    const struct trap *const trap = trap_of(sh, signal);

    return trap->action ? trap->action : trap->was_ignored ? "" : NULL;
}

void traps_for_exec(struct shell *sh)
{
    sigset_t set;

    if (!traps_ignored_by_us(sh, &set))
        return;
    for (int i = 1; i < SIGNALS; i++)
        if (sigismember(&set, i) == 1)
            arrange(i, SIG_DFL);
}

void traps_in_child(struct shell *sh, bool keep_shown)
{
    static const int ours[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

    sh->in_trap = false;
    sh->exit_trap_done = false;
    signals_any = 0;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        const bool stops = i > 3;

        if (!(stops ? sh->ignores_stops && !sh->unstoppable : option_on(sh, OPTION_INTERACTIVE)))
            continue;
        if (!sh->traps || !sh->traps[ours[i]].action)
            arrange(ours[i], sh->traps && sh->traps[ours[i]].was_ignored ? SIG_IGN : SIG_DFL);
    }
    for (int i = 0; sh->traps && i < SIGNALS; i++) {
        struct trap *const trap = &sh->traps[i];

        signals_seen[i] = 0;
        if (!trap->action || !*trap->action || trap->parents)
            continue;
        trap->parents = true;
        if (i)
            arrange(i, SIG_DFL);
        if (!keep_shown) {
            free(trap->action);
            trap->action = NULL;
            trap->parents = false;
        }
    }
}

const sigset_t *traps_ignored_by_us(const struct shell *sh, sigset_t *set)
{
    static const int ours[] = {SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

    if (!is_interactive(sh) && (!sh->ignores_stops || sh->forked))
        return NULL;
    sigemptyset(set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        const struct trap *const trap = sh->traps ? &sh->traps[ours[i]] : NULL;

        if (!is_interactive(sh) && i <= 2) /* those it leaves alone */
            continue;
        if (sh->unstoppable && i > 2)
            continue;
        if (!trap || (!trap->was_ignored && (!trap->action || *trap->action)))
            sigaddset(set, ours[i]);
    }
    return set;
}

void traps_ignore_interrupts(struct shell *sh)
{
    static const int signals[] = {SIGINT, SIGQUIT};

    for (size_t i = 0; i < 2; i++) {
        struct trap *const trap = trap_of(sh, signals[i]);

        if (!trap->action || trap->parents)
            arrange(signals[i], SIG_IGN);
    }
}

void signals_interactive(struct shell *sh)
{
    static const int ours[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        const struct trap *const trap = trap_of(sh, ours[i]);

        if (!trap->action && !trap->was_ignored)
            default_for(sh, ours[i]);
    }
}

void signals_monitor(struct shell *sh)
{
    static const int ours[] = {SIGTSTP, SIGTTIN, SIGTTOU};

    sh->ignores_stops = option_on(sh, OPTION_MONITOR);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        const struct trap *const trap = trap_of(sh, ours[i]);

        if (!trap->action && !trap->was_ignored)
            default_for(sh, ours[i]);
    }
}

void signals_stoppable(struct shell *sh, bool on)
{
    if (!is_interactive(sh) || !sh->ignores_stops || sh->unstoppable == !on)
        return;
    sh->unstoppable = !on;
    if (!sh->traps[SIGTSTP].action && !sh->traps[SIGTSTP].was_ignored)
        arrange(SIGTSTP, on ? handler : SIG_IGN);
}

bool traps_pending(const struct shell *sh)
{
    if (!signals_any)
        return false;
    for (int i = 1; i < SIGNALS; i++)
        if (signals_seen[i] && sh->traps && sh->traps[i].action && *sh->traps[i].action)
            return true;
    return false;
}

bool traps_forbid_exec(const struct shell *sh)
{
    if (is_interactive(sh))
        return true;
    for (int i = 0; sh->traps && i < SIGNALS; i++)
        if (sh->traps[i].action && *sh->traps[i].action && !sh->traps[i].parents)
            return true;
    return false;
}

static enum flow run_action(struct shell *sh, const char *action)
{
    const int status = sh->status, before = sh->trap_status, levels = sh->levels;
    const bool in_trap = sh->in_trap;
    const int functions = sh->trap_functions;
    char *const copy = must_copy(action, strlen(action));
    enum flow flow;

    sh->in_trap = true;
    sh->trap_functions = sh->functions;
    sh->trap_status = status;
    flow = run_text(sh, "trap", copy, strlen(copy), RUN_TESTED & sh->builtin_flags);
    sh->in_trap = in_trap;
    sh->trap_functions = functions;
    sh->trap_status = before;
    free(copy);
    if (flow == FLOW_NEXT) {
        sh->status = status;
        sh->levels = levels;
    }
    return flow;
}

enum flow traps_run(struct shell *sh)
{
    enum flow flow = FLOW_NEXT;

    /* They are the real shell's, not a subshell's in its process. */
    if (in_virtual_subshell(sh)) {
        if (!signals_seen[SIGINT])
            return FLOW_NEXT;
        sh->status = 128 + SIGINT;
        return FLOW_EXIT;
    }
    signals_any = 0;
    for (int i = 1; i < SIGNALS && flow == FLOW_NEXT; i++) {
        if (!signals_seen[i])
            continue;
        signals_seen[i] = 0;
        if (sh->traps && sh->traps[i].action && *sh->traps[i].action && !sh->traps[i].parents) {
            flow = run_action(sh, sh->traps[i].action);
        } else if (i == SIGINT && is_interactive(sh)) {
            sh->status = 128 + SIGINT;
            flow = FLOW_ERROR;
        } else if (i == SIGTSTP && is_interactive(sh)) {
            flow = rest_stop(sh);
        } else if (i == SIGHUP && is_interactive(sh)) {
            shell_hang_up(sh);
        }
    }
    return flow;
}

enum flow traps_exit(struct shell *sh)
{
    struct trap *const trap = sh->traps;
    enum flow flow;
    int status = sh->status;

    if (signals_any)
        traps_run(sh);
    if (!trap || !trap->action || trap->parents || sh->exit_trap_done)
        return FLOW_NEXT;
    sh->exit_trap_done = true;
    sh->functions = sh->loops = sh->dots = 0;
    sh->status = status;
    flow = run_action(sh, trap->action);
    if (flow == FLOW_NEXT)
        sh->status = status;
    return flow;
}

void signals_block(sigset_t *before)
{
    sigset_t everything;

    sigfillset(&everything);
    sigprocmask(SIG_BLOCK, &everything, before);
}

static void nothing(int signal)
{
    (void)signal;
}

void signals_sleep(const sigset_t *mask, const struct timespec *limit)
{
    struct sigaction child = {.sa_handler = nothing}, before;

    sigset_t open = *mask;

    sigaction(SIGCHLD, NULL, &before);
    if (before.sa_handler == SIG_DFL)
        sigaction(SIGCHLD, &child, NULL);
    sigdelset(&open, SIGCHLD); /* also if we were started with it blocked */
    pselect(0, NULL, NULL, NULL, limit, &open);
    if (before.sa_handler == SIG_DFL)
        sigaction(SIGCHLD, &before, NULL);
}
