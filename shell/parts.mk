# SPDX-License-Identifier: MIT
# The rooms of the shell that stand on their own (text, patterns, arithmetic, built-ins, the editor), as one archive
# that r3sh, the tests and the fuzzers link.
shell_parts := $(wildcard shell/lang/*.c shell/builtins/*.c shell/edit/*.c)
$(call objects_of,$(shell_parts)): private cflags += -fPIC $(hardening) -iquote shell
$(B)/lib/libr3sh-parts.a: $(call objects_of,$(shell_parts))
# What a program that links the editor needs besides.
shell_parts_libs := -lutf8proc
