/* SPDX-License-Identifier: MIT */
/* Writes C for an interface definition: types, stubs, dispatch. */
#include "rpcgen.h"

#include <string.h>

/* --- Types --------------------------------------------------------------------------------------------- */

static void print_type(FILE *out, const struct idl_service *s, const struct idl_field *f)
{
    static const char *const numbers[][2] = {
        {"bool", "bool"},    {"u8", "uint8_t"}, {"u16", "uint16_t"}, {"u32", "uint32_t"},
        {"u64", "uint64_t"}, {"i8", "int8_t"},  {"i16", "int16_t"},  {"i32", "int32_t"},
        {"i64", "int64_t"},  {"f32", "float"},  {"f64", "double"}};

    switch (f->type) {
    case IDL_NUMBER:
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            if (strcmp(f->type_name, numbers[i][0]) == 0)
                fprintf(out, "%s ", numbers[i][1]);
        break;
    case IDL_STRING:
        fputs("const char *", out);
        break;
    case IDL_BYTES:
        fputs("ring3_bytes_t ", out);
        break;
    case IDL_FD:
        fputs("int ", out);
        break;
    case IDL_STRUCT:
        fprintf(out, "struct %s_%s ", s->name, f->type_name);
        break;
    }
}

static void print_field(FILE *out, const struct idl_service *s, const struct idl_field *f)
{
    fputs("    ", out);
    /* A string has a const of its own, for what it points to. */
    if ((f->shape == IDL_UP_TO || f->shape == IDL_POINTER) && f->type != IDL_STRING)
        fputs("const ", out);
    print_type(out, s, f);
    switch (f->shape) {
    case IDL_ONE:
        fprintf(out, "%s;", f->name);
        break;
    case IDL_EXACTLY:
        fprintf(out, "%s[%u];", f->name, f->count);
        break;
    case IDL_UP_TO:
        fprintf(out, "%s*%s; /* %s_count of them, at most %u */\n    uint32_t %s_count;",
                f->type == IDL_STRING ? "const " : "", f->name, f->name, f->count, f->name);
        break;
    case IDL_POINTER:
        fprintf(out, "%s*%s; /* or NULL */", f->type == IDL_STRING ? "const " : "", f->name);
        break;
    }
    fputc('\n', out);
}

static void print_struct(FILE *out, const struct idl_service *s, const char *name,
                         const char *suffix, const struct idl_fields *fields)
{
    if (fields->count == 0)
        return;
    fprintf(out, "\nstruct %s_%s%s {\n", s->name, name, suffix);
    for (int i = 0; i < fields->count; i++)
        print_field(out, s, &fields->field[i]);
    fputs("};\n", out);
}

/* `, const struct x_y_in *in, struct x_y_out *out`, as far as there are any. */
static void print_parameters(FILE *out, const struct idl_service *s, const struct idl_call *call)
{
    if (call->in.count > 0)
        fprintf(out, ", const struct %s_%s_in *in", s->name, call->name);
    if (call->out.count > 0)
        fprintf(out, ", struct %s_%s_out *out", s->name, call->name);
}

static void print_stub_head(FILE *out, const struct idl_service *s, const struct idl_call *call)
{
    fprintf(out, "int %s_%s(ring3_rpc_client_t *client", s->name, call->name);
    print_parameters(out, s, call);
    fputs(", const struct timespec *deadline)", out);
}

void idl_write_header(FILE *out, const struct idl_service *s)
{
    fprintf(out,
            "/* Made by `ring3 rpcgen` from service %s %u.%u. */\n"
            "#ifndef RING3_RPC_%s_H\n#define RING3_RPC_%s_H\n\n"
            "#include \"ring3/rpc.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n",
            s->name, s->major, s->minor, s->name, s->name);
    for (int i = 0; i < s->struct_count; i++)
        print_struct(out, s, s->structs[i].name, "", &s->structs[i].fields);
    for (int i = 0; i < s->call_count; i++) {
        print_struct(out, s, s->calls[i].name, "_in", &s->calls[i].in);
        print_struct(out, s, s->calls[i].name, "_out", &s->calls[i].out);
    }
    fprintf(out,
            "\n/* What a server provides. Results that are pointers must stay valid until the next "
            "call;"
            "\n * descriptors in results stay the handler's. NULL: not implemented. */\n"
            "struct %s_handlers {\n",
            s->name);
    for (int i = 0; i < s->call_count; i++) {
        fprintf(out, "    int (*%s)(ring3_rpc_call_t *call", s->calls[i].name);
        print_parameters(out, s, &s->calls[i]);
        fputs(");\n", out);
    }
    fprintf(out, "};\n\nextern const ring3_rpc_service_t %s_service;\n\n", s->name);
    fputs("/* What a client calls. Results that are pointers are valid until its next call. */\n",
          out);
    for (int i = 0; i < s->call_count; i++) {
        print_stub_head(out, s, &s->calls[i]);
        fputs(";\n", out);
    }
    fputs("\n#ifdef __cplusplus\n}\n#endif\n#endif\n", out);
}

