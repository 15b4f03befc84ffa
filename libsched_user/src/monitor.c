/* SPDX-License-Identifier: MIT */
/*
 * Preemption. One kernel thread looks at all workers now and then; one that has run the same user
 * thread for a whole interval while others wait there (or whose timers are due) gets a signal. The
 * handler asks the policy whether the thread's turn is over and, if so, switches right out of the
 * handler; the signal frame stays on the thread's own stack until it runs again.
 *
 * It does so only if nothing it interrupted minds: outside the scheduler, with a no-preempt depth of
 * 0, in the program's own code, and with no address of the kernel thread's own variables (errno is one)
 * in the registers or on the stack; for the thread may go on in another kernel thread. In libc or
 * another library, whose locks belong to the kernel thread, and with such addresses, that one stays as
 * it is and the worker goes to a spare (carrier.c). Inside the scheduler and in no-preempt sections the
 * next look tries again.
 *
 * The signal is not blocked in its handler (SA_NODEFER), so that switching away needs no system
 * call. It may therefore come a second time while the handler begins or ends, above a frame that is
 * in some library: the handler has a section of its own, which does not count as the program, and is
 * busy in between.
 *
 * In a static program libc is part of the text, and with clang's ASan its allocator is: there nothing
 * counts as the program.
 *
 * The monitor also takes the worker from a thread that is blocked in the kernel
 * (ring3_blocking_enter). While nobody runs and nobody is blocked it sleeps.
 *
 * Source: Shiina et al., "Lightweight preemptive user-level threads", PPoPP 2021.
 */
#include "schedule.h"

#include "watchers.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* TSan does not run handlers where the signal came: nobody is interrupted. */
#if defined(RING3_TSAN)
#define NO_PREEMPTION true
#else
#define NO_PREEMPTION false
#endif

#if defined(WATCH_ASAN) && defined(__clang__)
#define NO_TEXT true
#else
#define NO_TEXT false
#endif

/* SIGURG is ignored by default, and few programs use it. */
#define PREEMPT_SIGNAL SIGURG

/* Looks are this far apart: half a quantum within these bounds, ns. */
#define LOOK_LEAST 500000
#define LOOK_MOST  5000000

/* Executable parts of the program itself. */
#define TEXTS 8

static struct {
    struct kernel_lock lock; /* to start it */
    uint32_t runs;
    bool interrupts;
    pthread_t thread;
    uint32_t stop;
    uint32_t asleep; /* 1: it waits to be woken, on this word */
    int64_t interval;
    struct sigaction before;
    uintptr_t own_size; /* of a kernel thread's own variables, and glibc's record of it, at most */
    uintptr_t text[TEXTS][2];
    int texts;
    /* Of each worker: its switches at the last look. */
    uint32_t turns[RING3_RUNTIME_WORKERS];
} monitor;

/* --- The handler ------------------------------------------------------------------------------ */

static uintptr_t interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0; /* unknown: nowhere to switch */
#endif
}

static uintptr_t stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP] - 128; /* the red zone */
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.sp;
#else
    return (uintptr_t)context;
#endif
}

/* Stacks that are deeper than this are not searched, bytes. */
#define SEARCH_MOST ((uintptr_t)32 << 10)

/* Does a word between the two, written or not, lie in the thread-local variables of this kernel thread?
 * tests/valgrind.supp names this function. */
__attribute__((noinline, no_sanitize("address"))) static bool find_own(uintptr_t from, uintptr_t to)
{
    /* glibc keeps them around its record of the thread. */
    const uintptr_t self = (uintptr_t)pthread_self(), least = self - monitor.own_size,
                    span = 2 * monitor.own_size;
    const uintptr_t *const end = (const uintptr_t *)to;

    for (const uintptr_t *word = (const uintptr_t *)from; word < end; word++)
        if (*word - least < span)
            return true;
    return false;
}

static bool keeps_own(const struct thread *thread, const ucontext_t *context)
{
    const uintptr_t sp = stack_pointer(context) & ~(sizeof(uintptr_t) - 1);
    const uintptr_t top =
        thread->stack ? (uintptr_t)thread->stack->base + thread->stack->size : sp + SEARCH_MOST + 1;

    return top - sp > SEARCH_MOST ||
           find_own((uintptr_t)&context->uc_mcontext, (uintptr_t)(&context->uc_mcontext + 1)) ||
           find_own(sp, top);
}

/* The thread goes on in another kernel thread than it was interrupted in: the frame must not bring back
 * that one's signal mask and alternate stack. */
static void adopt(ucontext_t *context)
{
    (void)sigaltstack(NULL, &context->uc_stack);
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &context->uc_sigmask, sizeof(uint64_t));
}

static void interrupt(struct worker *worker, ucontext_t *context)
{
    const struct carrier *const carrier = worker->carrier;

    thread_interrupted(worker->current);
    if (worker->carrier != carrier)
        adopt(context);
}

