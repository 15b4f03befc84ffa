/* SPDX-License-Identifier: MIT */
#include "call.h"
#include "ring3/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

_Static_assert(sizeof((ring3_listener_t){0}.path) == sizeof((struct sockaddr_un){0}.sun_path),
               "a listener keeps the path of its address");

int ring3_address_unix(ring3_address_t *address, const char *name)
{
    struct sockaddr_un *const un = (struct sockaddr_un *)&address->storage;
    const size_t length = strlen(name);

    if (length == 0)
        return -EINVAL;
    if (length >= sizeof un->sun_path)
        return -ENAMETOOLONG;
    memset(address, 0, sizeof *address);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, name, length);
    if (name[0] == '@') { /* a zero byte and the name, whose end the length gives */
        un->sun_path[0] = '\0';
        address->length = (socklen_t)(PATH_OFFSET + length);
    } else {
        address->length = (socklen_t)(PATH_OFFSET + length + 1);
    }
    return 0;
}

int ring3_address_ip(ring3_address_t *address, const char *host, uint16_t port)
{
    struct sockaddr_in *const in = (struct sockaddr_in *)&address->storage;
    struct sockaddr_in6 *const in6 = (struct sockaddr_in6 *)&address->storage;

    memset(address, 0, sizeof *address);
    if (ring3_call(inet_pton(AF_INET, host, &in->sin_addr)) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        address->length = sizeof *in;
        return 0;
    }
    if (ring3_call(inet_pton(AF_INET6, host, &in6->sin6_addr)) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        address->length = sizeof *in6;
        return 0;
    }
    return -EINVAL;
}

uint16_t ring3_address_port(const ring3_address_t *address)
{
    switch (address->storage.ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    default:
        return 0;
    }
}

/* Never trusts that a name ends or prints: abstract ones hold any bytes. */
static void format_unix(const ring3_address_t *address, char text[RING3_ADDRESS_TEXT])
{
    const struct sockaddr_un *const un = (const struct sockaddr_un *)&address->storage;
    size_t length = address->length > PATH_OFFSET ? address->length - PATH_OFFSET : 0;

    if (length > sizeof un->sun_path)
        length = sizeof un->sun_path;
    if (length > 0 && un->sun_path[0] != '\0')
        length = strnlen(un->sun_path, length);
    for (size_t i = 0; i < length; i++) {
        const char c = un->sun_path[i];

        text[i] = i == 0 && c == '\0' ? '@' : c >= ' ' && c <= '~' ? c : '?';
    }
    text[length] = '\0';
}

void ring3_address_format(const ring3_address_t *address, char text[RING3_ADDRESS_TEXT])
{
    const struct sockaddr_in *const in = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *const in6 = (const struct sockaddr_in6 *)&address->storage;
    char host[INET6_ADDRSTRLEN];
    const unsigned port = ring3_address_port(address);

    text[0] = '\0';
    switch (address->length > 0 ? address->storage.ss_family : AF_UNSPEC) {
    case AF_UNIX:
        format_unix(address, text);
        break;
    case AF_INET:
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, RING3_ADDRESS_TEXT, "%s:%u", host, port);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, RING3_ADDRESS_TEXT, "[%s]:%u", host, port);
        break;
    default:
        break;
    }
}

int ring3_socket_name(int fd, ring3_address_t *address)
{
    address->length = sizeof address->storage;
    return ring3_call(getsockname(fd, (struct sockaddr *)&address->storage, &address->length));
}

int ring3_socket_peer(int fd, ring3_address_t *address)
{
    address->length = sizeof address->storage;
    return ring3_call(getpeername(fd, (struct sockaddr *)&address->storage, &address->length));
}
