/* SPDX-License-Identifier: MIT */
/*
 * The profile as text: the heap format of gperftools ("heap_v2"), which pprof reads and corrects for
 * the sampling by itself. A line per call site: blocks in use and their bytes, all blocks and their
 * bytes, and the return addresses; then the mappings, by which addresses become names.
 *
 * Without stdio, which allocates.
 */
#include "number.h"
#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct out {
    int fd, err;
    size_t length;
    char text[4096];
};

static void flush(struct out *out)
{
    size_t done = 0;

    while (done < out->length && !out->err) {
        const ssize_t got = write(out->fd, out->text + done, out->length - done);

        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            out->err = -errno;
    }
    out->length = 0;
}

static void put(struct out *out, const char *text)
{
    for (; *text; text++) {
        if (out->length == sizeof out->text)
            flush(out);
        out->text[out->length++] = *text;
    }
}

static void put_number(struct out *out, uint64_t number, unsigned base)
{
    char text[NUMBER_MAX];

    put(out, number_text(number, base, text));
}

static void put_counts(struct out *out, uint64_t live_blocks, uint64_t live_bytes, uint64_t blocks,
                       uint64_t bytes)
{
    put_number(out, live_blocks, 10);
    put(out, ": ");
    put_number(out, live_bytes, 10);
    put(out, " [");
    put_number(out, blocks, 10);
    put(out, ": ");
    put_number(out, bytes, 10);
    put(out, "] @");
}

static void put_mappings(struct out *out)
{
    const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    put(out, "\nMAPPED_LIBRARIES:\n");
    flush(out);
    while (maps >= 0 && (got = read(maps, out->text, sizeof out->text)) > 0) {
        out->length = (size_t)got;
        flush(out);
    }
    if (maps >= 0)
        close(maps);
}

static void put_profile(struct out *out)
{
    struct profile_site total = {0};

    for (size_t i = 0; i < PROFILE_SITES; i++) {
        const struct profile_site *const site = &ring3_profile.sites[i];

        total.live_blocks += site->live_blocks;
        total.live_bytes += site->live_bytes;
        total.blocks += site->blocks;
        total.bytes += site->bytes;
    }
    put(out, "heap profile: ");
    put_counts(out, total.live_blocks, total.live_bytes, total.blocks, total.bytes);
    put(out, " heap_v2/");
    put_number(out, ring3_profile.rate, 10);
    put(out, "\n");
    for (size_t i = 0; i < PROFILE_SITES; i++) {
        const struct profile_site *const site = &ring3_profile.sites[i];

        if (!site->blocks)
            continue;
        put_counts(out, site->live_blocks, site->live_bytes, site->blocks, site->bytes);
        for (int k = 0; k < CALLS_MAX && site->calls[k]; k++) {
            put(out, " 0x");
            put_number(out, (uintptr_t)site->calls[k], 16);
        }
        put(out, "\n");
    }
    put_mappings(out);
}

int ring3_profile_write(const char *path)
{
    const int saved = errno;
    struct out out = {.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};

    if (out.fd < 0) {
        out.err = -errno;
    } else {
        put_profile(&out);
        flush(&out);
        close(out.fd);
    }
    errno = saved;
    return out.err;
}
