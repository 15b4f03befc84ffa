/* SPDX-License-Identifier: MIT */
/* Thread-specific values. A thread's array of them is made when it sets the first. */
#include "runtime.h"

#include <errno.h>
#include <stdlib.h>

struct key {
    bool used;
    void (*destroy)(void *value);
};

/* Keys are the process's, as with pthreads. */
static struct key keys[RING3_KEYS];
/* Guards them, and the arrays of threads against ring3_key_delete. */
static struct kernel_lock lock;

/* How often destructors may set values anew (POSIX: at least 4). */
#define DESTRUCTOR_TURNS 4

int ring3_key_create(unsigned *key, void (*destroy)(void *value))
{
    unsigned i = 0;

    kernel_lock(&lock);
    while (i < RING3_KEYS && keys[i].used)
        i++;
    if (i < RING3_KEYS)
        keys[i] = (struct key){true, destroy};
    kernel_unlock(&lock);
    if (i == RING3_KEYS)
        return -EAGAIN;
    *key = i;
    return 0;
}

int ring3_key_delete(unsigned key)
{
    bool used;

    if (key >= RING3_KEYS)
        return -EINVAL;
    kernel_lock(&lock);
    used = keys[key].used;
    keys[key] = (struct key){false, NULL};
    /* The next owner of the key must not find values of this one. */
    for (uint32_t i = 0; used; i++) {
        struct thread *const thread = table_at(i);

        if (!thread)
            break;
        if (thread->values)
            ring3_store(&thread->values[key], NULL, RING3_RELAXED);
    }
    kernel_unlock(&lock);
    return used ? 0 : -EINVAL;
}

void *ring3_key_get(unsigned key)
{
    const struct thread *const self = thread_here();

    return self && self->values && key < RING3_KEYS ? ring3_load(&self->values[key], RING3_RELAXED)
                                                    : NULL;
}

int ring3_key_set(unsigned key, void *value)
{
    struct thread *const self = thread_here();

    if (!self)
        return -EPERM;
    if (key >= RING3_KEYS || !keys[key].used)
        return -EINVAL;
    if (!self->values) {
        void **const values = calloc(RING3_KEYS, sizeof *values);

        if (!values)
            return -ENOMEM;
        kernel_lock(&lock);
        self->values = values;
        kernel_unlock(&lock);
    }
    ring3_store(&self->values[key], value, RING3_RELAXED);
    return 0;
}

void keys_destroy(struct thread *self)
{
    bool found = self->values != NULL;

    for (int turn = 0; found && turn < DESTRUCTOR_TURNS; turn++) {
        found = false;
        for (unsigned key = 0; key < RING3_KEYS; key++) {
            void *const value = self->values[key];
            void (*destroy)(void *);

            if (!value)
                continue;
            ring3_store(&self->values[key], NULL, RING3_RELAXED);
            kernel_lock(&lock);
            destroy = keys[key].destroy;
            kernel_unlock(&lock);
            if (destroy) {
                destroy(value);
                found = true;
            }
        }
    }
    if (self->values) {
        void **const values = self->values;

        kernel_lock(&lock);
        self->values = NULL;
        kernel_unlock(&lock);
        free(values);
    }
}