/* --- Encoding and decoding ------------------------------------------------------------------------------ */

static void put_one(FILE *out, const struct idl_service *s, const struct idl_field *f,
                    const char *value, const char *indent)
{
    fputs(indent, out);
    switch (f->type) {
    case IDL_NUMBER:
        fprintf(out, "ring3_put_%s(e, %s);\n", f->type_name, value);
        break;
    case IDL_STRING:
        fprintf(out, "ring3_put_string(e, %s, %u);\n", value, f->most);
        break;
    case IDL_BYTES:
        fprintf(out, "ring3_put_bytes(e, %s, %u);\n", value, f->most);
        break;
    case IDL_FD:
        fprintf(out, "ring3_put_fd(e, %s);\n", value);
        break;
    case IDL_STRUCT:
        fprintf(out, "put_%s_%s(e, &%s);\n", s->name, f->type_name, value);
        break;
    }
}

static void get_one(FILE *out, const struct idl_service *s, const struct idl_field *f,
                    const char *value, const char *indent)
{
    fputs(indent, out);
    switch (f->type) {
    case IDL_NUMBER:
        fprintf(out, "%s = ring3_get_%s(d);\n", value, f->type_name);
        break;
    case IDL_STRING:
        fprintf(out, "%s = ring3_get_string(d, %u);\n", value, f->most);
        break;
    case IDL_BYTES:
        fprintf(out, "%s = ring3_get_bytes(d, %u);\n", value, f->most);
        break;
    case IDL_FD:
        fprintf(out, "%s = ring3_get_fd(d);\n", value);
        break;
    case IDL_STRUCT:
        fprintf(out, "get_%s_%s(d, &%s);\n", s->name, f->type_name, value);
        break;
    }
}

static void put_field(FILE *out, const struct idl_service *s, const struct idl_field *f)
{
    char value[2 * IDL_NAME + 16];

    switch (f->shape) {
    case IDL_ONE:
        snprintf(value, sizeof value, "v->%s", f->name);
        put_one(out, s, f, value, "    ");
        break;
    case IDL_EXACTLY:
        fprintf(out, "    for (uint32_t i = 0; i < %u; i++)\n", f->count);
        snprintf(value, sizeof value, "v->%s[i]", f->name);
        put_one(out, s, f, value, "        ");
        break;
    case IDL_UP_TO:
        fprintf(out, "    ring3_put_length(e, v->%s_count, %u);\n", f->name, f->count);
        fprintf(out, "    for (uint32_t i = 0; !e->error && i < v->%s_count; i++)\n", f->name);
        snprintf(value, sizeof value, "v->%s[i]", f->name);
        put_one(out, s, f, value, "        ");
        break;
    case IDL_POINTER:
        fprintf(out, "    if (ring3_put_pointer(e, v->%s)) {\n", f->name);
        snprintf(value, sizeof value, "v->%s[0]", f->name);
        put_one(out, s, f, value, "        ");
        fputs("        ring3_put_leave(e);\n    }\n", out);
        break;
    }
}

static void print_items(FILE *out, const struct idl_service *s, const struct idl_field *f)
{
    if (f->type == IDL_STRING)
        fputs("const char **", out);
    else {
        print_type(out, s, f);
        fputc('*', out);
    }
}

static void get_field(FILE *out, const struct idl_service *s, const struct idl_field *f)
{
    char value[2 * IDL_NAME + 16];

    switch (f->shape) {
    case IDL_ONE:
        snprintf(value, sizeof value, "v->%s", f->name);
        get_one(out, s, f, value, "    ");
        break;
    case IDL_EXACTLY:
        fprintf(out, "    for (uint32_t i = 0; i < %u; i++)\n", f->count);
        snprintf(value, sizeof value, "v->%s[i]", f->name);
        get_one(out, s, f, value, "        ");
        break;
    case IDL_UP_TO:
        fprintf(out, "    {\n        const uint32_t count = ring3_get_length(d, %u);\n        ",
                f->count);
        print_items(out, s, f);
        fputs("const items = ring3_get_array(d, count, sizeof *items);\n\n", out);
        fputs("        for (uint32_t i = 0; items && i < count; i++)\n", out);
        get_one(out, s, f, "items[i]", "            ");
        fprintf(out, "        v->%s = items;\n        v->%s_count = items ? count : 0;\n    }\n",
                f->name, f->name);
        break;
    case IDL_POINTER:
        fprintf(out, "    v->%s = NULL;\n    if (ring3_get_pointer(d)) {\n        ", f->name);
        print_items(out, s, f);
        fputs("const item = ring3_get_array(d, 1, sizeof *item);\n\n        if (item)\n", out);
        get_one(out, s, f, "item[0]", "            ");
        fprintf(out, "        v->%s = item;\n        ring3_get_leave(d);\n    }\n", f->name);
        break;
    }
}

