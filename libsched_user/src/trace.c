/* SPDX-License-Identifier: MIT */
/* What ran where and when: a ring of slices for each worker, which alone writes it. */
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct trace {
    size_t size;
    uint64_t written; /* slices so far */
    ring3_trace_slice_t slices[];
};

/* One more than asked for: the one being written. */
struct trace *trace_new(size_t slices)
{
    struct trace *trace = NULL;

    if (slices < SIZE_MAX / sizeof *trace->slices - 2)
        trace = calloc(1, sizeof *trace + (slices + 1) * sizeof *trace->slices);
    if (trace)
        trace->size = slices + 1;
    return trace;
}

void trace_free(struct trace *trace)
{
    free(trace);
}

void trace_add(struct trace *trace, const struct thread *thread, int64_t from, int64_t to)
{
    ring3_trace_slice_t *const slice = &trace->slices[trace->written % trace->size];

    if (from == to)
        return;
    ring3_store(&slice->thread, thread_name(thread), RING3_RELAXED);
    ring3_store(&slice->name, thread->name, RING3_RELAXED);
    ring3_store(&slice->from, from, RING3_RELAXED);
    ring3_store(&slice->to, to, RING3_RELAXED);
    /* Pairs with the acquires in ring3_trace_read. */
    ring3_store(&trace->written, trace->written + 1, RING3_RELEASE);
}

ptrdiff_t ring3_trace_read(unsigned worker, ring3_trace_slice_t *slices, size_t count)
{
    const struct trace *trace;
    uint64_t end, first, safe;
    size_t lost;

    if (worker >= ring3_runtime_workers() || !(trace = runtime.worker[worker]->trace))
        return -EINVAL;
    end = ring3_load(&trace->written, RING3_ACQUIRE);
    first = end > trace->size ? end - trace->size : 0;
    if (end - first > count)
        first = end - count;
    for (uint64_t i = first; i < end; i++) {
        const ring3_trace_slice_t *const slice = &trace->slices[i % trace->size];

        slices[i - first] = (ring3_trace_slice_t){
            ring3_load(&slice->thread, RING3_RELAXED), ring3_load(&slice->name, RING3_RELAXED),
            ring3_load(&slice->from, RING3_RELAXED), ring3_load(&slice->to, RING3_RELAXED)};
    }
    /* The slice that is being written goes over the one a whole ring before it. The loads above stay
     * above the next. */
    ring3_fence_acquire();
    safe = ring3_load(&trace->written, RING3_RELAXED) + 1;
    safe = safe > trace->size ? safe - trace->size : 0;
    lost = safe > first ? (size_t)(safe - first) : 0;
    lost = lost < end - first ? lost : (size_t)(end - first);
    for (uint64_t i = first + lost; lost > 0 && i < end; i++)
        slices[i - first - lost] = slices[i - first];
    return (ptrdiff_t)(end - first - lost);
}

/* --- Chrome's format -------------------------------------------------------------------------- */

static void write_name(FILE *out, const char *name)
{
    for (; *name; name++)
        if (*name == '"' || *name == '\\')
            fprintf(out, "\\%c", *name);
        else if ((unsigned char)*name < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*name);
        else
            fputc(*name, out);
}

static int write_worker(FILE *out, unsigned worker, ring3_trace_slice_t *slices, size_t count,
                        bool *first)
{
    const ptrdiff_t got = ring3_trace_read(worker, slices, count);

    for (ptrdiff_t i = 0; i < got; i++) {
        fprintf(out, "%s{\"ph\":\"X\",\"pid\":0,\"tid\":%u,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"",
                *first ? "" : ",\n", worker, (double)slices[i].from / 1e3,
                (double)(slices[i].to - slices[i].from) / 1e3);
        write_name(out, slices[i].name);
        fprintf(out, "\",\"args\":{\"thread\":%llu}}", (unsigned long long)slices[i].thread);
        *first = false;
    }
    return got < 0 ? (int)got : 0;
}

int ring3_trace_write(int fd)
{
    const size_t count = runtime.options.trace;
    ring3_trace_slice_t *slices;
    int copy, err = 0;
    bool first = true;
    FILE *out;

    if (ring3_runtime_workers() == 0 || count == 0)
        return -EINVAL;
    slices = calloc(count, sizeof *slices);
    copy = dup(fd);
    out = slices && copy >= 0 ? fdopen(copy, "w") : NULL;
    if (!out) {
        err = slices ? -errno : -ENOMEM;
        free(slices);
        if (copy >= 0)
            (void)close(copy);
        return err;
    }
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    for (unsigned i = 0; i < runtime.workers && !err; i++)
        err = write_worker(out, i, slices, count, &first);
    fputs("\n]}\n", out);
    if (fclose(out) != 0 && !err)
        err = -EIO;
    free(slices);
    return err;
}
