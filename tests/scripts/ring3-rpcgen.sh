#!/bin/bash
# SPDX-License-Identifier: MIT
# The verb `ring3 rpcgen`: what it writes compiles and works; what is wrong in a definition is told with its line.
. "$(dirname "$0")/../tap.sh"

ring3=$top/$B/bin/ring3
includes="-I$top/libipc/include -I$top/libsync/include -I$work"
archives="$top/$B/lib/libring3-ipc.a $top/$B/lib/libring3-alloc.a $top/$B/lib/libring3-sync.a -lpthread"

cat >"$work/clock.idl" <<'END'
service clock 1.0 {
    struct date { u16 year; u8 month; u8 day; }
    call later(date from, u32 days) -> (date to);
    oneway note(string<200> text);
}
END
cat >"$work/use.c" <<'END'
#include "clock.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static int later(ring3_rpc_call_t *call, const struct clock_later_in *in, struct clock_later_out *out)
{
    (void)call;
    out->to = in->from;
    out->to.day = (uint8_t)(in->from.day + in->days);
    return 0;
}
int main(int argc, char **argv)
{
    static ring3_rpc_server_t server;
    static ring3_rpc_client_t client;
    struct clock_later_out out;
    const struct clock_handlers handlers = {.later = later};
    if (argc != 2 || ring3_rpc_server_open(&server, &clock_service, &handlers, NULL) ||
        ring3_rpc_server_register(&server, argv[1]))
        return 1;
    const pid_t pid = fork();
    if (pid == 0)
        return ring3_rpc_bind(&client, &clock_service, argv[1], NULL) ||
               clock_later(&client, &(struct clock_later_in){{2024, 2, 27}, 2}, &out, NULL) ||
               out.to.year != 2024 || out.to.day != 29;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        const struct timespec soon = ring3_deadline_in(CLOCK_MONOTONIC, 10000000);
        (void)ring3_rpc_server_turn(&server, &soon);
    }
    ring3_rpc_server_close(&server);
    return status != 0;
}
END

try "a definition becomes C" "$ring3" rpcgen -d "$work" "$work/clock.idl"
# shellcheck disable=SC2086
try "which compiles without a warning" $CC -std=gnu17 -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Werror \
    $includes -o "$work/use" "$work/use.c" "$work/clock.c" $archives
# shellcheck disable=SC2086
try "and in C++ too, as far as the header goes" $CXX -std=c++17 -Wall -Wextra -Werror $includes -x c++ -fsyntax-only "$work/clock.h"
mkdir "$work/run"
try "and works" "$work/use" "$work/run"
try "leaving nothing" is "" ls "$work/run"

# wrong LINE MESSAGE DEFINITION
wrong() {
    printf '%s\n' "$3" >"$work/wrong.idl"
    "$ring3" rpcgen -d "$work" "$work/wrong.idl" 2>"$work/said"
    [ $? = 1 ] && grep -q "wrong.idl:$1: $2" "$work/said" || { cat "$work/said"; return 1; }
}
try "no service" wrong 2 "expected 'service'" ""
try "an unknown type" wrong 2 "'u7' is no type" $'service a 1.0 {\n call b(u7 c);\n}'
try "a struct within itself" wrong 2 "struct s cannot contain itself" $'service a 1.0 {\n struct s { s x; }\n call b();\n}'
try "a call twice" wrong 3 "there are two calls 'b'" $'service a 1.0 {\n call b();\n call b();\n}'
try "an array of descriptors" wrong 2 "descriptors come one by one" $'service a 1.0 {\n call b(fd c[3]);\n}'
try "a string without its maximum" wrong 2 "expected '<'" $'service a 1.0 {\n call b(string c);\n}'
try "a service without calls" wrong 2 "service a has no calls" 'service a 1.0 {}'
try "a file that is not there is status 1" gives 1 "$ring3" rpcgen "$work/none.idl"
try "no file is status 2" gives 2 "$ring3" rpcgen
try "help says what it does" says "usage: ring3 rpcgen" "$ring3" rpcgen --help
