/* SPDX-License-Identifier: MIT */
/*
 * The child shares our memory until it executes the program, while our thread is suspended. So it
 * must not run a signal handler (they would act on our data), not touch our stack (it has its own),
 * and not change what libc keeps in memory: it makes bare system calls only.
 *
 * Signals. All are blocked before the clone, also those that libc keeps for itself. The child
 * resets every handler before it restores the mask: a signal that comes between there and exec does
 * what the new program would do. Dispositions are not shared (no CLONE_SIGHAND), nor are
 * descriptors.
 *
 * But it must not stop there: a thread that waits for its vfork child stops for nobody, so a ^Z would leave the
 * terminal with a job that is neither stopped nor running. Until exec the stop signals of the keyboard have a handler,
 * which exec takes away in the same step as the old image; it only notes the signal, and the parent sends it again
 * to the new program. A SIGCONT that comes behind takes the note back, as it would a stop.
 */
#include "spawn.h"

#include "arch/clone3.h"
#include "arch/restorer.h"
#include "call.h"
#include "feature.h"
#include "ring3/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE   ((size_t)64 << 10) /* PATH_MAX and the descriptor plan take 5 KiB of it */
#define KERNEL_NSIG  64
#define SIGSET_BYTES (KERNEL_NSIG / 8)

/* Instrumentation would note the child's frames and calls as ours. */
#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))

struct order {
    const ring3_spawn_plan_t *plan;
    const char *search; /* PATH, or NULL for the plan's path as it is */
    char *const *environment;
    uint64_t mask; /* to restore before exec, in the kernel's form */
    int above;     /* free to use for copies of descriptors */
    bool cleared;  /* the kernel has reset the handlers */
    int error;     /* written by the child before it exits */
    int stop;      /* a stop signal that came before exec, or 0; written by the child's handler */
};

/* The kernel's struct sigaction: a handler, flags, and what differs between machines behind it. */
struct kernel_action {
    uintptr_t handler;
    uintptr_t rest[7];
};

/* The order that this thread's child carries out: the child has our TLS, and runs while we do not. */
static _Thread_local struct order *under_way;

static ring3_feature_t direct = {"pidfd_spawn", 0};
static ring3_feature_t pidfds = {"pidfd", 0};
static ring3_feature_t clearing = {"clear_sighand", 0};

/* A stack that nobody uses, or NULL: mapping one costs as much as five system calls. Taken and given back by
 * exchange, so that its user has it alone; after fork each process has its own copy. */
static void *spare_stack;

extern char **environ;

NOT_INSTRUMENTED static int bare(long result)
{
    return result < 0 ? -errno : (int)result;
}

/* After CLONE_CLEAR_SIGHAND only what is to be no longer ignored is left to do. */
NOT_INSTRUMENTED static void reset_ignored(const sigset_t *defaults)
{
    const struct kernel_action action = {.handler = (uintptr_t)SIG_DFL};
    uint64_t left = defaults ? *(const uint64_t *)(const void *)defaults : 0;

    for (; left; left &= left - 1)
        syscall(SYS_rt_sigaction, __builtin_ctzll(left) + 1, &action, NULL, SIGSET_BYTES);
}

NOT_INSTRUMENTED static void reset_handlers(const sigset_t *defaults)
{
    const uint64_t *const wanted = (const uint64_t *)(const void *)defaults;

    for (int signal = 1; signal <= KERNEL_NSIG; signal++) {
        struct kernel_action action = {0};

        if (syscall(SYS_rt_sigaction, signal, NULL, &action, SIGSET_BYTES) ||
            action.handler == (uintptr_t)SIG_DFL)
            continue;
        if (action.handler == (uintptr_t)SIG_IGN && !(wanted && (*wanted >> (signal - 1) & 1)))
            continue;
        for (size_t i = 0; i < sizeof action.rest / sizeof *action.rest; i++)
            action.rest[i] = 0;
        action.handler = (uintptr_t)SIG_DFL;
        syscall(SYS_rt_sigaction, signal, &action, NULL, SIGSET_BYTES);
    }
}

NOT_INSTRUMENTED static void note_stop(int signal)
{
    under_way->stop = signal == SIGCONT ? 0 : signal;
}

NOT_INSTRUMENTED static void postpone_stops(struct order *order)
{
    static const int signals[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

    under_way = order;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct kernel_action action = {.handler = (uintptr_t)note_stop}, before = {0};

        action.rest[0] = SA_RESTART | RING3_RESTORER_FLAG;
        action.rest[1] = RING3_RESTORER;
        action.rest[2] = ~UINT64_C(0); /* one at a time */
        /* All signals are blocked: where this one is ignored, that comes back before it could be noted. */
        if (syscall(SYS_rt_sigaction, signals[i], &action, &before, SIGSET_BYTES) == 0 &&
            before.handler != (uintptr_t)SIG_DFL)
            syscall(SYS_rt_sigaction, signals[i], &before, NULL, SIGSET_BYTES);
    }
}

