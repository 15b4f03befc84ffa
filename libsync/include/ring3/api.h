/* SPDX-License-Identifier: MIT */
/*
 * What surrounds the declarations of every public header: C linkage for C++, and visibility outside
 * the shared library (everything else is built with -fvisibility=hidden).
 */
#ifndef RING3_API_H
#define RING3_API_H

#ifdef __cplusplus
#define RING3_API_BEGIN                                                                            \
    extern "C" {                                                                                   \
    _Pragma("GCC visibility push(default)")
#define RING3_API_END                                                                              \
    _Pragma("GCC visibility pop")                                                                  \
    }
#else
#define RING3_API_BEGIN _Pragma("GCC visibility push(default)")
#define RING3_API_END   _Pragma("GCC visibility pop")
#endif

#endif
