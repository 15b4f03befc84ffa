/* SPDX-License-Identifier: MIT */
/*
 * trace=FILE: every call, as it goes by, into the thread's own chunk of a file that is mapped
 * shared: what was recorded is in the file whatever becomes of the program. See trace.h.
 *
 * A release is recorded before it happens and an allocation after, so that of two events about one
 * address the one that was first has the earlier time.
 *
 * With one thread nobody asks for the time: each event is one later than the one before.
 */
#include "layers.h"

#include "trace.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <unistd.h>

/* Programs close descriptors that they do not know, the low ones first. */
#define DESCRIPTOR_FROM 800

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
    char path[RING3_SETTING_PATH + 16];
    size_t path_length; /* without .PID */
    int fd;
    dev_t device;
    ino_t inode;
    uint64_t end; /* of the file */
    bool stopped;
} trace; /* of the one heap */

static __thread struct trace_chunk *chunk;
static __thread uint64_t last; /* time of the last event */

static void stop(const char *why)
{
    const char *const parts[] = {"ring3 malloc: trace=", trace.path, ": ", why,
                                 "; nothing more is recorded"};

    if (!ring3_exchange(&trace.stopped, true, RING3_RELAXED))
        ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
}

/* --- The file --------------------------------------------------------------------------------- */

/* FILE, or FILE.PID while another process writes to FILE. */
static void add_pid(void)
{
    char digits[12];
    int count = 0, pid = getpid();

    for (; pid; pid /= 10)
        digits[count++] = (char)('0' + pid % 10);
    trace.path[trace.path_length] = '.';
    for (int i = 0; i < count; i++)
        trace.path[trace.path_length + 1 + (size_t)i] = digits[count - 1 - i];
    trace.path[trace.path_length + 1 + (size_t)count] = '\0';
}

static int open_path(void)
{
    const int fd = open(trace.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int high;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -EBUSY;
    }
    high = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_FROM);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

static void open_trace(void)
{
    const struct trace_header header = {TRACE_MAGIC, TRACE_VERSION, (uint32_t)getpid(),
                                        TRACE_CHUNK};
    struct stat status;

    trace.fd = open_path();
    if (trace.fd == -EBUSY) {
        add_pid();
        trace.fd = open_path();
    }
    trace.end = TRACE_CHUNK;
    if (trace.fd < 0 || ftruncate(trace.fd, 0) != 0 || ftruncate(trace.fd, TRACE_CHUNK) != 0 ||
        pwrite(trace.fd, &header, sizeof header, 0) != sizeof header ||
        fstat(trace.fd, &status) != 0) {
        stop("cannot be written");
        return;
    }
    (void)posix_fadvise(trace.fd, 0, 0, POSIX_FADV_RANDOM); /* nothing is read */
    trace.device = status.st_dev;
    trace.inode = status.st_ino;
}

/* The descriptor is still ours: programs close and reuse what they do not know. */
static bool is_ours(void)
{
    struct stat status;

    return fstat(trace.fd, &status) == 0 && status.st_dev == trace.device &&
           status.st_ino == trace.inode;
}

static struct trace_chunk *map_chunk(void)
{
    /* Relaxed: a number that nobody else gets. */
    const uint64_t at = ring3_fetch_add(&trace.end, TRACE_CHUNK, RING3_RELAXED);
    void *mapped;

    if (!is_ours()) {
        stop("the program has closed its descriptor");
        return NULL;
    }
    /* Blocks of the file now, or a full disk would be a SIGBUS later. */
    if (fallocate(trace.fd, 0, (off_t)at, TRACE_CHUNK) != 0 &&
        (errno != EOPNOTSUPP || ftruncate(trace.fd, (off_t)(at + TRACE_CHUNK)) != 0)) {
        stop("no room");
        return NULL;
    }
    mapped = mmap(NULL, TRACE_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, trace.fd,
                  (off_t)at);
    if (mapped == MAP_FAILED) {
        stop("cannot be mapped");
        return NULL;
    }
    return mapped;
}

__attribute__((noinline)) static void next_chunk(void)
{
    const int saved = errno;
    const uint64_t now = ring3_cycles();

    if (chunk)
        munmap(chunk, TRACE_CHUNK);
    chunk = map_chunk();
    if (chunk)
        chunk->thread = (uint32_t)gettid();
    last = now > last ? now : last;
    errno = saved;
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool has_room(void)
{
    if (__builtin_expect(!chunk || chunk->count == TRACE_EVENTS, 0)) {
        if (ring3_load(&trace.stopped, RING3_RELAXED))
            return false;
        next_chunk();
    }
    return chunk != NULL;
}

static void put(uint64_t when, uint64_t what)
{
    if (has_room()) {
        chunk->events[chunk->count] = (struct trace_event){when, what};
        chunk->count++; /* last: a process that dies here leaves whole events */
    }
}

static uint64_t next_time(void)
{
    const uint64_t now = __libc_single_threaded ? 0 : ring3_cycles();

    last = now > last ? now : last + 1;
    return last << 4;
}

static void record(enum trace_what what, const void *block, size_t size, size_t alignment)
{
    const uint64_t address = (uint64_t)(uintptr_t)block >> 4 << TRACE_SIZE_BITS;
    const bool apart = size >= TRACE_SIZE_APART || alignment > 16;

    put(next_time() | what, address | (apart ? TRACE_SIZE_APART : size));
    if (apart)
        put((uint64_t)__builtin_ctzl(alignment) << 4 | TRACE_MORE, size);
}

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    void *const block = trace.below->allocate(heap, size, alignment, dirty);

    if (block)
        record(TRACE_ALLOCATE, block, size, alignment);
    return block;
}

static int release(void *owner, void *block)
{
    record(TRACE_RELEASE, block, 0, 16);
    return trace.below->release(owner, block);
}

static int resize(void *owner, void *block, size_t size)
{
    const int err = trace.below->resize(owner, block, size);

    if (!err)
        record(TRACE_RESIZE, block, size, 16);
    return err;
}

/* The child goes on in a file of its own. */
static void after_fork(void *heap)
{
    const int saved = errno;

    trace.below->after_fork(heap);
    if (chunk)
        munmap(chunk, TRACE_CHUNK);
    chunk = NULL;
    if (!trace.stopped) {
        if (is_ours())
            close(trace.fd);
        add_pid();
        open_trace();
    }
    errno = saved;
}

const struct ring3_policy *ring3_layer_trace(const struct ring3_policy *below, const char *path)
{
    const int saved = errno;

    trace.below = below;
    trace.path_length = strlen(path);
    memcpy(trace.path, path, trace.path_length + 1);
    open_trace();
    trace.table = *below;
    trace.table.allocate = allocate;
    trace.table.release = release;
    trace.table.resize = resize;
    trace.table.after_fork = after_fork;
    errno = saved;
    return &trace.table;
}
