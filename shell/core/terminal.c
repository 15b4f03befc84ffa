/* SPDX-License-Identifier: MIT */
/* The terminal that the shell and its jobs share: whose it is, and in which modes; monitor mode. */
#include "core/jobs.h"
#include "core/redir.h"
#include "core/traps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

void terminal_give(struct shell *sh, pid_t group)
{
    sigset_t ttou, before;

    if (sh->terminal < 0)
        return;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &before);
    tcsetpgrp(sh->terminal, group);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_remember(struct shell *sh)
{
    if (sh->terminal >= 0)
        sh->has_modes = !tcgetattr(sh->terminal, &sh->modes);
}

void terminal_set(struct shell *sh, const struct termios *modes)
{
    sigset_t ttou, before;

    if (sh->terminal < 0)
        return;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &before);
    tcsetattr(sh->terminal, TCSADRAIN, modes);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_restore(struct shell *sh)
{
    if (sh->has_modes)
        terminal_set(sh, &sh->modes);
}

/* How often to stop ourselves at most: where nobody is left to continue us, SIGTTIN does not even stop us. */
#define PATIENCE 32

/* Wait to be in the foreground. */
static bool await_foreground(int terminal)
{
    pid_t owner;

    for (int i = 0; (owner = tcgetpgrp(terminal)) >= 0 && owner != getpgrp(); i++) {
        if (i == PATIENCE)
            return false;
        signal(SIGTTIN, SIG_DFL);
        kill(0, SIGTTIN);
    }
    return true;
}

int monitor_start(struct shell *sh)
{
    int fd;

    if (sh->forked) {
        sh->options |= 1u << OPTION_MONITOR;
        return 0;
    }
    fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    for (int i = 2; fd < 0 && i >= 0; i--)
        if (isatty(i))
            fd = fcntl(i, F_DUPFD_CLOEXEC, REDIR_FDS_MAX);
    sh->terminal = fd_move_up(fd);
    sh->group = sh->first_group = getpgrp();
    sh->options |= 1u << OPTION_MONITOR;
    if (sh->terminal < 0 || (!is_interactive(sh) && tcgetpgrp(sh->terminal) != getpgrp())) {
        if (sh->terminal >= 0)
            close(sh->terminal);
        sh->terminal = -1;
        signals_monitor(sh);
        return 0;
    }
    if (is_interactive(sh)) {
        if (!await_foreground(sh->terminal)) {
            close(sh->terminal);
            sh->terminal = -1;
            sh->options &= ~(1u << OPTION_MONITOR);
            complain(sh, "there is no job control: the shell is in the background for good");
            return -EIO;
        }
        if (getpid() != getsid(0))
            setpgid(0, 0);
        sh->group = getpgrp();
        terminal_give(sh, sh->group);
    }
    signals_monitor(sh);
    terminal_remember(sh);
    return 0;
}

void monitor_stop(struct shell *sh)
{
    if (!option_on(sh, OPTION_MONITOR))
        return;
    sh->options &= ~(1u << OPTION_MONITOR);
    if (sh->forked)
        return;
    signals_monitor(sh);
    if (sh->terminal < 0)
        return;
    if (sh->group != sh->first_group) {
        terminal_give(sh, sh->first_group);
        setpgid(0, sh->first_group);
        sh->group = sh->first_group;
    }
    close(sh->terminal);
    sh->terminal = -1;
}
