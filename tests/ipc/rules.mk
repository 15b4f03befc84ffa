# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,ipc,ipc alloc sync))

# The stubs that tests/ipc/rpc_support.c includes, made by a generator that runs on the building machine.
$(B)/gen/rpcgen: $(addprefix libipc/tools/,rpcgen_parse.c rpcgen_write.c rpcgen.h) tests/programs/rpcgen.c
	$(call say,HOSTCC)
	@mkdir -p $(@D)
	$(Q)cc -std=gnu17 -D_GNU_SOURCE -iquote libipc/tools -o $@ $(filter %.c,$^)

$(B)/gen/sample.h $(B)/gen/sample.c &: tests/ipc/sample.idl $(B)/gen/rpcgen
	$(Q)$(B)/gen/rpcgen $< $(B)/gen/sample.h $(B)/gen/sample.c

$(patsubst %,$(B)/obj/tests/ipc/%.o,rpc rpc_support storm_messages): private cflags += -iquote $(B)/gen
$(patsubst %,$(B)/obj/tests/ipc/%.o,rpc rpc_support storm_messages): $(B)/gen/sample.h $(B)/gen/sample.c