NOT_INSTRUMENTED static int take_place(const ring3_spawn_plan_t *plan)
{
    int err = 0;

    if (plan->flags & RING3_SPAWN_SESSION)
        err = bare(syscall(SYS_setsid));
    else if (plan->flags & RING3_SPAWN_GROUP)
        err = bare(syscall(SYS_setpgid, 0, plan->group));
    if (err < 0 || !(plan->flags & RING3_SPAWN_FOREGROUND))
        return err;
    if (plan->flags & RING3_SPAWN_SESSION)
        return bare(syscall(SYS_ioctl, plan->terminal, TIOCSCTTY, 0));
    /* From the background this raises SIGTTOU unless that is blocked, which it is. */
    const int group = bare(syscall(SYS_getpgid, 0));

    return bare(syscall(SYS_ioctl, plan->terminal, TIOCSPGRP, &group));
}

NOT_INSTRUMENTED static int install(int from, int to)
{
    if (from != to)
        return bare(syscall(SYS_dup3, from, to, 0));
    return bare(syscall(SYS_fcntl, to, F_SETFD, 0));
}

/* Whether another entry has the source of entry `i` as its target. */
NOT_INSTRUMENTED static bool overwritten(const ring3_spawn_plan_t *plan, size_t i)
{
    for (size_t j = 0; j < plan->fd_count; j++)
        if (j != i && plan->fds[j].to == plan->fds[i].from)
            return true;
    return false;
}

/* First copies every source that some target would overwrite to a number above all targets, then
 * installs: the entries take effect as if at once. */
NOT_INSTRUMENTED static int arrange_fds(const struct order *order)
{
    const ring3_spawn_plan_t *const plan = order->plan;
    int sources[RING3_SPAWN_FDS_MAX], err = 0;

    for (size_t i = 0; i < plan->fd_count; i++) {
        sources[i] = plan->fds[i].from;
        if (!overwritten(plan, i))
            continue;
        sources[i] = bare(syscall(SYS_fcntl, sources[i], F_DUPFD_CLOEXEC, order->above));
        if (sources[i] < 0)
            return sources[i];
    }
    if (plan->flags & RING3_SPAWN_ONLY_FDS)
        err = bare(syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC));
    for (size_t i = 0; i < plan->fd_count && err >= 0; i++) {
        if (sources[i] >= 0)
            err = install(sources[i], plan->fds[i].to);
        else
            syscall(SYS_close, plan->fds[i].to); /* it may not be open */
    }
    return err;
}

NOT_INSTRUMENTED static int set_limits(const ring3_spawn_plan_t *plan)
{
    int err = 0;

    for (size_t i = 0; i < plan->limit_count && err >= 0; i++)
        err =
            bare(syscall(SYS_prlimit64, 0, plan->limits[i].resource, &plan->limits[i].limit, NULL));
    return err;
}

/* A file system that answers late may be interrupted by note_stop. */
NOT_INSTRUMENTED static int execute(const char *path, const struct order *order)
{
    int err;

    do
        err = bare(syscall(SYS_execve, path, order->plan->argv, order->environment));
    while (err == -EINTR);
    return err;
}

/* As the shells do: the first directory that has the program wins; one that may not be executed is
 * reported only if no other is found. */
NOT_INSTRUMENTED static int search(const struct order *order)
{
    const char *const name = order->plan->path;
    const char *at = order->search;
    int result = -ENOENT;

    for (;;) {
        char path[PATH_MAX];
        size_t length = 0, tail = 0;

        while (*at && *at != ':' && length < sizeof path - 2)
            path[length++] = *at++;
        while (*at && *at != ':') /* longer than any path: no such directory */
            at++;
        if (length > 0)
            path[length++] = '/'; /* an empty entry means the working directory */
        while (name[tail] && length < sizeof path - 1)
            path[length++] = name[tail++];
        path[length] = '\0';

        const int err = name[tail] ? -ENAMETOOLONG : execute(path, order);

        if (err == -EACCES)
            result = err;
        else if (err != -ENOENT && err != -ENOTDIR && err != -ENAMETOOLONG && err != -ELOOP &&
                 err != -ENODEV && err != -ESTALE && err != -ETIMEDOUT)
            return err;
        if (*at++ == '\0')
            return result;
    }
}

NOT_INSTRUMENTED static int become(struct order *order)
{
    const ring3_spawn_plan_t *const plan = order->plan;
    int err;

    if (order->cleared)
        reset_ignored(plan->defaults);
    else
        reset_handlers(plan->defaults);
    err = take_place(plan);
    if (err >= 0)
        err = arrange_fds(order);
    if (err >= 0 && plan->directory)
        err = bare(syscall(SYS_chdir, plan->directory));
    if (err >= 0)
        err = set_limits(plan);
    if (err < 0)
        return err;
    postpone_stops(order);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &order->mask, NULL, SIGSET_BYTES);
    return order->search ? search(order) : execute(plan->path, order);
}

