/* SPDX-License-Identifier: MIT */
/*
 * One small misuse of the heap for each name. A program that gets to its end says what came of it:
 * "harmless" if nothing was damaged or disclosed, "damage" if something was or may have been.
 * tests/scripts/heap-misuse.sh compares with the table in liballoc/MISUSE.md.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* The compiler knows what malloc and free mean, and would warn, or leave the misuse out. */
static void *(*volatile allocate)(size_t) = malloc;
static void (*volatile release)(void *) = free;
static void *(*volatile resize)(void *, size_t) = realloc;
static void *(*volatile allocate_array)(size_t, size_t) = calloc;
static void *(*volatile resize_array)(void *, size_t, size_t) = reallocarray;
static void *(*volatile allocate_aligned)(size_t, size_t) = aligned_alloc;
static size_t (*volatile usable)(void *) = malloc_usable_size;
typedef volatile unsigned char byte;

static int damage = 1; /* what most of them are unless somebody stops them */
static byte sink;
static byte on_no_heap[64] = "static";

static void fill(byte *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        from[i] = 0x5a;
}

static void take(const byte *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sink = (byte)(sink ^ from[i]);
}

static void write_beyond(size_t size, size_t count)
{
    byte *const p = allocate(size);

    fill(p, size + count);
    release((void *)p);
}

static void read_beyond(size_t size, size_t count)
{
    take(allocate(size), size + count);
}

static void overflow_1(void)
{
    write_beyond(100, 1);
}
static void overflow_8(void)
{
    write_beyond(100, 8);
}
static void overflow_64(void)
{
    write_beyond(100, 64);
}
static void overflow_page(void)
{
    write_beyond(100, 4096);
}
static void overflow_full_slot(void)
{
    write_beyond(24, 1);
}
static void overflow_tiny(void)
{
    write_beyond(1, 1);
}
static void overflow_kilobytes(void)
{
    write_beyond(3000, 1);
}
static void overflow_large_1(void)
{
    write_beyond(MIB, 1);
}
static void overflow_large_pages(void)
{
    write_beyond(MIB, 3 * 4096);
}
static void overflow_huge_pages(void)
{
    write_beyond(9 * MIB, 3 * 4096);
}

static void overflow_empty(void)
{
    byte *const p = allocate(0);

    fill(p, 16);
    release((void *)p);
}

static void overflow_kept(void)
{
    fill(allocate(100), 101);
}

static void overflow_by_zero(void)
{
    char *const p = allocate(5);

    memcpy(p, "12345", 6);
    release(p);
}

static void overflow_in_calloc(void)
{
    byte *const p = allocate_array(10, 4);

    fill(p, 44);
    release((void *)p);
}

static void overflow_aligned(void)
{
    void *const p = allocate_aligned(256, 100);

    fill(p, 101);
    release(p);
}

static void overflow_after_realloc(void)
{
    byte *const p = resize(allocate(50), 120);

    fill(p, 121);
    release((void *)p);
}

static void overflow_after_shrinking(void)
{
    byte *const p = resize(allocate(100), 90);

    fill(p, 91);
    release((void *)p);
}

static void overflow_then_realloc(void)
{
    byte *const p = allocate(100);

    fill(p, 101);
    release(resize((void *)p, 300));
}

static void overflow_of_a_string(void)
{
    char *const p = strdup("a string");

    strcat(p, "s");
    release(p);
}

static void overflow_read_1(void)
{
    read_beyond(112, 1);
}
static void overflow_read_page(void)
{
    read_beyond(100, 4096);
}
static void overflow_read_large(void)
{
    read_beyond(MIB, 3 * 4096);
}

static void overflow_read_string(void)
{
    sink = (byte)strlen(memset(allocate(16), 'x', 16));
}

static void write_before(size_t size, size_t count)
{
    byte *const p = allocate(size);

    for (size_t i = 1; i <= count; i++)
        *(p - i) = 0x5a;
    release((void *)p);
}

