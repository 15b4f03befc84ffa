/* SPDX-License-Identifier: MIT */
/*
 * A program at the other end of pipes: give it input, take its output, without the deadlock in
 * which both sides wait for the other to read.
 *
 *     ring3_subprocess_t sort;
 *     ring3_talk_t talk = {.input = text, .input_size = length, .output = room, .output_size =
 * sizeof room};
 *
 *     err = ring3_subprocess_start(&sort, &plan, RING3_SUBPROCESS_INPUT | RING3_SUBPROCESS_OUTPUT);
 *     err = ring3_subprocess_talk(&sort, &talk, deadline);
 *     ring3_subprocess_close(&sort);
 *     err = ring3_process_wait(&sort.process, 0, deadline, &status);
 *
 * One thread at a time; otherwise as ring3/spawn.h.
 */
#ifndef RING3_SUBPROCESS_H
#define RING3_SUBPROCESS_H

#include "ring3/api.h"
#include "ring3/spawn.h"

#include <stddef.h>

RING3_API_BEGIN

typedef struct ring3_subprocess {
    ring3_process_t process;
    int input;  /* write here: the program's descriptor 0; -1 if closed or not asked for */
    int output; /* read here: its descriptor 1 */
    int errors; /* read here: its descriptor 2 */
} ring3_subprocess_t;

#define RING3_SUBPROCESS_INPUT  1u
#define RING3_SUBPROCESS_OUTPUT 2u
#define RING3_SUBPROCESS_ERRORS 4u
#define RING3_SUBPROCESS_MERGED 8u /* descriptor 2 goes where 1 goes */

/** Start the program with pipes to the descriptors that `pipes` names. Its plan comes after them
 * and may override them. @return as ring3_spawn, and -EMFILE; on failure nothing is left open */
int ring3_subprocess_start(ring3_subprocess_t *sub, const ring3_spawn_plan_t *plan, unsigned pipes);

/** What to say and where to put the answers; the sizes done count up, so the call can be repeated.
 */
typedef struct ring3_talk {
    const void *input;
    size_t input_size, input_done;
    void *output;
    size_t output_size, output_got;
    void *errors;
    size_t errors_size, errors_got;
} ring3_talk_t;

/**
 * Send the input and collect output and errors until the program closes both. The program's input
 * is closed when all is sent. A program that stops reading is no error: input_done tells.
 *
 * @return 0; -ETIMEDOUT, or -ENOBUFS when there is more than one of the buffers holds: call again,
 * in the second case with more room
 */
int ring3_subprocess_talk(ring3_subprocess_t *sub, ring3_talk_t *talk,
                          const struct timespec *deadline);

/** Close our ends of the pipes. The process is left to be waited for. */
void ring3_subprocess_close(ring3_subprocess_t *sub);

RING3_API_END

#endif
