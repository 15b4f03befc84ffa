/* SPDX-License-Identifier: MIT */
#ifndef SCHED_TOP_H
#define SCHED_TOP_H

/* `ring3 sched top`: the workers and threads of a running process. argv[0] is "top". */
int sched_top(int argc, char **argv);

#endif
