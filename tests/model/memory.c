/* SPDX-License-Identifier: MIT */
/* The memory model: messages and views. See model.h. */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { VIEWS = 8192 };

static struct thread *me(void)
{
    return model->running < 0 ? &model->outside : &model->thread[model->running];
}

static uint32_t my_number(void)
{
    return model->running < 0 ? MODEL_THREADS : (uint32_t)model->running;
}

static void join(struct view *into, const struct view *from)
{
    for (int i = 0; i < model->words; i++)
        if (into->word[i] < from->word[i])
            into->word[i] = from->word[i];
    for (int i = 0; i <= MODEL_THREADS; i++)
        if (into->over[i] < from->over[i])
            into->over[i] = from->over[i];
}

static struct view *copy_of(const struct view *view)
{
    struct explorer *const e = model;

    if (!e->views)
        e->views = mmap(NULL, VIEWS * sizeof *e->views, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    model_check(e->used < VIEWS, "the run makes too many releases");
    e->views[e->used] = *view;
    return &e->views[e->used++];
}

void model_forget(void)
{
    struct explorer *const e = model;

    e->words = e->used = 0;
    memset(e->hash, 0, sizeof e->hash);
    memset(&e->sc, 0, sizeof e->sc);
    for (int i = 0; i <= MODEL_THREADS; i++) {
        struct thread *const thread = i < MODEL_THREADS ? &e->thread[i] : &e->outside;

        memset(&thread->view, 0, sizeof thread->view);
        memset(&thread->released, 0, sizeof thread->released);
        memset(&thread->acquirable, 0, sizeof thread->acquirable);
        memset(&thread->self, 0, sizeof thread->self);
        thread->self.id = (uint32_t)i + 1;
        thread->timed_out = false;
    }
}

void model_know_all(void)
{
    struct explorer *const e = model;
    struct view all = e->outside.view;

    for (int i = 0; i < e->threads; i++)
        join(&all, &e->thread[i].view);
    e->outside.view = all;
    for (int i = 0; i < e->threads; i++)
        e->thread[i].view = all;
}

/* --- Words ------------------------------------------------------------------------------------- */

static uint64_t content(const void *place, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, place, size);
    return value;
}

static void add_message(struct word *word, uint64_t value, struct view *view)
{
    if (word->count - word->first == MESSAGES)
        word->first++; /* nobody reads what is that old */
    word->message[word->count++ % MESSAGES] = (struct message){value, view};
}

static struct word *find(const void *place, size_t size)
{
    struct explorer *const e = model;
    uint32_t slot = (uint32_t)((uintptr_t)place * UINT64_C(0x9E3779B97F4A7C15) >> 48) % (4 * WORDS);

    for (; e->hash[slot]; slot = (slot + 1) % (4 * WORDS))
        if (e->word[e->hash[slot] - 1].place == place)
            break;
    if (!e->hash[slot]) {
        model_check(e->words < WORDS, "the run uses too many words");
        e->word[e->words] = (struct word){.place = place, .size = size};
        e->hash[slot] = (uint16_t)++e->words;
    }
    struct word *const word = &e->word[e->hash[slot] - 1];

    if (word->count == 0) {
        add_message(word, content(place, size), NULL);
    } else if (word->message[(word->count - 1) % MESSAGES].value != content(place, word->size)) {
        /* Initialised again by plain stores: older values are gone. */
        word->first = word->count;
        add_message(word, content(place, word->size), NULL);
    }
    return word;
}

static size_t number(const struct word *word)
{
    return (size_t)(word - model->word);
}

/* --- Orders ------------------------------------------------------------------------------------ */

static int order_of(const struct model_site *site)
{
    struct explorer *const e = model;
    int i = 0;

    while (i < e->sites && e->site[i] != site)
        i++;
    if (i == e->sites && i < SITES)
        e->site[e->sites++] = site;
    return site == e->weakened ? e->weakened_order : site->order;
}

static bool acquires(int order)
{
    return order == RING3_ACQUIRE || order == RING3_ACQ_REL || order == RING3_SEQ_CST;
}

static bool releases(int order)
{
    return order == RING3_RELEASE || order == RING3_ACQ_REL || order == RING3_SEQ_CST;
}

static void fence_in(struct thread *thread)
{
    join(&thread->view, &thread->acquirable);
    join(&thread->view, &model->sc);
    join(&model->sc, &thread->view);
    thread->released = thread->view;
}

void model_fence(enum model_fence kind, const struct model_site *site)
{
    const int order = order_of(site);
    struct thread *const thread = me();

    model_step();
    if (model->trace)
        printf("#   thread %d  %s:%d %s\n", model->running, site->file, site->line, site->what);
    if (order == RING3_RELAXED)
        return;
    switch (kind) {
    case MODEL_ACQUIRE:
        join(&thread->view, &thread->acquirable);
        break;
    case MODEL_RELEASE:
        thread->released = thread->view;
        break;
    case MODEL_HEAVY:
        fence_in(thread);
        for (int i = 0; i < model->threads; i++)
            fence_in(&model->thread[i]);
        fence_in(thread);
        break;
    case MODEL_FULL:
        fence_in(thread);
        break;
    case MODEL_LIGHT:
        break;
    }
}

