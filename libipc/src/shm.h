/* SPDX-License-Identifier: MIT */
/* The page in front of named memory, which says what it is and whose. */
#ifndef RING3_IPC_SHM_H
#define RING3_IPC_SHM_H

#include "ring3/identity.h"
#include "ring3/shm.h"

#define RING3_SHM_FOLDER "/dev/shm"
#define RING3_SHM_MAGIC  UINT64_C(0x31306d6873336772) /* "rg3shm01" */

/* A whole page of the largest size in use (64 KiB, aarch64), so that the memory behind it is aligned on
 * every machine. Only its first page takes storage. */
#define RING3_SHM_PREFIX ((size_t)65536)

typedef struct ring3_shm_prefix {
    uint64_t magic;
    uint64_t size; /* of the memory, without the prefix */
    ring3_identity_t owner;
} ring3_shm_prefix_t;

/* The prefix for new memory of this process. */
int ring3_shm_prefix_make(ring3_shm_prefix_t *prefix, size_t size);

/* 0 if it is one, and fits an object of `whole` bytes; -EBADMSG. Give it a private copy: others may write
 * to the original. */
int ring3_shm_prefix_check(const ring3_shm_prefix_t *prefix, size_t whole);

/* For ring3/stale.h: the owner of an open POSIX object. */
int ring3_shm_read_owner(int fd, ring3_identity_t *owner);
int ring3_shm_read_prefix(int fd, ring3_shm_prefix_t *prefix);

/* The System V part of ring3_shm_each and ring3_shm_reclaim. */
int ring3_shm_sysv_each(int (*visit)(const ring3_shm_object_t *object, void *context),
                        void *context);
int ring3_shm_sysv_reclaim(const ring3_shm_object_t *object);

#endif
