/* SPDX-License-Identifier: MIT */
/*
 * Arrays, an extension. Element 0 is the value of the variable, as everywhere where there are arrays; the others
 * are kept in order of their indices, so that adding at the end is cheap and holes cost nothing.
 *
 * Of an array with keys an element's index is the hash of its key, or the next that is free: it is found as
 * others are, and all else is the same. The order in which they are listed means nothing.
 */
#include "core/expand.h"

#include "lang/arith.h"

#include <errno.h>
#include <limits.h>

struct elements *elements_copy(const struct elements *elements)
{
    struct elements *copy;

    if (!elements)
        return NULL;
    copy = must_alloc(sizeof(*copy) + elements->count * sizeof(*copy->list));
    copy->count = copy->room = elements->count;
    for (size_t i = 0; i < elements->count; i++) {
        copy->list[i] = elements->list[i];
        copy->list[i].text = must_copy(elements->list[i].text, elements->list[i].length);
        if (copy->list[i].key)
            copy->list[i].key = must_copy(copy->list[i].key, strlen(copy->list[i].key));
    }
    return copy;
}

void elements_free(struct elements *elements)
{
    for (size_t i = 0; elements && i < elements->count; i++) {
        free(elements->list[i].text);
        free(elements->list[i].key);
    }
    free(elements);
}