static bool in_program(uintptr_t code)
{
    for (int i = 0; i < monitor.texts; i++)
        if (code >= monitor.text[i][0] && code < monitor.text[i][1])
            return true;
    return false;
}

static void pass_on(int signal, siginfo_t *info, void *context)
{
    if (monitor.before.sa_flags & SA_SIGINFO)
        monitor.before.sa_sigaction(signal, info, context);
    else if (monitor.before.sa_handler != SIG_DFL && monitor.before.sa_handler != SIG_IGN)
        monitor.before.sa_handler(signal);
}

/* Bounds of the section, from the linker. */
extern const char __start_ring3_preempt[], __stop_ring3_preempt[];

static bool in_handler(uintptr_t code)
{
    return code >= (uintptr_t)__start_ring3_preempt && code < (uintptr_t)__stop_ring3_preempt;
}

/* May the worker's thread be stopped here, one way or the other? */
static bool may_stop(const struct worker *worker, uintptr_t code)
{
    const struct thread *const thread = worker->current;

    return worker->busy == 1 && thread && !ring3_read_once(&thread->self.no_preempt) &&
           !thread->self.in_table && !in_handler(code);
}

static void handle(struct worker *worker, int signal, siginfo_t *info, ucontext_t *context)
{
    const uintptr_t code = interrupted_at(context);
    const int saved = errno;

    if (info->si_code != SI_TKILL || info->si_pid != getpid())
        pass_on(signal, info, context);
    else if (!may_stop(worker, code))
        ring3_store(&worker->preempt_asked, 1, RING3_RELAXED);
    else if (in_program(code) && !keeps_own(worker->current, context))
        interrupt(worker, context);
    else
        thread_interrupted_elsewhere(worker->current);
    errno_put(saved);
}

__attribute__((section("ring3_preempt"), noinline, no_sanitize("address", "undefined"))) static void
on_signal(int signal, siginfo_t *info, void *context)
{
    struct worker *const worker = worker_here();

    if (!worker) {
        pass_on(signal, info, context);
        return;
    }
    worker->busy++;
    ring3_compiler_barrier();
    handle(worker, signal, info, context);
    ring3_compiler_barrier();
    worker->busy--;
}

/* --- The monitor ------------------------------------------------------------------------------ */

/* Its thread is in the kernel, and others wait. */
static void take_worker(struct worker *worker, struct thread *blocked)
{
    struct carrier *const spare = spare_take();

    if (!spare) {
        spare_wanted();
        return;
    }
    /* Pairs with the store in ring3_blocking_enter and the compare-and-swap in _leave: who changes the
     * word has the worker. */
    if (!ring3_cas_try(&worker->blocked, &blocked, NULL, RING3_ACQ_REL)) {
        (void)spare_put(spare);
        return;
    }
    worker->busy--; /* of ring3_blocking_enter */
    thread_left_behind(worker, blocked);
    carrier_give(spare, worker);
}

static void look_at(unsigned index, int64_t now)
{
    struct worker *const worker = runtime.worker[index];
    const uint32_t turns = ring3_load(&worker->turns, RING3_RELAXED);
    const int64_t timer = ring3_load(&worker->next_timer, RING3_RELAXED);
    struct thread *const blocked = ring3_load(&worker->blocked, RING3_RELAXED);
    const bool wanted =
        waiting_for(worker) > 0 || ring3_load(&worker->inbox, RING3_RELAXED) || now >= timer;

    if (turns == monitor.turns[index] && wanted && blocked) {
        take_worker(worker, blocked);
    } else if (turns == monitor.turns[index] && wanted && monitor.interrupts &&
               ring3_load(&worker->sleeping, RING3_RELAXED) == 0) {
        spare_wanted();
        (void)syscall(SYS_tgkill, getpid(), ring3_load(&worker->kernel_id, RING3_RELAXED),
                      PREEMPT_SIGNAL);
    }
    monitor.turns[index] = turns;
}

/* Is there anybody to look at? */
static bool something_to_see(void)
{
    for (unsigned i = 0; i < runtime.workers; i++)
        if (ring3_load(&runtime.worker[i]->blocked, RING3_SEQ_CST) ||
            (monitor.interrupts && !ring3_load(&runtime.worker[i]->sleeping, RING3_SEQ_CST)))
            return true;
    return false;
}

void monitor_wake(void)
{
    /* Sequentially consistent with sleep_long: it sees what we have to show, or we see it asleep. */
    if (ring3_likely(!ring3_load(&monitor.asleep, RING3_SEQ_CST)))
        return;
    if (ring3_exchange(&monitor.asleep, 0, RING3_RELAXED))
        (void)ring3_futex_wake(&monitor.asleep, 1, RING3_PRIVATE);
}

