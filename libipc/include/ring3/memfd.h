/* SPDX-License-Identifier: MIT */
/*
 * Memory behind a descriptor, without a name: it vanishes with the last descriptor and mapping,
 * however its users die.
 *
 *     int fd = ring3_memfd_create("frames", size);            // all pages allocated
 *     err = ring3_memfd_seal(fd, RING3_MEMFD_FIXED);          // then pass it to a peer, who calls
 *     err = ring3_memfd_check(fd, RING3_MEMFD_FIXED, &size);  // before mapping it
 *
 * Why the peer checks: a file that somebody can still shrink raises SIGBUS in everyone who maps it.
 *
 * Thread-safe; async-signal-safe. Source: memfd_create(2), fcntl(2) "File Sealing".
 */
#ifndef RING3_MEMFD_H
#define RING3_MEMFD_H

#include "ring3/api.h"

#include <stdint.h>

RING3_API_BEGIN

#define RING3_F_SEAL_SEAL         0x0001
#define RING3_F_SEAL_SHRINK       0x0002
#define RING3_F_SEAL_GROW         0x0004
#define RING3_F_SEAL_WRITE        0x0008
#define RING3_F_SEAL_FUTURE_WRITE 0x0010

/** The size can never change again, nor can the seals. */
#define RING3_MEMFD_FIXED (RING3_F_SEAL_SHRINK | RING3_F_SEAL_GROW | RING3_F_SEAL_SEAL)
/** Fixed, and later writers see it read-only; mappings that exist stay writable. */
#define RING3_MEMFD_PUBLISHED (RING3_MEMFD_FIXED | RING3_F_SEAL_FUTURE_WRITE)
/** Fixed, and nobody can write: needs that no writable mapping exists (-EBUSY). */
#define RING3_MEMFD_CONSTANT (RING3_MEMFD_FIXED | RING3_F_SEAL_WRITE)

/**
 * Create zeroed memory of `size` bytes, close-on-exec, sealable, not executable (where the kernel
 * has MFD_NOEXEC_SEAL, Linux 6.3). The pages are allocated now.
 *
 * @param name  shown in /proc/PID/maps, at most 249 bytes; need not be unique
 * @return a descriptor; -ENOMEM or -ENOSPC (no memory for it), -EMFILE, -EINVAL
 */
int ring3_memfd_create(const char *name, uint64_t size);

/** Add RING3_F_SEAL_* bits. @return 0; -EPERM (sealed against sealing, or not open for writing),
 * -EBUSY (F_SEAL_WRITE while somebody has it mapped for writing), -EINVAL (cannot be sealed) */
int ring3_memfd_seal(int fd, unsigned seals);

/** The seals on it, for any descriptor of a memfd. @return bits; -EINVAL for other files */
int ring3_memfd_seals(int fd);

/**
 * Verify what a peer sent: a memfd that has at least `seals`, which must include
 * RING3_F_SEAL_SHRINK.
 *
 * @param size  receives the size, read after the seals, so that it can no longer shrink
 * @return 0; -EPERM (a seal is missing), -EINVAL (no memfd, or seals without SHRINK)
 */
int ring3_memfd_check(int fd, unsigned seals, uint64_t *size);

RING3_API_END

#endif
