/* SPDX-License-Identifier: MIT */
#include "edit/history.h"

#include "lang/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Texts of one reading, which entries point into. */
struct chunk {
    struct chunk *next;
    char text[];
};

/* A growing list of numbers of entries. */
struct numbers {
    uint32_t *list;
    size_t count, cap;
};

struct history {
    int fd; /* -1: in memory only */
    bool read;
    uint64_t session;
    uint32_t sequence;
    off_t offset; /* of what was read of the file */
    struct history_entry *entries;
    uint64_t *heads; /* the first eight bytes of each text: most comparisons end there */
    size_t count, cap;
    struct numbers own, others;
    struct chunk *chunks;
    /* Where the last search by beginning ended: a longer text of that beginning need not look at newer entries. */
    struct buf looked_for;
    size_t looked_count, looked_at;
    int looked_list;
};

static uint32_t crc32_of(const char *text, size_t len)
{
    static uint32_t table[256]; /* computed at first use */
    uint32_t crc = ~0u;

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;

            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
    }
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ (unsigned char)text[i]) & 255] ^ (crc >> 8);
    return ~crc;
}

struct history *history_open(const char *path)
{
    struct history *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->fd = path ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (getrandom(&h->session, sizeof h->session, GRND_NONBLOCK) != sizeof h->session) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        h->session = (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec << 8 ^ (uint64_t)getpid();
    }
    return h;
}

void history_close(struct history *h)
{
    if (!h)
        return;
    if (h->fd >= 0)
        close(h->fd);
    while (h->chunks) {
        struct chunk *next = h->chunks->next;

        free(h->chunks);
        h->chunks = next;
    }
    free(h->entries);
    free(h->heads);
    free(h->own.list);
    free(h->others.list);
    buf_free(&h->looked_for);
    free(h);
}

/* --- In memory ------------------------------------------------------------------------------------------------------ */

static struct chunk *new_chunk(struct history *h, size_t size)
{
    struct chunk *c = malloc(sizeof *c + size);

    if (c) {
        c->next = h->chunks;
        h->chunks = c;
    }
    return c;
}

static bool add_number(struct numbers *n, size_t number)
{
    if (n->count == n->cap) {
        const size_t cap = n->cap ? n->cap * 2 : 256;
        uint32_t *more = realloc(n->list, cap * sizeof *more);

        if (!more)
            return false;
        n->list = more;
        n->cap = cap;
    }
    n->list[n->count++] = (uint32_t)number;
    return true;
}

static uint64_t head_of(const char *text, size_t len)
{
    uint64_t head = 0;

    memcpy(&head, text, len < 8 ? len : 8);
    return head;
}

static int add_entry(struct history *h, const struct history_entry *entry)
{
    if (h->count == h->cap) {
        const size_t cap = h->cap ? h->cap * 2 : 256;
        struct history_entry *more = realloc(h->entries, cap * sizeof *more);
        uint64_t *heads;

        if (!more)
            return -ENOMEM;
        h->entries = more;
        heads = realloc(h->heads, cap * sizeof *heads);
        if (!heads)
            return -ENOMEM;
        h->heads = heads;
        h->cap = cap;
    }
    if (!add_number(entry->session == h->session ? &h->own : &h->others, h->count))
        return -ENOMEM;
    h->heads[h->count] = head_of(entry->text, strlen(entry->text));
    h->entries[h->count++] = *entry;
    return 0;
}

/* The end of a command is seldom far behind its beginning. */
static struct history_entry *find_entry(struct history *h, uint64_t session, uint32_t sequence)
{
    for (size_t i = h->count; i-- > 0;)
        if (h->entries[i].session == session && h->entries[i].sequence == sequence)
            return &h->entries[i];
    return NULL;
}

/* --- Reading -------------------------------------------------------------------------------------------------------- */

