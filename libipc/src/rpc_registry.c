/* SPDX-License-Identifier: MIT */
/*
 * The registry is a directory: a server of version 1.2 of `clock` listens at clock.1.2 in it. Who may serve
 * and who may call is what the directory's permissions say. A socket of a dead server is taken over by
 * the next one of the same version.
 */
#include "rpc_wire.h"

#include "call.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

int ring3_rpc_registry_address(ring3_address_t *address, const char *directory,
                               const ring3_rpc_service_t *service)
{
    char path[256];
    const int length = snprintf(path, sizeof path, "%s/%s.%u.%u", directory, service->name,
                                service->major, service->minor);

    return length < (int)sizeof path ? ring3_address_unix(address, path) : -ENAMETOOLONG;
}

/* The minor version that `entry` offers to a client of the service, or -1. */
static int offers(const char *entry, const ring3_rpc_service_t *service)
{
    const size_t length = strlen(service->name);
    unsigned major, minor;
    int end = 0;

    if (strncmp(entry, service->name, length) != 0 ||
        sscanf(entry + length, ".%5u.%5u%n", &major, &minor, &end) != 2 ||
        entry[length + (size_t)end] != '\0')
        return -1;
    return major == service->major && minor >= service->minor && minor <= UINT16_MAX ? (int)minor
                                                                                     : -1;
}

int ring3_rpc_registry_find(ring3_address_t *address, const char *directory,
                            const ring3_rpc_service_t *service)
{
    ring3_rpc_service_t best = *service;
    const int saved = errno;
    DIR *const entries = opendir(directory);
    const struct dirent *entry;
    int found = -1;

    if (!entries) {
        const int err = -errno;

        errno = saved;
        return err;
    }
    while ((entry = readdir(entries))) {
        const int minor = offers(entry->d_name, service);

        if (minor > found)
            found = minor;
    }
    closedir(entries);
    errno = saved;
    if (found < 0)
        return -ENOENT;
    best.minor = (uint16_t)found;
    return ring3_rpc_registry_address(address, directory, &best);
}
