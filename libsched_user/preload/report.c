/* SPDX-License-Identifier: MIT */
/* What the gate shows: who ran when, in the charts of the simulator and for Perfetto; and who waits
 * for whom when all are blocked. */
#include "gate.h"

#include "waitfor.h"

#include "ring3/sim.h"

#include <stdarg.h>

/* --- The trace -------------------------------------------------------------------------------- */

/* Slices to begin with. */
#define SLICES_FIRST ((size_t)4096)
/* 32 bytes each: no more than 128 MiB of them. */
#define SLICES_MOST ((size_t)4 << 20)

static bool make_room(void)
{
    const size_t room = gate.slice_room ? 2 * gate.slice_room : SLICES_FIRST;
    void *slices;

    if (room > SLICES_MOST)
        return false;
    slices = gate.slices ? mremap(gate.slices, gate.slice_room * sizeof *gate.slices,
                                  room * sizeof *gate.slices, MREMAP_MAYMOVE)
                         : mmap(NULL, room * sizeof *gate.slices, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slices == MAP_FAILED)
        return false;
    gate.slices = slices;
    gate.slice_room = room;
    return true;
}

void gate_trace(const struct gated *thread, int64_t to)
{
    if (to <= thread->slice || gate.traced || !(gate.trace[0] || gate.svg[0] || gate.gantt[0]))
        return;
    /* Slices of other places may lie between this and the one it goes on from. */
    for (size_t i = gate.slice_count, looked = 0; i-- > 0 && looked < gate.places; looked++) {
        struct gate_slice *const slice = &gate.slices[i];

        if (slice->place != (uint32_t)thread->place)
            continue;
        if (slice->thread != thread->number || slice->to + gate.start != thread->slice)
            break;
        slice->to = to - gate.start;
        return;
    }
    if (gate.slice_count == gate.slice_room && !make_room())
        return;
    gate.slices[gate.slice_count++] = (struct gate_slice){
        thread->number, (uint32_t)thread->place, thread->slice - gate.start, to - gate.start};
}

/* --- Charts ----------------------------------------------------------------------------------- */

/* %p in a file's name stands for the process. */
static FILE *open_chart(const char *pattern)
{
    const char *const process = strstr(pattern, "%p");
    char path[PATH_MAX + 16];
    FILE *out;

    if (process)
        (void)snprintf(path, sizeof path, "%.*s%d%s", (int)(process - pattern), pattern,
                       (int)getpid(), process + 2);
    else
        (void)snprintf(path, sizeof path, "%s", pattern);
    out = fopen(path, "we");
    if (!out)
        fprintf(stderr, "ring3 gate: %s: %s\n", path, strerror(errno));
    return out;
}

static void write_trace(FILE *out, const ring3_sim_workload_t *work,
                        const ring3_sim_result_t *result)
{
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    for (size_t i = 0; i < result->slice_count; i++) {
        const ring3_sim_slice_t *const slice = &result->slices[i];

        fprintf(out,
                "%s{\"ph\":\"X\",\"pid\":0,\"tid\":%u,\"ts\":%lld.%03d,\"dur\":%lld.%03d,"
                "\"name\":\"%s\",\"args\":{\"thread\":%u}}",
                i ? ",\n" : "", slice->cpu, (long long)(slice->from / 1000),
                (int)(slice->from % 1000), (long long)((slice->to - slice->from) / 1000),
                (int)((slice->to - slice->from) % 1000), work->jobs[slice->job].name, slice->job);
    }
    fputs("\n]}\n", out);
}

/* Names, by the numbers of threads, and slices. */
static void fill_in(struct gated *me, ring3_sim_workload_t *work, ring3_sim_result_t *result)
{
    const struct gated *thread;

    result->slice_count = gate.slice_count;
    for (size_t i = 0; i < result->slice_count; i++)
        result->slices[i] = (ring3_sim_slice_t){gate.slices[i].thread, gate.slices[i].place,
                                                gate.slices[i].from, gate.slices[i].to};
    for (size_t i = 0; i < work->count; i++)
        (void)snprintf(work->jobs[i].name, sizeof work->jobs[i].name, i ? "t%zu" : "main", i);
    gate_lock(me);
    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->number < work->count)
            memcpy(work->jobs[thread->number].name, thread->name, sizeof thread->name);
    gate_unlock(me);
}

static void chart(const char *path, const ring3_sim_workload_t *work,
                  const ring3_sim_result_t *result,
                  void (*write_chart)(FILE *out, const ring3_sim_workload_t *work,
                                      const ring3_sim_result_t *result))
{
    FILE *const out = path[0] ? open_chart(path) : NULL;

    if (!out)
        return;
    write_chart(out, work, result);
    if (fclose(out) != 0)
        fprintf(stderr, "ring3 gate: %s: %s\n", path, strerror(errno));
}

