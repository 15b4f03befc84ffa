/* SPDX-License-Identifier: MIT */
/*
 * Indexed arrays, an extension. Element 0 is the value of the variable, as everywhere where there are arrays; the others
 * are kept in order of their indices, so that adding at the end is cheap and holes cost nothing.
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
    }
    return copy;
}

void elements_free(struct elements *elements)
{
    for (size_t i = 0; elements && i < elements->count; i++)
        free(elements->list[i].text);
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

const char *array_get(const struct variable *v, long index, size_t *length)
{
    const struct element_value *element;

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

const char *array_nth(const struct variable *v, size_t n, long *index, size_t *length)
{
    if (v->text && n-- == 0) {
        *index = 0;
        *length = v->length;
        return variable_value(v);
    }
    *index = v->elements->list[n].index;
    *length = v->elements->list[n].length;
    return v->elements->list[n].text;
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

static int put(struct shell *sh, struct variable *v, long index, const char *text, size_t length,
               bool append)
{
    struct element_value *element;
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

int array_set(struct shell *sh, struct variable *v, long index, const char *text, size_t length)
{
    return put(sh, v, index, text, length, false);
}

int array_append(struct shell *sh, struct variable *v, long index, const char *text, size_t length)
{
    return put(sh, v, index, text, length, true);
}

int array_unset(struct shell *sh, struct variable *v, long index)
{
    struct element_value *element;
    int err = from_start(sh, v, &index);

    if (!err)
        err = variable_touch(sh, v);
    if (err)
        return err;
    if (index == 0) {
        struct elements *const others = v->elements;

        v->elements = NULL; /* number 0 alone goes */
        err = variable_unset(sh, v);
        v->elements = others;
        return err;
    }
    element = find(v, index);
    if (element) {
        struct elements *const elements = v->elements;
        const size_t place = (size_t)(element - elements->list);

        free(element->text);
        elements->count--;
        memmove(element, element + 1, (elements->count - place) * sizeof(*element));
    }
    return 0;
}

int array_clear(struct shell *sh, struct variable *v)
{
    const bool exported = v->flags & VARIABLE_EXPORT;
    const int err = variable_unset(sh, v);

    if (!err && exported)
        variable_export(sh, v, true);
    return err;
}

int array_index(struct shell *sh, const char *text, size_t length, long *index)
{
    long long value;

    if (expand_arithmetic_text(sh, text, length, &value))
        return -1;
    if (value < LONG_MIN / 2 || value > LONG_MAX / 2) {
        complain(sh, "%lld: the subscript is out of range", value);
        return -1;
    }
    *index = (long)value;
    return 0;
}

bool array_reference(struct shell *sh, const char *text, size_t length, struct variable **v,
                     long *index)
{
    const char *const open = memchr(text, '[', length);
    const size_t name = open ? (size_t)(open - text) : 0;

    if (!open || text[length - 1] != ']' || !is_name_text(text, name))
        return false;
    *v = variable_intern(sh, text, name);
    return array_index(sh, open + 1, length - name - 2, index) == 0;
}

/* --- name=( … ) ------------------------------------------------------------------------------ */

int assign_elements(struct shell *sh, struct assignment *assignment)
{
    struct variable *const v = assignment->cache;
    struct new_value {
        char *text;
        long index;
    } * values;
    struct fields fields;
    long next = assignment->append ? array_end(v) : 0;
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

            if (!subscript || array_index(sh, subscript, length, &next))
                return -1;
            text = expand_string(sh, element->value, &length);
            if (!text)
                return -1;
            if (next < 0) {
                complain(sh, "%s: the subscript is before the first element", v->name);
                return -1;
            }
            fields_add(&fields, text);
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
            values[count++] = (struct new_value){fields.list[i], next++};
        }
    }
    if (!assignment->append)
        err = array_clear(sh, v);
    for (size_t i = 0; i < count && !err; i++)
        err = array_set(sh, v, values[i].index, values[i].text, strlen(values[i].text));
    return err ? -1 : 0;
}
