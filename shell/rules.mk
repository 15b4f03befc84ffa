# SPDX-License-Identifier: MIT
# r3sh stands alone: linked statically, it starts without a dynamic linker. Sanitizers need the shared libraries.
include shell/parts.mk
# It relocates itself at each start: packed, what it has to read for that is 2 KB instead of 52. The linker writes a
# file piece by piece, and so the kernel keeps its pages; those of a copy are together, and are mapped with fewer faults.
packed := -Wl,-z,pack-relative-relocs
shell_core := $(wildcard shell/core/*.c shell/intrinsics/*.c shell/interactive/*.c)
$(call objects_of,$(shell_core)): private cflags += -fPIE $(hardening) -iquote shell $(call ring3_include,ipc sync)
$(B)/bin/r3sh: $(call objects_of,$(shell_core)) $(B)/lib/libr3sh-parts.a $(call ring3_archives,ipc sync)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) $(now) $(if $(SAN),-pie,-static-pie $(packed)) -o $@.linked $(filter %.o,$^) $(filter %.a,$^) $(shell_parts_libs)
	$(Q)cp $@.linked $@.copy && mv $@.copy $@ && rm $@.linked

programs += $(B)/bin/r3sh