/* Copies up to a TAB or the end, sequences replaced; `to` moves on, behind a NUL. Returns what is left of the text. */
static const char *unescape(const char *text, const char *end, char **to)
{
    while (text < end && *text != '\t') {
        char c = *text++;

        if (c == '\\' && text < end) {
            c = *text++;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        *(*to)++ = c;
    }
    *(*to)++ = '\0';
    return text < end ? text + 1 : end;
}

static bool take_number(const char **text, int base, int64_t *value)
{
    char *end;

    errno = 0;
    *value = base == 16 ? (int64_t)strtoull(*text, &end, 16) : strtoll(*text, &end, 10);
    if (end == *text || errno || (*end != ' ' && *end != '\0'))
        return false;
    *text = *end ? end + 1 : end;
    return true;
}

static void take_command(struct history *h, const char *text, const char *end, char **room)
{
    struct history_entry entry = {.status = -1, .milliseconds = -1};
    int64_t session, sequence;

    if (!take_number(&text, 16, &session) || !take_number(&text, 10, &sequence) ||
        !take_number(&text, 10, &entry.time))
        return;
    entry.session = (uint64_t)session;
    entry.sequence = (uint32_t)sequence;
    if (entry.session == h->session) /* our own is there already */
        return;
    entry.directory = *room;
    text = unescape(text, end, room);
    entry.text = *room;
    unescape(text, end, room);
    add_entry(h, &entry);
}

static void take_end(struct history *h, const char *text)
{
    int64_t session, sequence, status, milliseconds;
    struct history_entry *entry;

    if (!take_number(&text, 16, &session) || !take_number(&text, 10, &sequence) ||
        !take_number(&text, 10, &status) || !take_number(&text, 10, &milliseconds) ||
        (uint64_t)session == h->session)
        return;
    entry = find_entry(h, (uint64_t)session, (uint32_t)sequence);
    if (!entry)
        return;
    entry->status = (int32_t)status;
    entry->milliseconds = milliseconds;
}

/* One line, NUL-terminated. What does not add up is passed over. */
static void take_record(struct history *h, const char *line, const char *end, char **room)
{
    char *stop;
    uint32_t crc;

    if (end - line < 12 || line[8] != ' ' || line[10] != ' ')
        return;
    crc = (uint32_t)strtoul(line, &stop, 16);
    if (stop != line + 8 || crc != crc32_of(line + 9, (size_t)(end - line) - 9))
        return;
    if (line[9] == '+')
        take_command(h, line + 11, end, room);
    else if (line[9] == '=')
        take_end(h, line + 11);
}

/* All of the file behind `offset`, as far as it is whole lines. */
static int read_tail(struct history *h, char *text, size_t size)
{
    struct chunk *chunk;
    size_t have = 0;
    char *room, *line;

    while (have < size) {
        const ssize_t n = pread(h->fd, text + have, size - have, h->offset + (off_t)have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    while (have > 0 &&
           text[have - 1] != '\n') /* still being written, or torn for good: it is read again */
        have--;
    chunk = new_chunk(h, have + 2);
    if (!chunk)
        return -ENOMEM;
    room = chunk->text;
    for (line = text; line < text + have;) {
        char *end = memchr(line, '\n', (size_t)(text + have - line));

        *end = '\0';
        take_record(h, line, end, &room);
        line = end + 1;
    }
    h->offset += (off_t)have;
    return 0;
}

int history_refresh(struct history *h)
{
    struct stat st;
    size_t size;
    char *text;
    int err;

    h->read = true;
    if (h->fd < 0)
        return 0;
    if (fstat(h->fd, &st) != 0)
        return -errno;
    if (st.st_size < h->offset) /* someone emptied it */
        h->offset = st.st_size;
    size = (size_t)(st.st_size - h->offset);
    if (size == 0)
        return 0;
    text = malloc(size);
    if (!text)
        return -ENOMEM;
    err = read_tail(h, text, size);
    free(text);
    return err;
}

static void read_once(struct history *h)
{
    if (!h->read)
        history_refresh(h);
}

/* --- Writing -------------------------------------------------------------------------------------------------------- */

static void escape(struct buf *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_adds(to, "\\n");
        else if (*text == '\t')
            buf_adds(to, "\\t");
        else if (*text == '\\')
            buf_adds(to, "\\\\");
        else
            buf_addc(to, *text);
    }
}

/* `body` is what the checksum covers. */
static int append(struct history *h, const struct buf *body)
{
    struct buf record = {0};
    ssize_t n;
    int err = 0;

    if (h->fd < 0)
        return 0;
    buf_addf(&record, "\n%08" PRIx32 " ", crc32_of(buf_str(body), body->len));
    buf_add(&record, buf_str(body), body->len);
    buf_addc(&record, '\n');
    if (record.failed || body->failed) {
        err = -ENOMEM;
    } else {
        do
            n = write(h->fd, record.data, record.len);
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)record.len)
            err = n < 0 ? -errno : -ENOSPC;
    }
    buf_free(&record);
    return err;
}

