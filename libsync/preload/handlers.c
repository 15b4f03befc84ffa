/* SPDX-License-Identifier: MIT */
/*
 * Knowing that a signal handler runs. Under lockdep the program's handlers are called by ours; what
 * the program asks about them, it is answered with its own. Handlers that were set by what calls
 * libc's sigaction by another way are not seen.
 */
#include "thread.h"

#include <signal.h>
#include <string.h>

/* The program's handlers, by signal; changed under the lock, read by handlers without it. */
static struct sigaction theirs[NSIG];
static ring3_mutex_t changing;

static void call_theirs(int number, siginfo_t *info, void *context)
{
    struct thread *const me = thread_self();
    const int before = me->handling;
    const void *const frame = me->handler;
    const struct sigaction action = theirs[number];

    me->handling = number;
    me->handler = &before;
    if (action.sa_flags & SA_SIGINFO)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
    me->handling = before;
    me->handler = frame;
}

static bool is_function(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == call_theirs;
}

static int replace(int number, const struct sigaction *wanted, struct sigaction *before)
{
    struct sigaction old, action;
    int result;

    if (wanted) {
        action = *wanted;
        if (is_function(wanted)) {
            action.sa_flags |= SA_SIGINFO;
            action.sa_sigaction = call_theirs;
        }
    }
    /* Between the two steps a handler may be called by the other's rules: let none come. */
    sigset_t all, mask;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &mask);
    ring3_mutex_lock(&changing);
    const struct sigaction previous = theirs[number];

    if (wanted && is_function(wanted))
        theirs[number] = *wanted;
    result = real()->sigaction(number, wanted ? &action : NULL, &old);
    if (result != 0)
        theirs[number] = previous;
    ring3_mutex_unlock(&changing);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (result == 0 && before) {
        *before = old;
        if (is_ours(&old)) {
            /* The kernel's idea of the flags, but for the one we added. */
            before->sa_flags = (old.sa_flags & ~SA_SIGINFO) | (previous.sa_flags & SA_SIGINFO);
            before->sa_sigaction = previous.sa_sigaction;
        }
    }
    return result;
}

PUBLIC int sigaction(int number, const struct sigaction *wanted, struct sigaction *before)
{
    if (!locks_get()->lockdep || number < 1 || number >= NSIG)
        return real()->sigaction(number, wanted, before);
    return replace(number, wanted, before);
}

PUBLIC __sighandler_t signal(int number, __sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;

    if (!locks_get()->lockdep || number < 1 || number >= NSIG || handler == SIG_ERR)
        return real()->signal(number, handler);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaddset(&action.sa_mask, number);
    return replace(number, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}

int __sigaction(int number, const struct sigaction *wanted, struct sigaction *before)
    ALIAS_OF(sigaction);
