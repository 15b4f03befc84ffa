/* SPDX-License-Identifier: MIT */
/*
 * Memory that processes share.
 *
 * kind     name                      lives until                        take it when
 * memfd    none: pass its descriptor its last user is gone              both sides are connected (default)
 * POSIX    "/name", in /dev/shm      it is removed                      they are not
 * System V a key                     it is removed                      an old program wants it
 * file     a path                    for ever; holds its content        the data outlive the processes
 *
 *     err = ring3_shm_create(&shm, size);               // pass shm.fd to the peer, who calls
 *     err = ring3_shm_attach(&shm, fd, true);
 *
 * All storage is allocated when the memory is made: lack of it is -ENOSPC or -ENOMEM then, and not
 * SIGBUS later. POSIX and System V objects carry their maker's identity in front of the memory: when the
 * maker is dead, ring3_shm_reclaim (the command `ring3 ipc gc`) removes the name, as does the next one who
 * wants to make it; those who have it mapped keep their memory.
 *
 * A memfd from here is sealed: nobody can change its size. Objects of the other kinds can be cut short by
 * whoever may write them: share those only with processes you trust.
 *
 * Mappings are inherited by fork. Thread-safe, one thread per ring3_shm_t; not async-signal-safe.
 */
#ifndef RING3_SHM_H
#define RING3_SHM_H

#include "ring3/api.h"
#include "ring3/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

RING3_API_BEGIN

typedef enum ring3_shm_kind {
    RING3_SHM_MEMFD,
    RING3_SHM_POSIX,
    RING3_SHM_SYSV,
    RING3_SHM_FILE,
} ring3_shm_kind_t;

#define RING3_SHM_NAME 256

typedef struct ring3_shm {
    void *address; /* page-aligned, zeroed when new */
    size_t size;
    ring3_shm_kind_t kind;
    int fd;       /* memfd: to pass on; otherwise -1 */
    int id;       /* System V: the segment's id; otherwise -1 */
    void *mapped; /* where the mapping, with the owner's page if any, begins */
} ring3_shm_t;

/** New memory without a name. @return 0; -ENOMEM, -ENOSPC, -EMFILE, -EINVAL (size 0) */
int ring3_shm_create(ring3_shm_t *shm, size_t size);

/** Map the memfd a peer has sent; `fd` stays the caller's. Its size must be sealed.
 * @return 0; -EPERM (it can change its size, or may not be written), -EINVAL (no memfd, or empty) */
int ring3_shm_attach(ring3_shm_t *shm, int fd, bool writable);

/**
 * Make a POSIX object, whose name is '/' and one component. A name whose owner is dead is replaced.
 * @return 0; -EBUSY (a living process owns it), -EBADMSG (it is not from here: left alone), -ENOSPC,
 *         -EINVAL, -ENAMETOOLONG
 */
int ring3_shm_posix_create(ring3_shm_t *shm, const char *name, size_t size, mode_t mode);

/** Map one that exists. @return 0; -ENOENT, -EACCES, -EBADMSG (not from here, or damaged) */
int ring3_shm_posix_open(ring3_shm_t *shm, const char *name, bool writable);
int ring3_shm_posix_remove(const char *name);

/** The same for System V segments. One that is just being made counts as -EBADMSG. @return also -ENOSPC: /proc/sys/kernel/shmmni or shmall is reached */
int ring3_shm_sysv_create(ring3_shm_t *shm, int key, size_t size, mode_t mode);
int ring3_shm_sysv_open(ring3_shm_t *shm, int key, bool writable);
int ring3_shm_sysv_remove(int key);

/** Map a file, shared. With size 0 as long as it is; otherwise it is made if missing, and grown with real
 * storage. @return 0; -EINVAL (empty), -EISDIR, -ENOSPC, … */
int ring3_shm_file_open(ring3_shm_t *shm, const char *path, size_t size, bool writable,
                        mode_t mode);

/** Unmap, and close shm->fd. Names stay. */
void ring3_shm_close(ring3_shm_t *shm);

/* --- What is there, and what the dead have left ------------------------------------------------ */

typedef struct ring3_shm_object {
    ring3_shm_kind_t kind;     /* POSIX or SYSV */
    char name[RING3_SHM_NAME]; /* POSIX: with its '/' */
    int key;                   /* System V: a key_t */
    int id;
    size_t size;
    ring3_identity_t owner;
    int alive; /* as ring3_identity_alive: 1, 0, or negative if it cannot be judged */
} ring3_shm_object_t;

/** Call `visit` for every object with an owner, until it returns other than 0, which is then the result.
 * Objects the caller may not read are passed over. @return 0; -ENOENT (no /dev/shm), … */
int ring3_shm_each(int (*visit)(const ring3_shm_object_t *object, void *context), void *context);

/** Remove the object if its owner is dead, checked again now. @return 0 (also if it is gone already);
 * -EBUSY (its owner lives, or cannot be judged), -EACCES, -EPERM */
int ring3_shm_reclaim(const ring3_shm_object_t *object);

RING3_API_END

#endif