NOT_INSTRUMENTED static int child(void *argument)
{
    struct order *const order = argument;

    order->error = become(order);
    syscall(SYS_exit_group, 127);
    return 127;
}

static void reap(pid_t pid)
{
    (void)ring3_retry(waitpid(pid, NULL, 0));
}

/* The pid, or a negative errno. */
static pid_t start_cleared(struct order *order, char *stack, uint64_t flags, int *pidfd)
{
    struct clone_args args = {
        .flags = flags | CLONE_CLEAR_SIGHAND,
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = STACK_SIZE,
    };

    order->cleared = true;
    const long pid = ring3_clone3(&args, child, order);

    /* EINVAL: does not know the flag; EPERM: a supervisor's no. */
    if (pid == -ENOSYS || pid == -EINVAL || pid == -EPERM)
        ring3_feature_set_absent(&clearing);
    return (pid_t)pid;
}

static int start(struct order *order, char *stack, ring3_process_t *process)
{
    const bool with_pidfd =
        !(order->plan->flags & RING3_SPAWN_NO_PIDFD) && ring3_feature_usable(&pidfds);
    const int flags = CLONE_VM | CLONE_VFORK | (with_pidfd ? CLONE_PIDFD : 0);
    int pidfd = -1;
    pid_t pid = -ENOSYS;

    if (ring3_feature_usable(&clearing))
        pid = start_cleared(order, stack, (uint64_t)flags, &pidfd);
    if (pid < 0 && !ring3_feature_usable(&clearing)) {
        order->cleared = false;
        pid = ring3_call(clone(child, stack + STACK_SIZE, flags | SIGCHLD, order, &pidfd));
    }
    if (pid < 0)
        return pid;
    /* The thread went on when the child had executed the program or exited. */
    if (order->error) {
        reap(pid);
        if (pidfd >= 0)
            ring3_fd_close(pidfd);
        return order->error;
    }
    *process = (ring3_process_t){pid, pidfd};
    if (order->stop)
        (void)ring3_process_signal(process, order->stop);
    return 0;
}

static bool well_formed(const ring3_spawn_plan_t *plan)
{
    if (!plan->path || !plan->argv || plan->fd_count > RING3_SPAWN_FDS_MAX)
        return false;
    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i].from < -1 || plan->fds[i].to < 0 || plan->fds[i].to == INT_MAX)
            return false;
    return true;
}

static const char *search_path(const ring3_spawn_plan_t *plan)
{
    if (!(plan->flags & RING3_SPAWN_SEARCH))
        return NULL;
    for (const char *c = plan->path; *c; c++)
        if (*c == '/')
            return NULL;
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, "PATH=", 5) == 0)
            return *entry + 5;
    return "/usr/local/bin:/usr/bin:/bin";
}

static void *take_stack(void)
{
    /* Pairs with the release in give_stack: what its last user wrote comes before what we write. */
    void *stack = ring3_exchange(&spare_stack, NULL, RING3_ACQUIRE);

    if (stack)
        return stack;
    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                 -1, 0);
    return stack == MAP_FAILED ? NULL : stack;
}

static void give_stack(void *stack)
{
    /* Pairs with the acquire in take_stack. */
    stack = ring3_exchange(&spare_stack, stack, RING3_ACQ_REL);
    if (stack)
        munmap(stack, STACK_SIZE);
}

static int spawn_direct(const ring3_spawn_plan_t *plan, ring3_process_t *process)
{
    struct order order = {
        .plan = plan,
        .search = search_path(plan),
        .environment = plan->environment ? plan->environment : environ,
        .above = ring3_spawn_above(plan),
    };
    const uint64_t all = ~UINT64_C(0);
    uint64_t before;
    char *const stack = take_stack();

    if (!stack)
        return -ENOMEM;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGSET_BYTES);
    order.mask = before;
    if (plan->mask)
        memcpy(&order.mask, plan->mask, SIGSET_BYTES);
    const int err = start(&order, stack, process);

    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGSET_BYTES);
    give_stack(stack);
    return err;
}

int ring3_spawn(const ring3_spawn_plan_t *plan, ring3_process_t *process)
{
    const int caller_errno = errno; /* the child writes to it, and so may posix_spawn */
    int err = -ENOSYS;

    if (!well_formed(plan))
        return -EINVAL;
    if (!*plan->path)
        return -ENOENT;
    if (ring3_feature_usable(&direct))
        err = spawn_direct(plan, process);
    if (err == -ENOSYS)
        err = ring3_spawn_posix(plan, process);
    errno = caller_errno;
    return err;
}
