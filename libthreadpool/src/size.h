/* SPDX-License-Identifier: MIT */
#ifndef RING3_POOL_SIZE_H
#define RING3_POOL_SIZE_H

/* The smallest CPU quota, in whole CPUs rounded up, of the cgroup `path` below the mounted hierarchy
 * `root` and of its ancestors; 0 if there is none. */
unsigned size_quota(const char *root, const char *path);

#endif
