/* SPDX-License-Identifier: MIT */
/*
 * What all user threads do, with their stacks, on a signal.
 *
 * The handler only wakes a kernel thread, the dumper. It halts the workers: the same signal, sent to
 * the kernel thread of each, makes that one wait in the handler, unless it is inside the scheduler or
 * holds a lock of ours; then it is asked again. A halted worker runs no thread, so that the stacks of
 * those that are parked stay as they are and can be walked from the registers that the switch left.
 * One that runs has walked its own stack in the handler. When all are noted the workers go on, and
 * only then is anything named and written.
 *
 * When all workers have slept for a while without anything in sight that will wake them, the dumper
 * looks too, and tells if threads wait for each other in a circle.
 *
 * A worker that does not halt, because it serves nobody for the time of a blocking call or its threads
 * block the signal, is left out after a while: its threads are listed without stacks.
 */
#include "dump.h"

#include "arch/machine.h"
#include "context_frame.h"
#include "runtime.h"
#include "symbols.h"
#include "waitfor.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* Of each thread so many calls are shown, and of the process so many threads. */
#define CALLS_MOST   24
#define THREADS_MOST 4096U

/* Workers are asked to halt so often, and given so long each time, ns. */
#define ASKS_MOST 100
#define ASK_PAUSE 10000000

/* Workers that sleep so long may be in a deadlock, ns. */
#define DEADLOCK_PAUSE RING3_SECOND_NS

/* Bound threads' workers included. */
#define WORKERS_MOST 1024U

/* Places are named so many at a time. */
#define NAMES 256

struct record {
    const struct thread *thread;
    const struct thread *waits_for; /* the one it joins, or that has the mutex it wants */
    uint32_t state;
    int calls;
    uint64_t call[CALLS_MOST];
};

/* Of the process, as the runtime is. */
static struct {
    uint32_t runs;
    int signal;
    struct sigaction before;
    pthread_t thread;
    uint32_t bell;    /* counts calls of the dumper, which sleeps on it */
    uint32_t wanted;  /* dumps asked for */
    uint32_t idle;    /* 1: a worker is, or was */
    uint32_t looked;  /* switches of all workers when it was last looked for a deadlock */
    uint32_t stop;    /* 1: the dumper shall end */
    uint32_t halting; /* 0: workers go on; else a number of its own for each dump */
    uint32_t halts;   /* the last such number */
    uint32_t arrived; /* counts workers that have halted; the dumper sleeps on it */
    struct record *records;
    uint32_t count, untold; /* threads in the records, and those for which there was no room */
    struct worker *workers[WORKERS_MOST];
    unsigned worker_count;
} dump;

/* --- Walking ---------------------------------------------------------------------------------- */

struct walk {
    struct record *record;
    uint64_t from; /* note only calls from this place on; 0: from the second on */
    bool begun;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *frame, void *walk_)
{
    struct walk *const walk = walk_;
    struct record *const record = walk->record;
    const uint64_t place = (uint64_t)_Unwind_GetIP(frame);

    if (walk->begun || (walk->from && place == walk->from)) {
        if (place == 0 || record->calls == CALLS_MOST)
            return _URC_END_OF_STACK;
        record->call[record->calls++] = place;
    }
    walk->begun |= !walk->from || place == walk->from;
    return _URC_NO_REASON;
}

static bool halted(const struct worker *worker)
{
    /* Pairs with the release in halt. */
    return worker && ring3_load(&worker->halted, RING3_ACQUIRE) == dump.halts;
}

/* Does it wait, or is it ready, with its registers on its stack? Only of a halted worker. */
static bool is_parked(const struct thread *thread)
{
    if (!thread->started || thread->carrier || !ring3_context_frame(&thread->context))
        return false;
    /* One in a blocking call is blocked too, but goes on with its own registers. */
    return thread->state == RING3_THREAD_READY ||
           (thread->state == RING3_THREAD_BLOCKED &&
            (ring3_load(&thread->wake, RING3_RELAXED) & PARKED));
}

static void walk_parked(struct record *record)
{
#ifndef MACHINE_NONE
    struct walk walk = {.record = record};

    (void)machine_walk(ring3_context_frame(&record->thread->context), step, &walk);
#else
    (void)record, (void)step;
#endif
}

/* --- Halting: in the handler ------------------------------------------------------------------ */

