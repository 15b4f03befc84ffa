/* SPDX-License-Identifier: MIT */
/* The channels of another process, read without its help. */
#ifndef RING3_IPC_WATCH_H
#define RING3_IPC_WATCH_H

#include "ring3/channel.h"

/* `ring3 ipc top …` and `ring3 ipc tap …`: argv[0] is "top" or "tap". Exit status. */
int ipc_top(int argc, char **argv);
int ipc_tap(int argc, char **argv);

/* `ring3 ipc bench …` */
int ipc_bench(int argc, char **argv);

#endif
