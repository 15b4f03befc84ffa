# SPDX-License-Identifier: MIT
# $(call ring3_fuzzer,name,folders for -iquote,archives): tests/fuzz/<name>.c under libFuzzer, seeded from
# tests/fuzz/corpus/<name>. What it finds and grows stays under the build directory.
define ring3_fuzzer
fuzzers += $(1)
$$(call objects_of,tests/fuzz/$(1).c): private cflags += $(patsubst %,-iquote %,$(2))
$(B)/fuzz/$(1): $$(call objects_of,tests/fuzz/$(1).c) $(3)
endef

$(eval $(call ring3_fuzzer,pattern,shell,$(B)/lib/libr3sh-parts.a))
$(eval $(call ring3_fuzzer,arith,shell,$(B)/lib/libr3sh-parts.a))
$(eval $(call ring3_fuzzer,parser,shell,$(B)/lib/libr3sh-parts.a))
$(eval $(call ring3_fuzzer,edit,shell tests/shell,$(call objects_of,tests/shell/screen.c) $(B)/lib/libr3sh-parts.a))

$(foreach f,$(fuzzers),$(B)/fuzz/$(f)):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(shell_parts_libs)

# Seconds for each fuzzer.
FUZZ_SECONDS ?= $(if $(FULL),600,10)
.PHONY: fuzz run-fuzzers
fuzz: deps ## Run the fuzzers for FUZZ_SECONDS each (10; with FULL=1, 600), under ASan and UBSan
	@$(MAKE) DEPS=no CC=clang SAN=fuzzer-no-link,address,undefined run-fuzzers

run-fuzzers: $(foreach f,$(fuzzers),$(B)/fuzz/$(f)) ## What fuzz runs, in a build for it
	@for f in $(fuzzers); do \
		mkdir -p $(B)/fuzz/corpus-$$f; \
		echo "== $$f: $(FUZZ_SECONDS) s"; \
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(B)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) \
			-artifact_prefix=$(B)/fuzz/$$f- -verbosity=0 -print_final_stats=1 -timeout=20 \
			$(B)/fuzz/corpus-$$f tests/fuzz/corpus/$$f || exit 1; \
	done

# Random scripts under r3sh, dash and bash (tests/fuzz/differential.py has the options).
.PHONY: fuzz-scripts
fuzz-scripts: $(B)/bin/r3sh ## Compare r3sh with dash and bash on random scripts for FUZZ_SECONDS
	@tests/fuzz/differential.py $(B)/bin/r3sh --seconds $(FUZZ_SECONDS)