static uint64_t interrupted_at(const ucontext_t *machine)
{
#if defined(__x86_64__)
    return (uint64_t)machine->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return machine->uc_mcontext.pc;
#else
    (void)machine;
    return 1; /* unknown: nothing is noted */
#endif
}

static void walk_own(const struct thread *self, const ucontext_t *machine)
{
    for (uint32_t i = 0; i < dump.count; i++)
        if (dump.records[i].thread == self) {
            struct walk walk = {.record = &dump.records[i], .from = interrupted_at(machine)};

            (void)_Unwind_Backtrace(step, &walk);
            return;
        }
}

static void halt(struct worker *worker, uint32_t halting, const ucontext_t *machine)
{
    worker_hold(worker);
    if (worker->current)
        walk_own(worker->current, machine);
    /* Pairs with the acquire in halted. */
    ring3_store(&worker->halted, halting, RING3_RELEASE);
    (void)ring3_fetch_add(&dump.arrived, 1, RING3_RELAXED);
    (void)ring3_futex_wake(&dump.arrived, 1, RING3_PRIVATE);
    /* Pairs with the release in go_on. */
    while (ring3_load(&dump.halting, RING3_ACQUIRE) == halting)
        (void)ring3_futex_wait(&dump.halting, halting, RING3_PRIVATE, CLOCK_MONOTONIC, NULL);
    worker_let_go(worker);
}

static void ring(void)
{
    /* Pairs with the acquire in dumper. */
    (void)ring3_fetch_add(&dump.bell, 1, RING3_RELEASE);
    (void)ring3_futex_wake(&dump.bell, 1, RING3_PRIVATE);
}

static void on_signal(int signal, siginfo_t *info, void *machine)
{
    /* Pairs with the release in halt_all. */
    const uint32_t halting = ring3_load(&dump.halting, RING3_ACQUIRE);
    struct worker *const worker = worker_here();
    const int saved = errno;

    (void)signal;
    if (!halting || info->si_code != SI_TKILL || info->si_pid != getpid()) {
        (void)ring3_fetch_add(&dump.wanted, 1, RING3_RELAXED);
        ring();
    } else if (worker && !worker->busy && !ring3_read_once(&ring3_self()->no_preempt)) {
        halt(worker, halting, machine);
    }
    errno_put(saved);
}

/* --- Halting: the dumper's side --------------------------------------------------------------- */

static bool halt_all(void)
{
    bool all = false;

    dump.halts += dump.halts == UINT32_MAX ? 2 : 1;
    /* Pairs with the acquire in on_signal: it sees the records. */
    ring3_store(&dump.halting, dump.halts, RING3_RELEASE);
    for (int i = 0; i < ASKS_MOST && !all; i++) {
        const uint32_t seen = ring3_load(&dump.arrived, RING3_RELAXED);
        const struct timespec limit = ring3_deadline_in(CLOCK_MONOTONIC, ASK_PAUSE);

        all = true;
        for (unsigned w = 0; w < dump.worker_count; w++)
            if (!halted(dump.workers[w])) {
                all = false;
                (void)syscall(SYS_tgkill, getpid(),
                              ring3_load(&dump.workers[w]->kernel_id, RING3_RELAXED), dump.signal);
            }
        if (!all)
            (void)ring3_futex_wait(&dump.arrived, seen, RING3_PRIVATE, CLOCK_MONOTONIC, &limit);
    }
    return all;
}

static void go_on(void)
{
    /* Pairs with the acquire in halt. */
    ring3_store(&dump.halting, 0, RING3_RELEASE);
    (void)ring3_futex_wake(&dump.halting, INT32_MAX, RING3_PRIVATE);
}

/* --- Taking notes ----------------------------------------------------------------------------- */

static void note_worker(struct worker *worker)
{
    for (unsigned i = 0; i < dump.worker_count; i++)
        if (dump.workers[i] == worker)
            return;
    if (dump.worker_count < WORKERS_MOST)
        dump.workers[dump.worker_count++] = worker;
}

static void note_threads(void)
{
    const struct thread *thread;

    dump.count = dump.untold = 0;
    dump.worker_count = 0;
    for (unsigned i = 0; i < runtime.workers; i++)
        note_worker(runtime.worker[i]);
    for (uint32_t i = 0; (thread = table_at(i)) != NULL; i++) {
        struct worker *const worker = ring3_load(&thread->worker, RING3_RELAXED);

        if (ring3_load(&thread->state, RING3_RELAXED) > RING3_THREAD_ENDED)
            continue;
        if (worker && worker->bound && !ring3_load(&worker->done, RING3_RELAXED))
            note_worker(worker);
        if (dump.count == THREADS_MOST)
            dump.untold++;
        else
            dump.records[dump.count++] = (struct record){.thread = thread};
    }
}

