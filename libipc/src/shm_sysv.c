/* SPDX-License-Identifier: MIT */
/*
 * System V segments. They cannot be made under no name and named when complete: one whose maker dies
 * between shmget and the first store has no owner and is never reclaimed.
 */
#include "call.h"
#include "shm.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

_Static_assert(sizeof(key_t) == sizeof(int), "keys are plain int in the header");

static int attach(int id, bool writable, void **mapped)
{
    const int before = errno;
    void *const at = shmat(id, NULL, writable ? 0 : SHM_RDONLY);

    if (at == (void *)-1) {
        const int err = -errno;

        errno = before;
        return err;
    }
    *mapped = at;
    return 0;
}

static void detach(void *mapped)
{
    (void)ring3_call(shmdt(mapped));
}

static int destroy(int id)
{
    return ring3_call(shmctl(id, IPC_RMID, NULL));
}

/* The prefix of a segment, copied: others may be writing to it. */
static int read_prefix(int id, size_t whole, ring3_shm_prefix_t *prefix)
{
    void *mapped = NULL;

    if (whole < sizeof *prefix)
        return -EBADMSG;
    const int err = attach(id, false, &mapped);

    if (err)
        return err;
    memcpy(prefix, mapped, sizeof *prefix);
    detach(mapped);
    return ring3_shm_prefix_check(prefix, whole);
}

static int size_of(int id, size_t *whole)
{
    struct shmid_ds about;
    const int err = ring3_call(shmctl(id, IPC_STAT, &about));

    *whole = err ? 0 : about.shm_segsz;
    return err;
}

static int remove_dead(int id)
{
    ring3_shm_prefix_t prefix;
    size_t whole;
    int err = size_of(id, &whole);

    if (!err)
        err = read_prefix(id, whole, &prefix);
    if (err)
        return err == -EINVAL || err == -EIDRM ? 0 : err; /* gone meanwhile */
    if (ring3_identity_alive(&prefix.owner) != 0)
        return -EBUSY;
    err = destroy(id);
    return err == -EINVAL || err == -EIDRM ? 0 : err; /* an id is not reused for long */
}

/* Allocate now, so that a lack of memory is an error here. */
static int populate(void *from, size_t size)
{
    const int err = ring3_retry(madvise(from, size, MADV_POPULATE_WRITE));

    if (err == -EINVAL) /* before Linux 5.14 it cannot be had */
        return 0;
    return err == -EFAULT ? -ENOMEM : err;
}

static int fill(ring3_shm_t *shm, int id, size_t size)
{
    ring3_shm_prefix_t prefix;
    void *mapped = NULL;
    int err = ring3_shm_prefix_make(&prefix, size);

    if (!err)
        err = attach(id, true, &mapped);
    if (err)
        return err;
    err = populate(mapped, sizeof prefix);
    if (!err)
        err = populate((char *)mapped + RING3_SHM_PREFIX, size);
    if (err) {
        detach(mapped);
        return err;
    }
    memcpy(mapped, &prefix, sizeof prefix);
    *shm = (ring3_shm_t){.address = (char *)mapped + RING3_SHM_PREFIX,
                         .size = size,
                         .kind = RING3_SHM_SYSV,
                         .fd = -1,
                         .id = id,
                         .mapped = mapped};
    return 0;
}

int ring3_shm_sysv_create(ring3_shm_t *shm, int key, size_t size, mode_t mode)
{
    int id, err = 0;

    if (size == 0 || size > PTRDIFF_MAX - RING3_SHM_PREFIX)
        return -EINVAL;
    while ((id = ring3_call(shmget(key, RING3_SHM_PREFIX + size,
                                   IPC_CREAT | IPC_EXCL | (int)(mode & 0777)))) == -EEXIST &&
           !err) {
        id = ring3_call(shmget(key, 0, 0));
        err = id == -ENOENT ? 0 : id < 0 ? id : remove_dead(id);
    }
    if (id < 0)
        return err ? err : id;
    err = fill(shm, id, size);
    if (err)
        (void)destroy(id);
    return err;
}

int ring3_shm_sysv_open(ring3_shm_t *shm, int key, bool writable)
{
    ring3_shm_prefix_t prefix;
    size_t whole;
    void *mapped = NULL;
    const int id = ring3_call(shmget(key, 0, 0));
    int err = id < 0 ? id : size_of(id, &whole);

    if (!err)
        err = read_prefix(id, whole, &prefix);
    if (!err)
        err = attach(id, writable, &mapped);
    if (err)
        return err;
    *shm = (ring3_shm_t){.address = (char *)mapped + RING3_SHM_PREFIX,
                         .size = whole - RING3_SHM_PREFIX,
                         .kind = RING3_SHM_SYSV,
                         .fd = -1,
                         .id = id,
                         .mapped = mapped};
    return 0;
}

int ring3_shm_sysv_remove(int key)
{
    const int id = ring3_call(shmget(key, 0, 0));

    return id < 0 ? id : destroy(id);
}

int ring3_shm_sysv_reclaim(const ring3_shm_object_t *object)
{
    return remove_dead(object->id);
}

int ring3_shm_sysv_each(int (*visit)(const ring3_shm_object_t *object, void *context),
                        void *context)
{
    struct shmid_ds about;
    struct shm_info info;
    const int last = ring3_call(shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info));
    int result = last < 0 ? last : 0;

    for (int i = 0; i <= last && !result; i++) {
        ring3_shm_object_t object = {.kind = RING3_SHM_SYSV};
        ring3_shm_prefix_t prefix;

        object.id = ring3_call(shmctl(i, SHM_STAT, &about));
        if (object.id < 0 || (about.shm_perm.mode & SHM_DEST) || /* removed, still mapped */
            read_prefix(object.id, about.shm_segsz, &prefix))
            continue;
        object.key = about.shm_perm.__key;
        object.size = (size_t)prefix.size;
        object.owner = prefix.owner;
        object.alive = ring3_identity_alive(&object.owner);
        result = visit(&object, context);
    }
    return result;
}
