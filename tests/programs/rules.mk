# SPDX-License-Identifier: MIT
test_helpers += $(B)/tests/witness.so

# Its jump slots are its evidence: a procedure linkage table, filled when it is loaded.
$(B)/tests/witness.so: tests/programs/witness.c $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -fPIC -fplt -shared -Wl,-z,now -o $@ $<

test_helpers += $(B)/tests/uncontended

$(call objects_of,tests/programs/uncontended.c): private cflags += $(call ring3_include,sync) -fno-builtin
$(B)/tests/uncontended: $(call objects_of,tests/programs/uncontended.c) $(call ring3_archives,sync)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) -o $@ $^ -lpthread