static struct record *record_of(const struct thread *thread)
{
    for (uint32_t i = 0; i < dump.count; i++)
        if (dump.records[i].thread == thread)
            return &dump.records[i];
    return NULL;
}

/* All workers have halted: nothing of this changes. */
static void note_waits(void)
{
    for (uint32_t i = 0; i < dump.count; i++) {
        struct record *const record = &dump.records[i];
        const struct thread *const thread = record->thread;
        const struct thread *const joiner = ring3_load(&thread->joiner, RING3_RELAXED);
        struct record *const waits =
            (uintptr_t)joiner > (uintptr_t)JOINER_KERNEL ? record_of(joiner) : NULL;

        if (waits && record->state != RING3_THREAD_ENDED)
            waits->waits_for = thread;
        if (thread->waits_for)
            record->waits_for = thread_mutex_owner(thread->waits_for);
    }
}

static void take_notes(bool all)
{
    for (uint32_t i = 0; i < dump.count; i++) {
        struct record *const record = &dump.records[i];

        record->state = ring3_load(&record->thread->state, RING3_RELAXED);
        if (halted(ring3_load(&record->thread->worker, RING3_RELAXED)) && is_parked(record->thread))
            walk_parked(record);
    }
    if (all)
        note_waits();
}

/* --- Writing ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *format, ...)
{
    char line[320];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    length = length < (int)sizeof line ? length : (int)sizeof line - 1;
    (void)!write(fd, line, (size_t)length);
}

/* The names of the places that the threads from `first` on have called from, as many as there is room
 * for. Only the dumper is here. Returns the first thread that was left out. */
static struct ring3_symbol names[NAMES];
static size_t names_used;

static struct ring3_symbol *name_of(uint64_t place)
{
    for (size_t i = 0; i < names_used; i++)
        if (names[i].address == place)
            return &names[i];
    return NULL;
}

static uint32_t name_calls(uint32_t first)
{
    uint32_t next = first;

    for (names_used = 0; next < dump.count && names_used + CALLS_MOST <= NAMES; next++)
        for (int i = 0; i < dump.records[next].calls; i++)
            if (!name_of(dump.records[next].call[i]))
                names[names_used++] = (struct ring3_symbol){.address = dump.records[next].call[i]};
    ring3_symbols_find(getpid(), names, names_used);
    return next;
}

static void say_thread(int fd, const struct record *record)
{
    const struct thread *const thread = record->thread;

    thread_describe(fd, thread, record->state);
    if (record->waits_for)
        say(fd, "    waits for thread %llu (%s)\n",
            (unsigned long long)thread_name(record->waits_for), record->waits_for->name);
    for (int i = 0; i < record->calls; i++)
        say(fd, "    #%d %s\n", i, name_of(record->call[i])->text);
    if (record->calls == 0 && record->state != RING3_THREAD_NEW &&
        record->state != RING3_THREAD_ENDED)
        say(fd, "    its stack is in use, or the kernel has it\n");
}

static const void *waited_for(const void *thread)
{
    const struct record *const record = record_of(thread);

    return record ? record->waits_for : NULL;
}

/* One of a cycle, or NULL. */
static const struct thread *find_cycle(void)
{
    const struct thread *found = NULL;

    for (uint32_t i = 0; i < dump.count && !found; i++)
        found = waitfor_cycle(dump.records[i].thread, waited_for);
    return found;
}

static void say_cycle(int fd, const struct thread *start)
{
    say(fd, "ring3 sched: deadlock: %s", start->name);
    for (const struct thread *thread = waited_for(start); thread != start;
         thread = waited_for(thread))
        say(fd, " waits for %s", thread->name);
    say(fd, " waits for %s\n", start->name);
}

static bool all_blocked(void)
{
    for (uint32_t i = 0; i < dump.count; i++)
        if (dump.records[i].state < RING3_THREAD_BLOCKED || dump.records[i].thread->timer_at)
            return false;
    return dump.count > 0;
}

