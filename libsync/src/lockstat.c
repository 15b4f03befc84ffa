/* SPDX-License-Identifier: MIT */
/* Reports of the contention profile: text, JSON, and a page of HTML with charts in SVG. */
#include "lockstat.h"

#include "ring3/arch.h"
#include "ring3/wait.h"

#include "symbols.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_LOCKS 64
#define MOST_SITES 4 /* call sites shown per lock */

double ring3_lockstat_calibrate(void)
{
    const struct timespec pause = {0, 5000000};
    struct timespec before, after;
    uint64_t cycles;

    clock_gettime(CLOCK_MONOTONIC, &before);
    cycles = ring3_cycles();
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    cycles = ring3_cycles() - cycles;
    clock_gettime(CLOCK_MONOTONIC, &after);
    const double ns =
        (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);

    return cycles ? ns / (double)cycles : 1;
}

/* --- Writing --------------------------------------------------------------------------------- */

struct page {
    int fd;
    size_t length;
    char text[8192];
};

static void flush(struct page *page)
{
    size_t done = 0;

    while (done < page->length) {
        const ssize_t wrote = write(page->fd, page->text + done, page->length - done);

        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    page->length = 0;
}

__attribute__((format(printf, 2, 3))) static void put(struct page *page, const char *format, ...)
{
    va_list arguments;

    if (page->length > sizeof page->text / 2)
        flush(page);
    va_start(arguments, format);
    const int length =
        vsnprintf(page->text + page->length, sizeof page->text - page->length, format, arguments);
    va_end(arguments);
    if (length > 0)
        page->length += (size_t)length < sizeof page->text - page->length
                            ? (size_t)length
                            : sizeof page->text - page->length - 1;
}

/* A string for JSON and HTML: what either gives a meaning is left out of names of functions. */
static void put_plain(struct page *page, const char *text)
{
    for (; *text; text++)
        put(page, "%c", strchr("\"\\<>&", *text) || (unsigned char)*text < 0x20 ? '_' : *text);
}

/* --- What is shown --------------------------------------------------------------------------- */

/* A lock, its busiest call sites, and the names of all the places. */
struct entry {
    const struct lockstat_lock *lock;
    const struct lockstat_site *sites[MOST_SITES];
    int site_count;
    struct ring3_symbol *frames, *at; /* LOCKSTAT_FRAMES and MOST_SITES of them */
};

static struct entry entries[MOST_LOCKS];
static struct ring3_symbol symbols[MOST_LOCKS * (LOCKSTAT_FRAMES + MOST_SITES)];

static bool busier(const struct lockstat_lock *a, const struct lockstat_lock *b)
{
    return a->wait != b->wait ? a->wait > b->wait : a->acquired > b->acquired;
}

static int choose_locks(const struct lockstat_view *view)
{
    const size_t most = view->most < MOST_LOCKS ? view->most : MOST_LOCKS;
    size_t count = 0;

    for (size_t i = 1; i < view->lock_count; i++) {
        const struct lockstat_lock *const lock = &view->locks[i];
        size_t place = count;

        if (lock->acquired == 0)
            continue;
        while (place > 0 && busier(lock, entries[place - 1].lock)) {
            if (place < most)
                entries[place].lock = entries[place - 1].lock;
            place--;
        }
        if (place < most)
            entries[place].lock = lock;
        if (count < most)
            count++;
    }
    return (int)count;
}

static void choose_sites(const struct lockstat_view *view, struct entry *entry)
{
    const uint32_t row = (uint32_t)(entry->lock - view->locks);

    entry->site_count = 0;
    for (size_t i = 0; i < view->site_count; i++) {
        const struct lockstat_site *const site = &view->sites[i];
        int place = entry->site_count;

        if (site->site == 0 || site->lock != row)
            continue;
        for (; place > 0 && (site->wait > entry->sites[place - 1]->wait ||
                             (site->wait == entry->sites[place - 1]->wait &&
                              site->acquired > entry->sites[place - 1]->acquired));
             place--)
            if (place < MOST_SITES)
                entry->sites[place] = entry->sites[place - 1];
        if (place < MOST_SITES)
            entry->sites[place] = site;
        if (entry->site_count < MOST_SITES)
            entry->site_count++;
    }
}

static int choose(const struct lockstat_view *view)
{
    const int count = choose_locks(view);
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        struct entry *const entry = &entries[i];

        choose_sites(view, entry);
        entry->frames = &symbols[used];
        for (int frame = 0; frame < LOCKSTAT_FRAMES; frame++)
            symbols[used++].address = entry->lock->frames[frame];
        entry->at = &symbols[used];
        for (int site = 0; site < MOST_SITES; site++)
            symbols[used++].address = site < entry->site_count ? entry->sites[site]->site : 0;
    }
    ring3_symbols_find(view->pid, symbols, used);
    return count;
}

/* --- Figures --------------------------------------------------------------------------------- */