static void sleep_long(void)
{
    (void)ring3_exchange(&monitor.asleep, 1, RING3_SEQ_CST);
    while (!something_to_see() && !ring3_load(&monitor.stop, RING3_SEQ_CST) &&
           ring3_load(&monitor.asleep, RING3_RELAXED))
        (void)ring3_futex_wait(&monitor.asleep, 1, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    ring3_store(&monitor.asleep, 0, RING3_RELAXED);
}

static void *watch(void *unused)
{
    while (!ring3_load(&monitor.stop, RING3_ACQUIRE)) {
        const struct timespec next = ring3_deadline_in(CLOCK_MONOTONIC, monitor.interval);

        if (!something_to_see())
            sleep_long();
        (void)ring3_futex_wait(&monitor.stop, 0, RING3_PRIVATE, CLOCK_MONOTONIC, &next);
        for (unsigned i = 0; i < runtime.workers; i++)
            look_at(i, runtime_clock());
        poller_glance();
    }
    return unused;
}

/* Of glibc's record of a thread, and of thread-local variables that come later. */
#define OWN_BASE 8192

static int note_own(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            monitor.own_size += info->dlpi_phdr[i].p_memsz + info->dlpi_phdr[i].p_align;
    return 0;
}

static int note_text(struct dl_phdr_info *info, size_t size, void *unused)
{
    bool dynamic = false;

    (void)size, (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++)
        dynamic |= info->dlpi_phdr[i].p_type == PT_INTERP;
    if (!dynamic || NO_TEXT)
        return 1;
    for (int i = 0; i < info->dlpi_phnum && monitor.texts < TEXTS; i++) {
        const ElfW(Phdr) *const part = &info->dlpi_phdr[i];

        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        monitor.text[monitor.texts][0] = (uintptr_t)info->dlpi_addr + part->p_vaddr;
        monitor.text[monitor.texts][1] = (uintptr_t)info->dlpi_addr + part->p_vaddr + part->p_memsz;
        monitor.texts++;
    }
    return 1; /* the program comes first, and is all we want */
}

static void choose_interval(void)
{
    monitor.interval = runtime.options.tick ? runtime.options.tick : runtime.params.quantum / 2;
    if (runtime.options.tick)
        return;
    if (monitor.interval < LOOK_LEAST)
        monitor.interval = LOOK_LEAST;
    if (monitor.interval > LOOK_MOST)
        monitor.interval = LOOK_MOST;
}

static int take_signal(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};

    monitor.texts = 0;
    monitor.own_size = OWN_BASE;
    (void)dl_iterate_phdr(note_own, NULL);
    (void)dl_iterate_phdr(note_text, NULL);
    (void)sigemptyset(&action.sa_mask);
    action.sa_sigaction = on_signal;
    return sigaction(PREEMPT_SIGNAL, &action, &monitor.before) == 0 ? 0 : -errno;
}

static int start(bool interrupt)
{
    sigset_t all, old;
    int err;

    monitor.interrupts = interrupt && !NO_PREEMPTION;
    ring3_store(&monitor.stop, 0, RING3_RELAXED);
    ring3_store(&monitor.asleep, 0, RING3_RELAXED);
    choose_interval();
    if (monitor.interrupts && (err = take_signal()))
        return err;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    err = pthread_create(&monitor.thread, NULL, watch, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err && monitor.interrupts)
        (void)sigaction(PREEMPT_SIGNAL, &monitor.before, NULL);
    return err ? -EAGAIN : 0;
}

int monitor_start(bool interrupt)
{
    int err = 0;

    /* Pairs with the release below. */
    if (ring3_likely(ring3_load(&monitor.runs, RING3_ACQUIRE)))
        return 0;
    kernel_lock(&monitor.lock);
    if (!monitor.runs) {
        err = start(interrupt);
        if (!err && ring3_load(&runtime.quick, RING3_RELAXED))
            ring3_store(&runtime.quick, false, RING3_RELAXED);
        if (!err)
            ring3_store(&monitor.runs, 1, RING3_RELEASE);
    }
    kernel_unlock(&monitor.lock);
    return err;
}

void monitor_stop(void)
{
    if (!ring3_load(&monitor.runs, RING3_ACQUIRE))
        return;
    /* Sequentially consistent with sleep_long. */
    (void)ring3_exchange(&monitor.stop, 1, RING3_SEQ_CST);
    (void)ring3_futex_wake(&monitor.stop, 1, RING3_PRIVATE);
    monitor_wake();
    (void)pthread_join(monitor.thread, NULL);
    if (monitor.interrupts)
        (void)sigaction(PREEMPT_SIGNAL, &monitor.before, NULL);
    ring3_store(&monitor.runs, 0, RING3_RELAXED);
}

void monitor_forked(void)
{
    if (monitor.runs && monitor.interrupts)
        (void)sigaction(PREEMPT_SIGNAL, &monitor.before, NULL);
    monitor.runs = 0;
    monitor.lock.word = 0;
}