static void write_dump(int fd, bool all, const struct thread *cycle)
{
    say(fd, "ring3 sched: %u threads of process %d, on %u workers under %s\n",
        dump.count + dump.untold, (int)getpid(), runtime.workers, runtime.policy->name);
    for (uint32_t i = 0, next; i < dump.count; i = next) {
        next = name_calls(i);
        for (uint32_t thread = i; thread < next; thread++)
            say_thread(fd, &dump.records[thread]);
    }
    if (dump.untold)
        say(fd, "and %u more\n", dump.untold);
    if (!all)
        say(fd, "ring3 sched: not all workers could be halted\n");
    else if (all_blocked())
        say(fd, "ring3 sched: all threads are blocked\n");
    if (cycle)
        say_cycle(fd, cycle);
}

/* --- The dumper ------------------------------------------------------------------------------- */

static void make_dump(bool only_deadlocks)
{
    const struct thread *cycle;
    bool all;

    note_threads();
    all = halt_all();
    take_notes(all);
    go_on();
    cycle = all ? find_cycle() : NULL;
    if (cycle || !only_deadlocks)
        write_dump(STDERR_FILENO, all, cycle);
}

/* All workers have slept for a while: if that is news, is it a deadlock? False if not all sleep. */
static bool look_for_deadlock(void)
{
    uint32_t turns = 0;

    for (unsigned i = 0; i < runtime.workers; i++) {
        if (!ring3_load(&runtime.worker[i]->sleeping, RING3_RELAXED))
            return false;
        turns += ring3_load(&runtime.worker[i]->turns, RING3_RELAXED);
    }
    if (turns != dump.looked) {
        dump.looked = turns;
        make_dump(true);
    }
    return true;
}

void dump_idle(void)
{
    if (ring3_load(&dump.runs, RING3_RELAXED) && !ring3_load(&dump.idle, RING3_RELAXED) &&
        !ring3_exchange(&dump.idle, 1, RING3_RELAXED))
        ring();
}

static void *dumper(void *unused)
{
    uint32_t done = 0;

    /* Pairs with the release in dump_stop. */
    while (!ring3_load(&dump.stop, RING3_ACQUIRE)) {
        /* Pairs with the release in ring. */
        const uint32_t bell = ring3_load(&dump.bell, RING3_ACQUIRE);
        const uint32_t wanted = ring3_load(&dump.wanted, RING3_RELAXED);
        const bool idle = ring3_load(&dump.idle, RING3_RELAXED);
        const struct timespec later = ring3_deadline_in(CLOCK_MONOTONIC, DEADLOCK_PAUSE);

        if (wanted != done) {
            done = wanted;
            make_dump(false);
        } else if (ring3_futex_wait(&dump.bell, bell, RING3_PRIVATE, CLOCK_MONOTONIC,
                                    idle ? &later : NULL) == -ETIMEDOUT) {
            ring3_store(&dump.idle, 0, RING3_RELAXED);
            if (!look_for_deadlock())
                ring3_store(&dump.idle, 1, RING3_RELAXED);
        }
    }
    return unused;
}

int dump_start(int signal)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = on_signal};
    const size_t size = THREADS_MOST * sizeof *dump.records;
    sigset_t all, old;
    int err;

    dump.records = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (dump.records == MAP_FAILED)
        return -EAGAIN;
    dump.signal = signal;
    dump.wanted = dump.stop = dump.idle = dump.looked = 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    err = pthread_create(&dump.thread, NULL, dumper, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        (void)munmap(dump.records, size);
        return -EAGAIN;
    }
    (void)sigfillset(&action.sa_mask);
    (void)sigaction(signal, &action, &dump.before);
    ring3_store(&dump.runs, 1, RING3_RELAXED);
    return 0;
}

void dump_stop(void)
{
    if (!dump.runs)
        return;
    (void)sigaction(dump.signal, &dump.before, NULL);
    /* Pairs with the acquire in dumper. */
    ring3_store(&dump.stop, 1, RING3_RELEASE);
    ring();
    (void)pthread_join(dump.thread, NULL);
    (void)munmap(dump.records, THREADS_MOST * sizeof *dump.records);
    ring3_store(&dump.runs, 0, RING3_RELAXED);
}

/* The child has no dumper: the signal does what it did before. */
void dump_forked(void)
{
    if (dump.runs)
        (void)sigaction(dump.signal, &dump.before, NULL);
    dump.runs = 0;
    dump.halting = 0;
}