static void take_over(const struct message *message, int order)
{
    struct thread *const thread = me();

    if (!message->view)
        return;
    join(acquires(order) ? &thread->view : &thread->acquirable, message->view);
}

/* Shown when a run is repeated because a violation was found in it. */
static void show(const struct model_site *site, const struct word *word, uint64_t value)
{
    if (model->trace)
        printf("#   thread %d  %s:%d %s word %zu: %#llx\n", model->running, site->file, site->line,
               site->what, number(word), (unsigned long long)value);
}

/* --- Accesses ---------------------------------------------------------------------------------- */

uint64_t model_load(const void *place, size_t size, const struct model_site *site)
{
    const int order = order_of(site);

    model_step();
    if (order == RING3_SEQ_CST)
        fence_in(me());
    struct word *const word = find(place, size);
    const int newest = word->count - 1, known = me()->view.word[number(word)];
    const int oldest = known > word->first ? known : word->first;
    const int chosen = newest - model_stale(newest - oldest + 1);
    const struct message *const message = &word->message[chosen % MESSAGES];

    me()->view.word[number(word)] = (uint16_t)chosen;
    take_over(message, order);
    show(site, word, message->value);
    return size < 8 ? message->value & ((UINT64_C(1) << 8 * size) - 1) : message->value;
}

/* `before`: the message that a read-modify-write has read and goes on from; NULL for a store. */
static void put(struct word *word, const struct message *before, uint64_t value, int order)
{
    struct thread *const thread = me();
    struct view *view;

    thread->view.word[number(word)] = (uint16_t)word->count;
    view = copy_of(releases(order) ? &thread->view : &thread->released);
    view->word[number(word)] = (uint16_t)word->count;
    if (before && before->view)
        join(view, before->view); /* the release sequence goes on */
    add_message(word, value, view);
    memcpy((void *)(uintptr_t)word->place, &value, word->size);
}

void model_store(void *place, size_t size, uint64_t value, const struct model_site *site)
{
    const int order = order_of(site);

    model_step();
    put(find(place, size), NULL, size < 8 ? value & ((UINT64_C(1) << 8 * size) - 1) : value, order);
    show(site, find(place, size), value);
    if (order == RING3_SEQ_CST)
        fence_in(me());
}

/* Read-modify-writes read the newest message: no store comes in between. */
static const struct message *newest(struct word *word, int order)
{
    const struct message *const message = &word->message[(word->count - 1) % MESSAGES];

    if (order == RING3_SEQ_CST)
        fence_in(me());
    me()->view.word[number(word)] = (uint16_t)(word->count - 1);
    take_over(message, order);
    return message;
}

static uint64_t updated(enum model_update how, uint64_t old, uint64_t value)
{
    switch (how) {
    case MODEL_SET:
        return value;
    case MODEL_ADD:
        return old + value;
    case MODEL_SUB:
        return old - value;
    case MODEL_AND:
        return old & value;
    case MODEL_OR:
        return old | value;
    case MODEL_XOR:
        return old ^ value;
    }
    abort();
}

uint64_t model_update(void *place, size_t size, enum model_update how, uint64_t value,
                      const struct model_site *site)
{
    const int order = order_of(site);

    model_step();
    struct word *const word = find(place, size);
    const uint64_t mask = size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
    const struct message before = *newest(word, order);

    put(word, &before, updated(how, before.value, value) & mask, order);
    show(site, word, before.value);
    if (order == RING3_SEQ_CST)
        fence_in(me());
    return before.value;
}

bool model_cas(void *place, size_t size, uint64_t *expected, uint64_t value,
               const struct model_site *site)
{
    const int order = order_of(site);

    model_step();
    struct word *const word = find(place, size);
    const uint64_t mask = size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
    const struct message before = *newest(word, order);
    const bool equal = before.value == (*expected & mask);

    if (equal)
        put(word, &before, value & mask, order);
    show(site, word, before.value);
    if (order == RING3_SEQ_CST)
        fence_in(me());
    *expected = before.value;
    return equal;
}

/* --- Plain data -------------------------------------------------------------------------------- */

static struct word *plain(const uint64_t *data, bool write)
{
    struct word *const word = find(data, sizeof *data);
    struct thread *const thread = me();

    model_check(word->written == 0 || thread->view.over[word->writer] >= word->written,
                "data race: a write is not known to be over");
    for (uint32_t i = 0; write && i <= MODEL_THREADS; i++)
        model_check(thread->view.over[i] >= word->read[i],
                    "data race: a read is not known to be over");
    thread->view.over[my_number()]++;
    return word;
}

uint64_t model_read(const uint64_t *data)
{
    model_step();
    struct word *const word = plain(data, false);

    word->read[my_number()] = me()->view.over[my_number()];
    return *data;
}

void model_write(uint64_t *data, uint64_t value)
{
    model_step();
    struct word *const word = plain(data, true);

    word->writer = my_number();
    word->written = me()->view.over[my_number()];
    put(word, NULL, value, RING3_RELAXED);
}