static void underflow_1(void)
{
    write_before(100, 1);
}
static void underflow_8(void)
{
    write_before(100, 8);
}
static void underflow_large(void)
{
    write_before(MIB, 8);
}

static void underflow_among_others(void)
{
    for (int i = 0; i < 99; i++)
        (void)!allocate(100);
    for (int i = 0; i < 20; i++) /* wherever they are: hardly any is the first in its slab */
        write_before(100, 1);
}
static void underflow_page(void)
{
    byte *const p = allocate(100);

    for (size_t i = 1; i <= 2 * 4096; i++)
        *(p - i) = 0x5a;
    release((void *)p);
}

static void underflow_read_page(void)
{
    byte *const p = allocate(100);

    for (size_t i = 1; i <= 2 * 4096; i++)
        take(p - i, 1);
}

static byte *freed(size_t size)
{
    byte *const p = allocate(size);

    fill(p, size);
    release((void *)p);
    return p;
}

static void read_freed(size_t size)
{
    byte *const p = freed(size);

    damage = 0;
    for (size_t i = 16; i < size; i++) /* allocators keep notes in the first words */
        damage |= p[i] == 0x5a;
}

static void use_read(void)
{
    read_freed(100);
}
static void use_read_kilobytes(void)
{
    read_freed(3000);
}
static void use_read_large(void)
{
    read_freed(MIB);
}

static void use_write(void)
{
    freed(100)[20] = 1;
}
static void use_write_second_word(void)
{
    freed(100)[8] ^= 1;
}
static void use_write_kilobytes(void)
{
    freed(3000)[2000] = 1;
}
static void use_write_large(void)
{
    freed(MIB)[MIB / 2] = 1;
}

static void use_write_after_others(void)
{
    byte *const p = freed(100);

    for (int i = 0; i < 100; i++)
        release(allocate(100));
    p[20] = 1;
}

static void use_write_reused(void)
{
    byte *const p = freed(100), *const q = allocate(100);

    memset((void *)q, 0, 100);
    p[20] = 1;
    damage = q[20] == 1;
}

static void use_read_reused(void)
{
    byte *const p = freed(100), *const q = allocate(100);

    memset((void *)q, 0x33, 100);
    damage = p[20] == 0x33;
}

static void use_after_realloc(void)
{
    byte *const p = allocate(100), *const q = resize((void *)p, 5000);

    p[20] = 1;
    sink = q[20];
}

static void use_after_shrinking(void)
{
    byte *const p = allocate(5000), *const q = resize((void *)p, 100);

    p[20] = 1;
    sink = q[20];
}

static void *free_it(void *p)
{
    release(p);
    return NULL;
}

static void use_after_free_elsewhere(void)
{
    byte *const p = allocate(100);
    pthread_t thread;

    if (pthread_create(&thread, NULL, free_it, (void *)p) != 0)
        return;
    pthread_join(thread, NULL);
    p[20] = 1;
}

static void free_twice(size_t size)
{
    release((void *)freed(size));
}

static void twice(void)
{
    free_twice(100);
}
static void twice_tiny(void)
{
    free_twice(1);
}
static void twice_kilobytes(void)
{
    free_twice(20000);
}
static void twice_large(void)
{
    free_twice(MIB);
}
static void twice_huge(void)
{
    free_twice(9 * MIB);
}

static void twice_with_one_between(void)
{
    void *const p = allocate(100), *const q = allocate(100);

    release(p);
    release(q);
    release(p);
}

static void twice_after_a_write(void)
{
    byte *const p = freed(100);

    fill(p, 32);
    release((void *)p);
}

static void twice_after_others(void)
{
    byte *const p = freed(100);

    for (int i = 0; i < 10; i++)
        release(allocate(2000));
    release((void *)p);
}

static void twice_by_threads(void)
{
    void *const p = allocate(100);
    pthread_t thread;

    if (pthread_create(&thread, NULL, free_it, p) != 0)
        return;
    pthread_join(thread, NULL);
    release(p);
}