static void print_coders(FILE *out, const struct idl_service *s, const char *name,
                         const char *suffix, const struct idl_fields *fields)
{
    if (fields->count == 0)
        return;
    fprintf(out, "\nstatic void put_%s_%s%s(ring3_encoder_t *e, const struct %s_%s%s *v)\n{\n",
            s->name, name, suffix, s->name, name, suffix);
    for (int i = 0; i < fields->count; i++)
        put_field(out, s, &fields->field[i]);
    fprintf(out, "}\n\nstatic void get_%s_%s%s(ring3_decoder_t *d, struct %s_%s%s *v)\n{\n",
            s->name, name, suffix, s->name, name, suffix);
    for (int i = 0; i < fields->count; i++)
        get_field(out, s, &fields->field[i]);
    fputs("}\n", out);
}

/* --- Stubs and dispatch --------------------------------------------------------------------------------- */

static void print_stub(FILE *out, const struct idl_service *s, const struct idl_call *call,
                       int number)
{
    fputc('\n', out);
    print_stub_head(out, s, call);
    fputs("\n{\n    ring3_rpc_begin(client);\n", out);
    if (call->in.count > 0)
        fprintf(out, "    put_%s_%s_in(&client->out, in);\n", s->name, call->name);
    fprintf(out,
            "    const int err = ring3_rpc_call(client, %d, deadline);\n\n    if (err)\n"
            "        return err;\n",
            number);
    if (call->out.count > 0)
        fprintf(out, "    get_%s_%s_out(&client->in, out);\n", s->name, call->name);
    fputs("    return ring3_rpc_end(client);\n}\n", out);
}

static void print_dispatch(FILE *out, const struct idl_service *s, const struct idl_call *call)
{
    fprintf(out,
            "\nstatic int dispatch_%s_%s(ring3_rpc_call_t *call)\n{\n"
            "    const struct %s_handlers *const handlers = call->handlers;\n",
            s->name, call->name, s->name);
    if (call->in.count > 0)
        fprintf(out, "    struct %s_%s_in in;\n", s->name, call->name);
    if (call->out.count > 0)
        fprintf(out, "    struct %s_%s_out out = {0};\n", s->name, call->name);
    fprintf(out, "    int err;\n\n    if (!handlers->%s)\n        return -ENOSYS;\n", call->name);
    if (call->in.count > 0)
        fprintf(out, "    get_%s_%s_in(call->in, &in);\n", s->name, call->name);
    fprintf(out,
            "    err = ring3_decoder_end(call->in);\n    if (err)\n        return err;\n"
            "    err = handlers->%s(call%s%s);\n",
            call->name, call->in.count > 0 ? ", &in" : "", call->out.count > 0 ? ", &out" : "");
    if (call->out.count > 0)
        fprintf(out, "    if (!err)\n        put_%s_%s_out(call->out, &out);\n", s->name,
                call->name);
    fputs("    return err;\n}\n", out);
}

void idl_write_source(FILE *out, const struct idl_service *s)
{
    fprintf(out, "/* Made by `ring3 rpcgen` from service %s %u.%u. */\n#include \"%s.h\"\n",
            s->name, s->major, s->minor, s->name);
    for (int i = 0; i < s->struct_count; i++)
        print_coders(out, s, s->structs[i].name, "", &s->structs[i].fields);
    for (int i = 0; i < s->call_count; i++) {
        print_coders(out, s, s->calls[i].name, "_in", &s->calls[i].in);
        print_coders(out, s, s->calls[i].name, "_out", &s->calls[i].out);
        print_stub(out, s, &s->calls[i], i);
        print_dispatch(out, s, &s->calls[i]);
    }
    fprintf(out, "\nstatic const ring3_rpc_procedure_t procedures[] = {\n");
    for (int i = 0; i < s->call_count; i++)
        fprintf(out, "    {\"%s\", dispatch_%s_%s, %s},\n", s->calls[i].name, s->name,
                s->calls[i].name,
                s->calls[i].oneway       ? "RING3_RPC_ONEWAY"
                : s->calls[i].idempotent ? "RING3_RPC_IDEMPOTENT"
                                         : "0");
    fprintf(out, "};\n\nconst ring3_rpc_service_t %s_service = {\"%s\", %u, %u, procedures, %d};\n",
            s->name, s->name, s->major, s->minor, s->call_count);
}