static double ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static double us(const struct lockstat_view *view, uint64_t cycles)
{
    return (double)cycles * view->ns_per_cycle / 1000;
}

/* The upper end of the bin in which that share of all lies, in microseconds. */
static double quantile(const struct lockstat_view *view, const uint32_t *bins, double share)
{
    uint64_t total = 0, seen = 0;

    for (int i = 0; i < LOCKSTAT_BINS; i++)
        total += bins[i];
    for (int i = 0; i < LOCKSTAT_BINS; i++) {
        seen += bins[i];
        if (total && (double)seen >= share * (double)total)
            return us(view, UINT64_C(2) << i);
    }
    return 0;
}

const char *ring3_lockstat_type(const struct lockstat_lock *lock)
{
    static const char *const names[LOCKSTAT_TYPES] = {"mutex", "rwlock", "condition"};

    return lock->type < LOCKSTAT_TYPES ? names[lock->type] : "lock";
}

/* --- Text ------------------------------------------------------------------------------------ */

static void text(struct page *page, const struct lockstat_view *view, int count)
{
    put(page,
        "ring3 lockstat: process %d, %d locks by time waited; times in microseconds, quantiles "
        "rounded up to powers of two\n"
        "%14s %9s %7s %11s %9s %9s %9s %9s %9s  %s\n",
        (int)view->pid, count, "acquired", "contended", "share", "waited", "wait p50", "wait p99",
        "hold p50", "hold p99", "handoff", "lock");
    for (int i = 0; i < count; i++) {
        const struct entry *const entry = &entries[i];
        const struct lockstat_lock *const lock = entry->lock;

        put(page, "%14" PRIu64 " %9" PRIu64 " %6.2f%% %11.1f %9.1f %9.1f %9.1f %9.1f %9.1f  %s ",
            lock->acquired, lock->contended, 100 * ratio(lock->contended, lock->acquired),
            us(view, lock->wait), quantile(view, lock->wait_bins, .5),
            quantile(view, lock->wait_bins, .99), quantile(view, lock->hold_bins, .5),
            quantile(view, lock->hold_bins, .99),
            us(view, lock->handoff) / (lock->handoffs ? (double)lock->handoffs : 1),
            ring3_lockstat_type(lock));
        if (lock->object)
            put(page, "0x%" PRIx64 "\n", lock->object);
        else
            put(page, "(%" PRIu64 " of them)\n", lock->objects);
        put(page, "%14s %s %s", "", lock->is_static ? "first locked by" : "made by",
            entry->frames[0].text);
        for (int frame = 1; frame < 3 && lock->frames[frame]; frame++)
            put(page, " < %s", entry->frames[frame].text);
        put(page, "\n");
        for (int s = 0; s < entry->site_count; s++)
            put(page, "%14" PRIu64 " %9" PRIu64 " %6.2f%% %11.1f   at %s\n",
                entry->sites[s]->acquired, entry->sites[s]->contended,
                100 * ratio(entry->sites[s]->contended, entry->sites[s]->acquired),
                us(view, entry->sites[s]->wait), entry->at[s].text);
        for (int w = 0; w < LOCKSTAT_TOP && lock->top[w].thread; w++)
            put(page, "%14s thread %" PRIu32 " waited %" PRIu32 " times, %.1f\n", "",
                lock->top[w].thread, lock->top[w].waits, us(view, lock->top[w].cycles));
    }
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void json_bins(struct page *page, const char *name, const uint32_t *bins)
{
    put(page, ",\"%s\":[", name);
    for (int i = 0; i < LOCKSTAT_BINS; i++)
        put(page, "%s%" PRIu32, i ? "," : "", bins[i]);
    put(page, "]");
}

static void json(struct page *page, const struct lockstat_view *view, int count)
{
    put(page, "{\"pid\":%d,\"ns_per_cycle\":%.6f,\"locks\":[", (int)view->pid, view->ns_per_cycle);
    for (int i = 0; i < count; i++) {
        const struct entry *const entry = &entries[i];
        const struct lockstat_lock *const lock = entry->lock;

        put(page,
            "%s\n{\"type\":\"%s\",\"object\":\"0x%" PRIx64 "\",\"objects\":%" PRIu64
            ",\"acquired\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"contended\":%" PRIu64
            ",\"wait_us\":%.3f,\"wait_max_us\":%.3f,\"hold_samples\":%" PRIu64
            ",\"hold_us\":%.3f,\"hold_max_us\":%.3f,\"handoffs\":%" PRIu64 ",\"handoff_us\":%.3f",
            i ? "," : "", ring3_lockstat_type(lock), lock->object, lock->objects, lock->acquired,
            lock->reads, lock->contended, us(view, lock->wait), us(view, lock->wait_max),
            lock->timed, us(view, lock->hold), us(view, lock->hold_max), lock->handoffs,
            us(view, lock->handoff));
        json_bins(page, "wait_log2_cycles", lock->wait_bins);
        json_bins(page, "hold_log2_cycles", lock->hold_bins);
        json_bins(page, "handoff_log2_cycles", lock->handoff_bins);
        put(page, ",\"%s\":[", lock->is_static ? "first_locked" : "made");
        for (int frame = 0; frame < LOCKSTAT_FRAMES && lock->frames[frame]; frame++) {
            put(page, frame ? ",\"" : "\"");
            put_plain(page, entry->frames[frame].text);
            put(page, "\"");
        }
        put(page, "],\"sites\":[");
        for (int s = 0; s < entry->site_count; s++) {
            put(page, "%s{\"at\":\"", s ? "," : "");
            put_plain(page, entry->at[s].text);
            put(page, "\",\"acquired\":%" PRIu64 ",\"contended\":%" PRIu64 ",\"wait_us\":%.3f}",
                entry->sites[s]->acquired, entry->sites[s]->contended,
                us(view, entry->sites[s]->wait));
        }
        put(page, "],\"top_waiters\":[");
        for (int w = 0; w < LOCKSTAT_TOP && lock->top[w].thread; w++)
            put(page, "%s{\"thread\":%" PRIu32 ",\"waits\":%" PRIu32 ",\"wait_us\":%.3f}",
                w ? "," : "", lock->top[w].thread, lock->top[w].waits,
                us(view, lock->top[w].cycles));
        put(page, "]}");
    }
    put(page, "\n]}\n");
}

/* --- HTML ------------------------------------------------------------------------------------ */

/* A histogram as bars, one per power of two. */
static void chart(struct page *page, const struct lockstat_view *view, const char *title,
                  const uint32_t *bins)
{
    uint32_t most = 0;

    for (int i = 0; i < LOCKSTAT_BINS; i++)
        most = bins[i] > most ? bins[i] : most;
    if (most == 0)
        return;
    put(page,
        "<svg width='260' height='90' role='img'><title>%s</title>"
        "<text x='0' y='10'>%s</text>",
        title, title);
    for (int i = 0; i < LOCKSTAT_BINS; i++) {
        const double height = 60 * (double)bins[i] / (double)most;

        if (bins[i])
            put(page,
                "<rect x='%d' y='%.1f' width='5' height='%.1f'><title>up to %.2f us: %" PRIu32
                "</title></rect>",
                i * 6, 75 - height, height, us(view, UINT64_C(2) << i), bins[i]);
    }
    put(page, "<text x='0' y='88'>%.2g us</text><text x='200' y='88'>%.2g s</text></svg>",
        us(view, 1), us(view, UINT64_C(1) << (LOCKSTAT_BINS - 1)) / 1e6);
}

static void html(struct page *page, const struct lockstat_view *view, int count)
{
    put(page,
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>lockstat %d</title><style>"
        "body{font:14px sans-serif;margin:2em}svg{font:9px sans-serif;margin-right:1em}"
        "rect{fill:#47a}td{padding:0 1em 0 0}h2{font-size:15px;margin:1.5em 0 .3em}"
        "</style><h1>Locks of process %d</h1>"
        "<p>By time waited. Histograms of times, one bar per power of two.</p>",
        (int)view->pid, (int)view->pid);
    for (int i = 0; i < count; i++) {
        const struct entry *const entry = &entries[i];
        const struct lockstat_lock *const lock = entry->lock;

        put(page, "<h2>%s, %s ", ring3_lockstat_type(lock),
            lock->is_static ? "first locked by" : "made by");
        put_plain(page, entry->frames[0].text);
        put(page,
            "</h2><p>%" PRIu64 " acquisitions, %" PRIu64 " contended (%.2f %%), waited %.1f us, "
            "longest %.1f us</p>",
            lock->acquired, lock->contended, 100 * ratio(lock->contended, lock->acquired),
            us(view, lock->wait), us(view, lock->wait_max));
        chart(page, view, "wait", lock->wait_bins);
        chart(page, view, "hold", lock->hold_bins);
        chart(page, view, "hand-off", lock->handoff_bins);
        put(page, "<table>");
        for (int s = 0; s < entry->site_count; s++) {
            put(page, "<tr><td>%" PRIu64 "<td>%" PRIu64 " contended<td>%.1f us<td>",
                entry->sites[s]->acquired, entry->sites[s]->contended,
                us(view, entry->sites[s]->wait));
            put_plain(page, entry->at[s].text);
        }
        put(page, "</table>");
    }
    put(page, "</html>\n");
}

void ring3_lockstat_report(int fd, const struct lockstat_view *view, enum lockstat_format format)
{
    static struct page page;
    const int count = choose(view);

    page = (struct page){.fd = fd};
    if (format == LOCKSTAT_TEXT)
        text(&page, view, count);
    else if (format == LOCKSTAT_JSON)
        json(&page, view, count);
    else
        html(&page, view, count);
    flush(&page);
}