static void twice_by_realloc(void)
{
    void *const p = allocate(100);

    (void)resize(p, 0);
    release(p);
}

static void twice_aligned(void)
{
    void *const p = allocate_aligned(4096, 100);

    release(p);
    release(p);
}

static void invalid_stack(void)
{
    _Alignas(16) byte local[64] = "local";

    release((void *)local);
}

static void invalid_static(void)
{
    release((void *)on_no_heap);
}
static void invalid_literal(void)
{
    release((void *)(uintptr_t) "text");
}
static void invalid_code(void)
{
    release((void *)(uintptr_t)invalid_code);
}
static void invalid_wild(void)
{
    release((void *)0x123456789000);
}
static void invalid_small_number(void)
{
    release((void *)16);
}
static void invalid_inside(void)
{
    release((char *)allocate(100) + 16);
}
static void invalid_odd(void)
{
    release((char *)allocate(100) + 1);
}
static void invalid_before(void)
{
    release((char *)allocate(100) - 16);
}
static void invalid_inside_large(void)
{
    release((char *)allocate(MIB) + 65536);
}
static void invalid_end(void)
{
    release((char *)allocate(96) + 96);
}
static void invalid_far(void)
{
    release((char *)allocate(100) + 40960);
}

/* Where a block of the same size would be, had it been allocated. */
static void invalid_next_slot(void)
{
    char *const p = allocate(1000), *const q = allocate(1000);

    release(p > q ? p + (p - q) : q + (q - p));
}

union symbol {
    void *address;
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
};

static void sized(const char *name, size_t size, size_t said)
{
    const union symbol call = {.address = dlsym(RTLD_DEFAULT, name)};

    call.free_sized(allocate(size), said);
}

static void sized_larger(void)
{
    sized("free_sized", 100, 200);
}

static void sized_smaller(void)
{
    sized("free_sized", 100, 40);
}

static void sized_delete_of_another_type(void)
{
    sized("_ZdlPvm", 24, 96);
}

static void sized_aligned_larger(void)
{
    const union symbol call = {.address = dlsym(RTLD_DEFAULT, "free_aligned_sized")};

    call.free_aligned_sized(aligned_alloc(64, 128), 64, 512);
}

static void sized_usable_of_freed(void)
{
    sink = (byte)usable((void *)freed(100));
}
static void sized_usable_of_inside(void)
{
    sink = (byte)usable((char *)allocate(100) + 16);
}

static void sized_all_that_is_usable(void)
{
    byte *const p = allocate(100);

    fill(p, usable((void *)p));
    release((void *)p);
    damage = 0;
}

static void secret_left(size_t size)
{
    byte *p = freed(size);

    damage = 0;
    for (int i = 0; i < 300 && !damage; i++) {
        p = allocate(size);
        for (size_t k = 16; k < size; k++)
            damage |= p[k] == 0x5a;
    }
}

static void unset_small(void)
{
    secret_left(100);
}
static void unset_kilobytes(void)
{
    secret_left(3000);
}

static void unset_after_realloc(void)
{
    byte *const p = freed(400), *const q = resize(allocate(100), 400);

    sink = (byte)(uintptr_t)p;
    damage = 0;
    for (size_t k = 100; k < 400; k++)
        damage |= q[k] == 0x5a;
}

static void realloc_freed(void)
{
    (void)!resize((void *)freed(100), 200);
}
static void realloc_inside(void)
{
    (void)!resize((char *)allocate(100) + 16, 200);
}
static void realloc_foreign(void)
{
    (void)!resize((void *)on_no_heap, 200);
}
static void realloc_stack_to_nothing(void)
{
    byte local[64] = "local";

    (void)resize((void *)local, 0);
}

