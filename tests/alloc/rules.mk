# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,alloc,alloc sync))

# Small programs and objects that tests/scripts/malloc-preload.sh runs on the preload object. They know nothing of ring3.
preload_programs := $(patsubst tests/alloc/preload/%,$(B)/tests/preload/%,$(basename \
	$(filter-out %/plugin.c %/throwing.cc %/failmap.c,$(wildcard tests/alloc/preload/*.c tests/alloc/preload/*.cc))))
preload_plugins := $(addprefix $(B)/tests/preload/,plugin.so throwing.so failmap.so)
preload_cflags := -O2 -g -fno-builtin $(if $(filter 1,$(WERROR)),-Werror) -Wall -Wextra

$(B)/tests/preload/nostart: private preload_cflags += -nostartfiles

$(B)/tests/preload/%.so: tests/alloc/preload/%.c $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(preload_cflags) -fPIC -shared -o $@ $<

$(B)/tests/preload/%.so: tests/alloc/preload/%.cc $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -fsized-deallocation $(preload_cflags) -fPIC -shared -o $@ $<

$(B)/tests/preload/%: tests/alloc/preload/%.c $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(preload_cflags) -o $@ $< -lpthread -ldl

$(B)/tests/preload/%: tests/alloc/preload/%.cc $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -fsized-deallocation $(preload_cflags) -o $@ $< -lpthread

test_helpers += $(preload_programs) $(preload_plugins)
