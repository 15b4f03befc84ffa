# SPDX-License-Identifier: MIT
# The explorer and the shipped sources that it explores, compiled against tests/model/include. `make check-model`.
model_shipped := $(addprefix libsync/src/,park queue contest mutex cond mcs mcs_hidden clh ticket tas ttas guarded qlock qlock_nodes biased slice slice_queue bitmap sem nodes rcu reader hazard seqlock wait env) \
	$(addprefix libipc/src/,ring ring_wait broadcast)
model_parts := $(basename $(wildcard tests/model/*.c))
model_objects := $(patsubst %,$(B)/model/obj/%.o,$(model_parts) $(model_shipped))

# At -O1 with plain variables kept in memory, as the explorer restores and compares them.
$(B)/model/obj/%.o: %.c $(stamp)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -O1 -g -ffunction-sections -Wall -Wextra -Wno-ignored-qualifiers -Wno-unused-value -D_GNU_SOURCE $(if $(filter 1,$(WERROR)),-Werror) \
		-fno-strict-aliasing -Dsyscall=model_syscall -Dclock_gettime=model_clock -iquote tests/model \
		-iquote tests/model/include -iquote libsync/src -iquote libthreadpool/include -iquote libthreadpool/src -iquote libipc/src -iquote libsync/include -iquote libipc/include \
		-MMD -MP -c $< -o $@

$(B)/model/check: $(model_objects)
	$(call say,LD)
	$(Q)$(CC) -no-pie -Wl,--gc-sections -o $@ $^ -lpthread # rings are not mapped here

test_helpers += $(B)/model/check

.PHONY: check-model
check-model: $(B)/model/check ## Explore schedules and weak memory of the shipped locks, RCU, deque and rings, and mutate their orders
	@$<

-include $(model_objects:.o=.d)