int64_t history_add(struct history *h, const char *text, const char *directory, int64_t time)
{
    const size_t text_len = strlen(text), directory_len = strlen(directory);
    struct history_entry entry = {
        .session = h->session, .time = time, .status = -1, .milliseconds = -1};
    struct chunk *chunk;
    struct buf body = {0};
    int err;

    read_once(h); /* ours come behind what was there */
    chunk = new_chunk(h, text_len + directory_len + 2);
    if (!chunk)
        return -ENOMEM;
    memcpy(chunk->text, text, text_len + 1);
    memcpy(chunk->text + text_len + 1, directory, directory_len + 1);
    entry.text = chunk->text;
    entry.directory = chunk->text + text_len + 1;
    entry.sequence = ++h->sequence;
    buf_addf(&body, "+ %016" PRIx64 " %" PRIu32 " %" PRId64 " ", h->session, entry.sequence, time);
    escape(&body, directory);
    buf_addc(&body, '\t');
    escape(&body, text);
    err = append(h, &body);
    buf_free(&body);
    if (add_entry(h, &entry) != 0)
        return -ENOMEM;
    return err ? err : (int64_t)entry.sequence;
}

int history_done(struct history *h, uint32_t sequence, int status, int64_t milliseconds)
{
    struct history_entry *entry = find_entry(h, h->session, sequence);
    struct buf body = {0};
    int err;

    if (!entry)
        return -ENOENT;
    entry->status = status;
    entry->milliseconds = milliseconds;
    buf_addf(&body, "= %016" PRIx64 " %" PRIu32 " %d %" PRId64, h->session, sequence, status,
             milliseconds);
    err = append(h, &body);
    buf_free(&body);
    return err;
}

/* --- Looking up ----------------------------------------------------------------------------------------------------- */

size_t history_count(struct history *h)
{
    read_once(h);
    return h->count;
}

const struct history_entry *history_at(struct history *h, size_t index)
{
    read_once(h);
    return index < h->count ? &h->entries[index] : NULL;
}

const struct history_entry *history_back(struct history *h, size_t back)
{
    read_once(h);
    if (back == 0)
        return NULL;
    if (back <= h->own.count)
        return &h->entries[h->own.list[h->own.count - back]];
    back -= h->own.count;
    return back <= h->others.count ? &h->entries[h->others.list[h->others.count - back]] : NULL;
}

size_t history_steps(struct history *h, size_t index)
{
    const struct numbers *const lists[] = {&h->own, &h->others};
    size_t steps = 0;

    read_once(h);
    for (size_t l = 0; l < 2; l++)
        for (size_t i = lists[l]->count; i-- > 0;) {
            steps++;
            if (lists[l]->list[i] == index)
                return steps;
        }
    return 0;
}

const struct history_entry *history_beginning(struct history *h, const char *text, size_t len)
{
    const uint64_t mask = head_of("\xff\xff\xff\xff\xff\xff\xff\xff", len),
                   head = head_of(text, len);
    const struct numbers *const lists[] = {&h->own, &h->others};
    int list = 0;
    size_t i;

    read_once(h);
    i = h->own.count;
    if (h->looked_for.len && h->looked_count == h->count && len >= h->looked_for.len &&
        memcmp(text, h->looked_for.data, h->looked_for.len) == 0) {
        list = h->looked_list;
        i = h->looked_at;
    }
    buf_clear(&h->looked_for);
    buf_add(&h->looked_for, text, len);
    h->looked_count = h->count;
    for (; list < 2; i = ++list < 2 ? lists[list]->count : 0) {
        while (i-- > 0) {
            const uint32_t n = lists[list]->list[i];

            if ((h->heads[n] & mask) != head || strncmp(h->entries[n].text, text, len) != 0 ||
                !h->entries[n].text[len])
                continue;
            h->looked_list = list;
            h->looked_at = i + 1;
            return &h->entries[n];
        }
    }
    h->looked_list = 2;
    return NULL;
}
