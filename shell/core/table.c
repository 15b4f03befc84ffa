/* SPDX-License-Identifier: MIT */
/* Tables by name: open addressing, at most half full, removal by shifting back. */
#include "core/vars.h"

uint32_t hash_text(const char *text, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static uint32_t place_of(const struct table *table, const char *name,
                         const char *(*name_of)(const void *))
{
    uint32_t place = hash_text(name, strlen(name)) & (table->size - 1);

    while (table->slots[place] && strcmp(name_of(table->slots[place]), name) != 0)
        place = (place + 1) & (table->size - 1);
    return place;
}

void *table_find(const struct table *table, const char *name, const char *(*name_of)(const void *))
{
    return table->count ? table->slots[place_of(table, name, name_of)] : NULL;
}

static void grow(struct table *table, const char *(*name_of)(const void *))
{
    const struct table old = *table;

    table->size = old.size ? old.size * 2 : 16;
    table->slots = must_alloc(table->size * sizeof(*table->slots));
    memset(table->slots, 0, table->size * sizeof(*table->slots));
    for (uint32_t i = 0; i < old.size; i++)
        if (old.slots[i])
            table->slots[place_of(table, name_of(old.slots[i]), name_of)] = old.slots[i];
    free(old.slots);
}

void table_put(struct table *table, void *entry, const char *(*name_of)(const void *))
{
    uint32_t place;

    if (2 * (table->count + 1) > table->size)
        grow(table, name_of);
    place = place_of(table, name_of(entry), name_of);
    table->count += table->slots[place] == NULL;
    table->slots[place] = entry;
}

void *table_take(struct table *table, const char *name, const char *(*name_of)(const void *))
{
    uint32_t hole, next;
    void *entry;

    if (!table->count)
        return NULL;
    hole = next = place_of(table, name, name_of);
    entry = table->slots[hole];
    if (!entry)
        return NULL;
    table->count--;
    for (;;) {
        table->slots[hole] = NULL;
        do {
            next = (next + 1) & (table->size - 1);
            if (!table->slots[next])
                return entry;
            /* It may move back if its own place does not lie between the hole and it. */
        } while (
            ((next - hash_text(name_of(table->slots[next]), strlen(name_of(table->slots[next])))) &
             (table->size - 1)) < ((next - hole) & (table->size - 1)));
        table->slots[hole] = table->slots[next];
        hole = next;
    }
}
