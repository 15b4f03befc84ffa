# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,shell,sync))
$(call objects_of,$(wildcard tests/shell/*.c)): private cflags += -iquote shell
$(B)/tests/shell: $(B)/lib/libr3sh-parts.a
$(B)/tests/shell: private test_framework_libs += $(shell_parts_libs)
# Tests on a terminal run the shell itself.
$(B)/tests/shell: $(B)/bin/r3sh
$(call objects_of,tests/shell/terminal.c): private cflags += -DR3SH_PROGRAM='"$(abspath $(B))/bin/r3sh"'