/* Where the index is or would be. */
static size_t place_of(const struct elements *elements, long index)
{
    size_t low = 0, high = elements ? elements->count : 0;

    if (high && elements->list[high - 1].index < index)
        return high;
    while (low < high) {
        const size_t middle = (low + high) / 2;

        if (elements->list[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct element_value *find(const struct variable *v, long index)
{
    const size_t place = place_of(v->elements, index);

    return v->elements && place < v->elements->count && v->elements->list[place].index == index
               ? &v->elements->list[place]
               : NULL;
}

long array_end(const struct variable *v)
{
    if (v->elements && v->elements->count)
        return v->elements->list[v->elements->count - 1].index + 1;
    return v->text != NULL;
}

size_t array_count(const struct variable *v)
{
    return (v->text != NULL) + (v->elements ? v->elements->count : 0);
}

const char *array_get(const struct variable *v, struct subscript at, size_t *length)
{
    const struct element_value *element;
    long index = at.index;

    if (index < 0)
        index += array_end(v);
    if (index == 0) {
        *length = v->length;
        return variable_value(v);
    }
    element = find(v, index);
    *length = element ? element->length : 0;
    return element ? element->text : NULL;
}

const char *array_nth(const struct variable *v, size_t n, struct subscript *at, size_t *length)
{
    const struct element_value *element;

    if (v->text && n-- == 0) {
        *at = (struct subscript){.index = 0};
        if (v->flags & VARIABLE_KEYS)
            *at = (struct subscript){0, "0", 1};
        *length = v->length;
        return variable_value(v);
    }
    element = &v->elements->list[n];
    *at = (struct subscript){element->index, element->key, element->key ? strlen(element->key) : 0};
    *length = element->length;
    return element->text;
}

/* The element of that index, made if it is not there. */
static struct element_value *make(struct variable *v, long index)
{
    struct elements *elements = v->elements;
    const size_t place = place_of(elements, index);

    if (elements && place < elements->count && elements->list[place].index == index)
        return &elements->list[place];
    if (!elements || elements->count == elements->room) {
        const size_t count = elements ? elements->count : 0, room = count + count / 2 + 4;

        elements = must_realloc(elements, sizeof(*elements) + room * sizeof(*elements->list));
        elements->count = count;
        elements->room = room;
        v->elements = elements;
    }
    memmove(&elements->list[place + 1], &elements->list[place],
            (elements->count - place) * sizeof(*elements->list));
    elements->count++;
    elements->list[place] = (struct element_value){.index = index};
    return &elements->list[place];
}

/* A negative index made one from the start. 0 or -EINVAL after a message. */
static int from_start(struct shell *sh, const struct variable *v, long *index)
{
    if (*index >= 0)
        return 0;
    *index += array_end(v);
    if (*index >= 0)
        return 0;
    complain(sh, "%s: the subscript is before the first element", v->name);
    return -EINVAL;
}

static int put(struct shell *sh, struct variable *v, struct subscript at, const char *text,
               size_t length, bool append)
{
    struct element_value *element;
    long index = at.index;
    size_t before;
    char *value;
    int err = from_start(sh, v, &index);

    if (err)
        return err;
    if (index == 0)
        return append ? variable_append(sh, v, text, length) : variable_set(sh, v, text, length);
    err = variable_touch(sh, v);
    if (err)
        return err;
    element = make(v, index);
    if (at.key && !element->key)
        element->key = must_copy(at.key, at.key_length);
    before = append ? element->length : 0;
    value = must_alloc(before + length + 1);
    if (before)
        memcpy(value, element->text, before);
    memcpy(value + before, text, length);
    value[before + length] = '\0';
    free(element->text);
    element->text = value;
    element->length = before + length;
    return 0;
}

int array_set(struct shell *sh, struct variable *v, struct subscript at, const char *text,
              size_t length)
{
    return put(sh, v, at, text, length, false);
}

int array_append(struct shell *sh, struct variable *v, struct subscript at, const char *text,
                 size_t length)
{
    return put(sh, v, at, text, length, true);
}

/* Keys that had to take a later place because of one that is gone move up, or they would not be found. */
static void close_ranks(struct elements *elements, size_t place, long free_index);

int array_unset(struct shell *sh, struct variable *v, struct subscript at)
{
    struct element_value *element;
    long index = at.index;
    int err = from_start(sh, v, &index);

    if (!err)
        err = variable_touch(sh, v);
    if (err)
        return err;
    if (index == 0) {
        struct elements *const others = v->elements;
        const uint8_t keys = v->flags & VARIABLE_KEYS;

        v->elements = NULL; /* number 0 alone goes */
        err = variable_unset(sh, v);
        v->elements = others;
        v->flags |= keys;
        return err;
    }
    element = find(v, index);
    if (element) {
        struct elements *const elements = v->elements;
        const size_t place = (size_t)(element - elements->list);

        free(element->text);
        free(element->key);
        elements->count--;
        memmove(element, element + 1, (elements->count - place) * sizeof(*element));
        if (v->flags & VARIABLE_KEYS)
            close_ranks(elements, place, index);
    }
    return 0;
}

int array_clear(struct shell *sh, struct variable *v)
{
    const bool exported = v->flags & VARIABLE_EXPORT, keys = v->flags & VARIABLE_KEYS;
    const int err = variable_unset(sh, v);

    if (!err && keys)
        variable_flag(sh, v, VARIABLE_KEYS);
    if (!err && exported)
        variable_export(sh, v, true);
    return err;
}

/* FNV-1a; never 0, and far from overflow. */
static long index_of_key(const char *key, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (length == 1 && *key == '0')
        return 0;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
    return (long)(hash >> 3 & (LONG_MAX / 2)) + 1;
}

static bool has_key(const struct element_value *element, const char *key, size_t length)
{
    return strncmp(element->key, key, length) == 0 && element->key[length] == '\0';
}

static void close_ranks(struct elements *elements, size_t place, long free_index)
{
    long index = free_index + 1;

    for (size_t i = place; i < elements->count && elements->list[i].index == index; i++, index++) {
        struct element_value element = elements->list[i];

        if (index_of_key(element.key, strlen(element.key)) > free_index)
            continue;
        memmove(&elements->list[place + 1], &elements->list[place], (i - place) * sizeof(element));
        element.index = free_index;
        elements->list[place] = element;
        place = i + 1;
        free_index = index;
    }
}

static struct subscript place_of_key(const struct variable *v, const char *key, size_t length)
{
    struct subscript at = {index_of_key(key, length), key, length};

    if (at.index)
        for (const struct element_value *element;
             (element = find(v, at.index)) && !has_key(element, key, length);)
            at.index++;
    return at;
}

int array_subscript(struct shell *sh, const struct variable *v, const char *text, size_t length,
                    struct subscript *at)
{
    long long value;

    if (v->flags & VARIABLE_KEYS) {
        *at = place_of_key(v, text, length);
        return 0;
    }
    if (expand_arithmetic_text(sh, text, length, &value))
        return -1;
    if (value < LONG_MIN / 2 || value > LONG_MAX / 2) {
        complain(sh, "%lld: the subscript is out of range", value);
        return -1;
    }
    *at = (struct subscript){.index = (long)value};
    return 0;
}

bool array_reference(struct shell *sh, const char *text, size_t length, struct variable **v,
                     struct subscript *at)
{
    const char *const open = memchr(text, '[', length);
    const size_t name = open ? (size_t)(open - text) : 0;

    if (!open || text[length - 1] != ']' || !is_name_text(text, name))
        return false;
    *v = variable_intern(sh, text, name);
    return array_subscript(sh, *v, open + 1, length - name - 2, at) == 0;
}

int array_use_keys(struct shell *sh, struct variable *v)
{
    if (v->flags & VARIABLE_KEYS)
        return 0;
    if (v->elements && v->elements->count) {
        complain(sh, "%s: its elements have numbers, and cannot have keys", v->name);
        return -EINVAL;
    }
    variable_flag(sh, v, VARIABLE_KEYS);
    return 0;
}

/* --- name=( … ) ------------------------------------------------------------------------------ */

int assign_elements(struct shell *sh, struct assignment *assignment)
{
    struct variable *const v = assignment->cache;
    struct new_value {
        char *text;
        struct subscript at;
    } * values;
    const bool keys = v->flags & VARIABLE_KEYS;
    struct fields fields;
    struct subscript next = {.index = assignment->append && !keys ? array_end(v) : 0};
    size_t count = 0, room = 16;
    int err = 0;

    /* The old elements may be among the words of the new ones. */
    values = arena_alloc(&sh->arena, room * sizeof(*values));
    for (const struct element *element = assignment->elements; element; element = element->next) {
        size_t length;

        fields_begin(&fields, sh);
        if (element->subscript) {
            const char *const subscript = expand_string(sh, element->subscript, &length);
            char *text;

            if (!subscript || array_subscript(sh, v, subscript, length, &next))
                return -1;
            text = expand_string(sh, element->value, &length);
            if (!text)
                return -1;
            if (next.index < 0) {
                complain(sh, "%s: the subscript is before the first element", v->name);
                return -1;
            }
            fields_add(&fields, text);
        } else if (keys) {
            complain(sh, "%s: an element without a key", v->name);
            return -1;
        } else if (expand_fields(&fields, element->value)) {
            return -1;
        }
        for (int i = 0; i < fields.count; i++) {
            if (count == room) {
                struct new_value *const more = arena_alloc(&sh->arena, 2 * room * sizeof(*more));

                memcpy(more, values, room * sizeof(*more));
                values = more;
                room *= 2;
            }
            values[count++] = (struct new_value){fields.list[i], next};
            next.index++;
        }
    }
    if (!assignment->append)
        err = array_clear(sh, v);
    for (size_t i = 0; i < count && !err; i++) {
        /* Others may have come to the place of a key meanwhile. */
        if (keys)
            values[i].at = place_of_key(v, values[i].at.key, values[i].at.key_length);
        err = array_set(sh, v, values[i].at, values[i].text, strlen(values[i].text));
    }
    return err ? -1 : 0;
}
