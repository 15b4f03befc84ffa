# SPDX-License-Identifier: MIT
# Programs that tests/scripts/locks-preload.sh runs on libring3-locks.so. They know nothing of ring3.
locks_programs := $(patsubst tests/locks/%.c,$(B)/tests/locks/%,$(wildcard tests/locks/*.c))

$(B)/tests/locks/%: tests/locks/%.c $(stamp)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -D_GNU_SOURCE $(if $(filter 1,$(WERROR)),-Werror) -Wall -Wextra -o $@ $< -lpthread -ldl

test_helpers += $(locks_programs)
