/* SPDX-License-Identifier: MIT */
/*
 * operator new and operator delete in every form, by their mangled names (Itanium C++ ABI, 5.1), so
 * that this object needs no C++ library: m is size_t, Pv is void *, St11align_val_t an alignment,
 * RKSt9nothrow_t a reference that is not looked at.
 *
 * When memory runs out, new calls the new-handler until it helps, and throws std::bad_alloc when
 * there is none. Both belong to the program's C++ library, wherever that came from: linked (the
 * weak references below), or opened later (looked up by name). A C program that gets here without
 * any has nobody to catch an exception, and ends.
 *
 * The forms that do not throw must turn a handler's exception into NULL, which takes a catch block;
 * the C++ library's own such form has one around its call of operator new, which is ours. It is
 * asked only when there is a handler.
 *
 * Source: ISO C++17 [new.delete]. Compiled with -fexceptions: the exception passes through here.
 */
#include "ring3/malloc.h"

#include "ring3/env.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#define PUBLIC              __attribute__((visibility("default")))

#define NEW_NOTHROW         "_ZnwmRKSt9nothrow_t"
#define NEW_ALIGNED_NOTHROW "_ZnwmSt11align_val_tRKSt9nothrow_t"

typedef void new_handler(void);

/* std::get_new_handler() and std::__throw_bad_alloc() */
extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
extern _Noreturn void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

union symbol {
    void *address;
    new_handler *(*get_new_handler)(void);
    void (*throw_bad_alloc)(void);
    void *(*new_nothrow)(size_t size, const void *nothrow);
    void *(*new_aligned_nothrow)(size_t size, size_t alignment, const void *nothrow);
};

/* In the C++ library that was opened after the program started, also if only for some objects. */
static union symbol find_late(const char *name)
{
    union symbol found = {.address = dlsym(RTLD_DEFAULT, name)};
    void *library;

    if (!found.address && (library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD))) {
        found.address = dlsym(library, name);
        dlclose(library);
    }
    return found;
}

static new_handler *current_handler(void)
{
    union symbol get = {.get_new_handler = _ZSt15get_new_handlerv};

    if (!get.address)
        get = find_late("_ZSt15get_new_handlerv");
    return get.address ? get.get_new_handler() : NULL;
}

_Noreturn static void throw_bad_alloc(void)
{
    static const char *const line[] = {
        "ring3 malloc: operator new: out of memory, and no C++ library to throw std::bad_alloc"};
    union symbol throw_it = {.throw_bad_alloc = _ZSt17__throw_bad_allocv};

    if (!throw_it.address)
        throw_it = find_late("_ZSt17__throw_bad_allocv");
    if (throw_it.address)
        throw_it.throw_bad_alloc();
    ring3_env_complain(line, 1);
    abort();
}

static void *allocate(size_t size, size_t alignment)
{
    return alignment ? ring3_memalign(alignment, size) : ring3_malloc(size);
}

/* alignment 0: the natural one. Out of line, to keep the callers small. */
__attribute__((noinline)) static void *new_slowly(size_t size, size_t alignment)
{
    new_handler *handler;
    void *block;

    do {
        handler = current_handler();
        if (!handler)
            throw_bad_alloc();
        handler();
        block = allocate(size, alignment);
    } while (!block);
    return block;
}

__attribute__((noinline)) static void *new_slowly_nothrow(size_t size, size_t alignment,
                                                          const void *nothrow)
{
    union symbol next;

    if (!current_handler())
        return NULL;
    next.address = dlsym(RTLD_NEXT, alignment ? NEW_ALIGNED_NOTHROW : NEW_NOTHROW);
    if (!next.address)
        next = find_late(alignment ? NEW_ALIGNED_NOTHROW : NEW_NOTHROW);
    if (!next.address)
        return NULL;
    return alignment ? next.new_aligned_nothrow(size, alignment, nothrow)
                     : next.new_nothrow(size, nothrow);
}

static inline void *new_or_throw(size_t size, size_t alignment)
{
    void *const block = allocate(size, alignment);

    return __builtin_expect(block != NULL, 1) ? block : new_slowly(size, alignment);
}

static inline void *new_or_null(size_t size, size_t alignment, const void *nothrow)
{
    void *const block = allocate(size, alignment);

    return __builtin_expect(block != NULL, 1) ? block
                                              : new_slowly_nothrow(size, alignment, nothrow);
}

/* --- operator new and new[] ------------------------------------------------------------------- */

void *_Znwm(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);
void *_Znam(size_t size);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnamSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow);

PUBLIC void *_Znwm(size_t size)
{
    return new_or_throw(size, 0);
}

PUBLIC void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
    return new_or_null(size, 0, nothrow);
}

PUBLIC void *_ZnwmSt11align_val_t(size_t size, size_t alignment)
{
    return new_or_throw(size, alignment);
}

PUBLIC void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow)
{
    return new_or_null(size, alignment, nothrow);
}

PUBLIC void *_Znam(size_t size)
{
    return new_or_throw(size, 0);
}

PUBLIC void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
    return new_or_null(size, 0, nothrow);
}

PUBLIC void *_ZnamSt11align_val_t(size_t size, size_t alignment)
{
    return new_or_throw(size, alignment);
}

PUBLIC void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment, const void *nothrow)
{
    return new_or_null(size, alignment, nothrow);
}

/* --- operator delete and delete[] ------------------------------------------------------------- */

void _ZdlPv(void *block);
void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdlPvm(void *block, size_t size);
void _ZdlPvSt11align_val_t(void *block, size_t alignment);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow);
void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment);
void _ZdaPv(void *block);
void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow);
void _ZdaPvm(void *block, size_t size);
void _ZdaPvSt11align_val_t(void *block, size_t alignment);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow);
void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment);

PUBLIC void _ZdlPv(void *block)
{
    ring3_free(block);
}

PUBLIC void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
    (void)nothrow;
    ring3_free(block);
}

PUBLIC void _ZdlPvm(void *block, size_t size)
{
    ring3_free_sized(block, size);
}

PUBLIC void _ZdlPvSt11align_val_t(void *block, size_t alignment)
{
    (void)alignment;
    ring3_free(block);
}

PUBLIC void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow)
{
    (void)alignment;
    (void)nothrow;
    ring3_free(block);
}

PUBLIC void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
    ring3_free_aligned_sized(block, alignment, size);
}

PUBLIC void _ZdaPv(void *block)
{
    ring3_free(block);
}

PUBLIC void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
    (void)nothrow;
    ring3_free(block);
}

PUBLIC void _ZdaPvm(void *block, size_t size)
{
    ring3_free_sized(block, size);
}

PUBLIC void _ZdaPvSt11align_val_t(void *block, size_t alignment)
{
    (void)alignment;
    ring3_free(block);
}

PUBLIC void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment, const void *nothrow)
{
    (void)alignment;
    (void)nothrow;
    ring3_free(block);
}

PUBLIC void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
    ring3_free_aligned_sized(block, alignment, size);
}