static void write_svg(FILE *out, const ring3_sim_workload_t *work, const ring3_sim_result_t *result)
{
    const char *const title = gate.policy->name;

    ring3_sim_write_svg(out, work, &title, result, 1);
}

void gate_write_traces(void)
{
    struct gated *const me = gated_self;
    ring3_sim_workload_t work = {.count = 0};
    ring3_sim_result_t result = {.cpus = gate.places};
    int64_t now;

    /* A program with one thread has nothing to show, and may only start the one that has. */
    if (!(gate.trace[0] || gate.svg[0] || gate.gantt[0]) || !me || gate.last_number < 2)
        return;
    /* Whoever else runs yet is not traced any more. */
    gate_lock(me);
    now = gate_now();
    for (unsigned i = 0; i < gate.places; i++)
        if (gate.running[i])
            gate_trace(gate.running[i], now);
    gate.traced = true;
    work.count = gate.last_number;
    result.end = now - gate.start;
    gate_unlock(me);
    result.slices = calloc(gate.slice_count + 1, sizeof *result.slices);
    work.jobs = calloc(work.count, sizeof *work.jobs);
    if (work.jobs && result.slices) {
        fill_in(me, &work, &result);
        chart(gate.trace, &work, &result, write_trace);
        chart(gate.svg, &work, &result, write_svg);
        chart(gate.gantt, &work, &result, ring3_sim_print_gantt);
    }
    free(work.jobs);
    free(result.slices);
}

/* --- All blocked ------------------------------------------------------------------------------ */

static const char *const waits[] = {
    [FOR_NOTHING] = "nothing",
    [FOR_MUTEX] = "mutex",
    [FOR_MUTEX_UNOWNED] = "spin lock",
    [FOR_COND] = "condition",
    [FOR_READ] = "rwlock to read,",
    [FOR_WRITE] = "rwlock to write,",
    [FOR_SEMAPHORE] = "semaphore",
    [FOR_BARRIER] = "barrier",
    [FOR_ONCE] = "once",
    [FOR_END] = "the end of",
    [FOR_TIME] = "time",
};

static const struct gated *thread_of_kernel_id(int kernel_id)
{
    const struct gated *thread;

    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->kernel_id == kernel_id && !thread->ended)
            return thread;
    return NULL;
}

/* Whom the thread waits for, where the object says so. */
static const struct gated *holder(const struct gated *thread)
{
    switch (thread->what) {
    case FOR_MUTEX:
        return thread_of_kernel_id(((const pthread_mutex_t *)thread->object)->__data.__owner);
    case FOR_READ:
    case FOR_WRITE:
        return thread_of_kernel_id(((const pthread_rwlock_t *)thread->object)->__data.__cur_writer);
    case FOR_END:
        return thread->object;
    default:
        return NULL;
    }
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[200];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    length = length < (int)sizeof line ? length : (int)sizeof line - 1;
    (void)!real()->write(STDERR_FILENO, line, (size_t)length);
}

static const void *next_holder(const void *thread)
{
    return holder(thread);
}

static void say_cycle(const struct gated *start)
{
    const struct gated *const first = waitfor_cycle(start, next_holder);

    if (!first)
        return;
    say("ring3 gate: deadlock: %s", first->name);
    for (const struct gated *thread = holder(first); thread != first; thread = holder(thread))
        say(" waits for %s", thread->name);
    say(" waits for %s\n", first->name);
}

void gate_report_blocked(void)
{
    const struct gated *thread, *first = NULL;

    say("ring3 gate: all threads are blocked\n");
    ring3_list_for_each_entry (thread, &gate.threads, all) {
        const struct gated *const other = holder(thread);

        if (thread->state != GATED_WAITING)
            continue;
        if (thread->what == FOR_END)
            say("ring3 gate: %s waits for the end of %s\n", thread->name, other->name);
        else if (other)
            say("ring3 gate: %s waits for %s %p, which %s holds\n", thread->name,
                waits[thread->what], thread->object, other->name);
        else
            say("ring3 gate: %s waits for %s %p\n", thread->name, waits[thread->what],
                thread->object);
        first = first ? first : thread;
    }
    ring3_list_for_each_entry (thread, &gate.threads, all)
        if (thread->state == GATED_WAITING && holder(thread) && thread->what == FOR_MUTEX) {
            say_cycle(thread);
            return;
        }
    if (first)
        say_cycle(first);
}
