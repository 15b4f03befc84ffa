/* SPDX-License-Identifier: MIT */
/*
 * Verbs of the `ring3` command. Each library defines its own in a file under its tools/ folder:
 *
 *     static int heap(int argc, char **argv) { … }
 *     RING3_VERB(heap, "show and compare heaps", heap);
 *
 * argv[0] is the verb. The result is the exit status: 2 for arguments that are wrong, and 0 for
 * `--help`, which every verb understands (`ring3 help heap` asks for it).
 */
#ifndef RING3_VERB_H
#define RING3_VERB_H

struct ring3_verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

/* The linker gathers the pointers of all object files into one array from __start_ring3_verbs to
 * __stop_ring3_verbs. */
#define RING3_VERB(name_, summary_, run_)                                                          \
    static const struct ring3_verb ring3_verb_##name_ = {#name_, summary_, run_};                  \
    __attribute__((section("ring3_verbs"),                                                         \
                   used)) static const struct ring3_verb *const ring3_verb_##name_##_entry =       \
        &ring3_verb_##name_

#endif
