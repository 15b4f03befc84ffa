/* SPDX-License-Identifier: MIT */
/*
 * The interface definition language of `ring3 rpcgen`.
 *
 *     file     service NAME MAJOR.MINOR { item … }            # comments run to the end of the line
 *     item     struct NAME { field; … }
 *              call NAME(field, …) -> (field, …) [idempotent];
 *              oneway NAME(field, …);
 *     field    TYPE NAME            one
 *              TYPE NAME[N]         exactly N
 *              TYPE NAME<N>         up to N
 *              TYPE *NAME           one or none
 *     TYPE     bool u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 fd string<N> bytes<N>, or a struct from above
 *              (a pointer may lead to the struct that it is in)
 */
#ifndef RING3_IPC_RPCGEN_H
#define RING3_IPC_RPCGEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define IDL_NAME   64
#define IDL_FIELDS 32
#define IDL_ITEMS  128

enum idl_shape { IDL_ONE, IDL_EXACTLY, IDL_UP_TO, IDL_POINTER };

enum idl_type { IDL_NUMBER, IDL_STRING, IDL_BYTES, IDL_FD, IDL_STRUCT };

struct idl_field {
    char name[IDL_NAME];
    enum idl_type type;
    char type_name[IDL_NAME]; /* numbers: as written; structs: the name */
    uint32_t most;            /* of strings and bytes */
    enum idl_shape shape;
    uint32_t count; /* of IDL_EXACTLY and IDL_UP_TO */
};

struct idl_fields {
    struct idl_field field[IDL_FIELDS];
    int count;
};

struct idl_struct {
    char name[IDL_NAME];
    struct idl_fields fields;
};

struct idl_call {
    char name[IDL_NAME];
    struct idl_fields in, out;
    bool oneway, idempotent;
};

struct idl_service {
    char name[IDL_NAME];
    uint32_t major, minor;
    struct idl_struct structs[IDL_ITEMS];
    struct idl_call calls[IDL_ITEMS];
    int struct_count, call_count;
};

/* Reads a definition. Complains on stderr with file and line, and returns false, if it is wrong. */
bool idl_parse(FILE *in, const char *file, struct idl_service *service);

/* Writes the header and the stubs. */
void idl_write_header(FILE *out, const struct idl_service *service);
void idl_write_source(FILE *out, const struct idl_service *service);

#endif