static void number_product(void)
{
    damage = allocate_array(SIZE_MAX / 2, 3) != NULL;
}
static void number_negative(void)
{
    damage = allocate((size_t)-100) != NULL;
}
static void number_array(void)
{
    damage = resize_array(NULL, SIZE_MAX / 4, 8) != NULL;
}
static void number_aligned(void)
{
    damage = allocate_aligned(16, SIZE_MAX - 8) != NULL;
}

/* clang-format off */
#define MISUSES \
    MISUSE(overflow_1) MISUSE(overflow_8) MISUSE(overflow_64) MISUSE(overflow_page) \
    MISUSE(overflow_full_slot) MISUSE(overflow_tiny) MISUSE(overflow_kilobytes) \
    MISUSE(overflow_large_1) MISUSE(overflow_large_pages) MISUSE(overflow_huge_pages) \
    MISUSE(overflow_empty) MISUSE(overflow_kept) MISUSE(overflow_by_zero) \
    MISUSE(overflow_in_calloc) MISUSE(overflow_aligned) MISUSE(overflow_after_realloc) \
    MISUSE(overflow_after_shrinking) MISUSE(overflow_then_realloc) \
    MISUSE(overflow_of_a_string) MISUSE(overflow_read_1) MISUSE(overflow_read_page) \
    MISUSE(overflow_read_large) MISUSE(overflow_read_string) MISUSE(underflow_1) \
    MISUSE(underflow_8) MISUSE(underflow_large) MISUSE(underflow_among_others) \
    MISUSE(underflow_page) MISUSE(underflow_read_page) MISUSE(use_read) \
    MISUSE(use_read_kilobytes) MISUSE(use_read_large) MISUSE(use_write) \
    MISUSE(use_write_second_word) MISUSE(use_write_kilobytes) MISUSE(use_write_large) \
    MISUSE(use_write_after_others) MISUSE(use_write_reused) MISUSE(use_read_reused) \
    MISUSE(use_after_realloc) MISUSE(use_after_shrinking) MISUSE(use_after_free_elsewhere) \
    MISUSE(twice) MISUSE(twice_tiny) MISUSE(twice_kilobytes) MISUSE(twice_large) \
    MISUSE(twice_huge) MISUSE(twice_with_one_between) MISUSE(twice_after_a_write) \
    MISUSE(twice_after_others) MISUSE(twice_by_threads) MISUSE(twice_by_realloc) \
    MISUSE(twice_aligned) MISUSE(invalid_stack) MISUSE(invalid_static) \
    MISUSE(invalid_literal) MISUSE(invalid_code) MISUSE(invalid_wild) \
    MISUSE(invalid_small_number) MISUSE(invalid_inside) MISUSE(invalid_odd) \
    MISUSE(invalid_before) MISUSE(invalid_inside_large) MISUSE(invalid_end) \
    MISUSE(invalid_far) MISUSE(invalid_next_slot) MISUSE(sized_larger) MISUSE(sized_smaller) \
    MISUSE(sized_delete_of_another_type) MISUSE(sized_aligned_larger) \
    MISUSE(sized_usable_of_freed) MISUSE(sized_usable_of_inside) \
    MISUSE(sized_all_that_is_usable) MISUSE(unset_small) MISUSE(unset_kilobytes) \
    MISUSE(unset_after_realloc) MISUSE(realloc_freed) MISUSE(realloc_inside) \
    MISUSE(realloc_foreign) MISUSE(realloc_stack_to_nothing) MISUSE(number_product) \
    MISUSE(number_negative) MISUSE(number_array) MISUSE(number_aligned)
/* clang-format on */

static const struct {
    const char *name;
    void (*run)(void);
} misuses[] = {
#define MISUSE(name) {#name, name},
    MISUSES};

int main(int argc, char **argv)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        if (argc < 2)
            puts(misuses[i].name);
        if (argc < 2 || strcmp(argv[1], misuses[i].name) != 0)
            continue;
        misuses[i].run();
        puts(damage ? "damage" : "harmless");
        return 0;
    }
    return argc < 2 ? 0 : 2;
}
