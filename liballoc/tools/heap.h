/* SPDX-License-Identifier: MIT */
/* The verbs of `ring3 heap`. argv[0] is the verb; the result is the exit status. */
#ifndef RING3_HEAP_H
#define RING3_HEAP_H

int heap_top(int argc, char **argv);
int heap_compare(int argc, char **argv);
int heap_replay(int argc, char **argv);
int heap_map(int argc, char **argv);
int heap_profile(int argc, char **argv);

#endif
