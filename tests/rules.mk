# SPDX-License-Identifier: MIT

# $(call ring3_suite,name,libraries): every tests/<name>/*.c, linked into one program.
# Criterion runs the tests; Debian's check does under TSan, where Criterion does not run; cross-compiled suites and
# those under valgrind run their tests on their own.
cross := $(filter-out gcc gcc-% clang clang-%,$(cc_name))
test_framework := $(or $(TEST_FRAMEWORK),$(if $(cross),plain),$(if $(findstring thread,$(SAN)),check),criterion)
test_framework_libs := $(strip $(if $(filter check,$(test_framework)),-lcheck -lsubunit -lm -lrt) \
	$(if $(filter criterion,$(test_framework)),-lcriterion))
# What a check compares with is a constant to compilers only if they optimise.
test_debug_cflags := $(if $(filter 1,$(DEBUG)),-Wno-sign-compare)
test_framework_cflags := $(if $(filter check,$(test_framework)),-DRING3_TEST_CHECK=1)$(if $(filter plain,$(test_framework)),-DRING3_TEST_PLAIN=1)
define ring3_suite
suites += $(1)
$$(call objects_of,$$(wildcard tests/$(1)/*.c)): private cflags += -iquote tests $$(call ring3_include,$(2)) \
	$(foreach l,$(2),-iquote $($(l)_dir)/src) $(test_framework_cflags) $(test_debug_cflags)
$(B)/tests/$(1): $$(call objects_of,$$(wildcard tests/$(1)/*.c) tests/ring3_test.c) $$(call ring3_archives,$(2))
endef

$(call objects_of,tests/ring3_test.c): private cflags += -iquote tests $(test_framework_cflags)

include $(wildcard tests/*/rules.mk)

$(foreach s,$(suites),$(B)/tests/$(s)):
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(cflags) $(ldflags) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(test_framework_libs) -lpthread

suite_programs := $(foreach s,$(suites),$(B)/tests/$(s))
# Script tests look at the built tree from outside; sanitizer builds run the suites only.
test_scripts := $(if $(SAN),,$(sort $(wildcard tests/scripts/*.sh)))

run_tests = B=$(B) CC='$(CC)' CXX='$(CXX)' SAN='$(SAN)' tests/run.sh

test: deps ## Build and run every test; closes with `N passed, N failed`
	@$(MAKE) DEPS=no $(suite_programs) $(if $(SAN),,all $(test_helpers))
	@$(run_tests) $(suite_programs) $(test_scripts)

stress: deps ## The same tests with full counts and bigger inputs; takes long
	@$(MAKE) DEPS=no $(suite_programs) $(if $(SAN),,all $(test_helpers))
	@RING3_TEST_LONG=1 SUITE_LIMIT=7200 SCRIPT_LIMIT=7200 $(run_tests) $(suite_programs) $(test_scripts)

.PHONY: suites
suites: $(foreach s,$(or $(SUITES),$(suites)),$(B)/tests/$(s)) ## Build and run the suites (SUITES="sync …": these), without the scripts
	@$(run_tests) $^

# An error or a leak in a test's process ends it with status 98, which fails the test. libipc stays out: valgrind makes a
# plain fork of vfork and knows no pidfds, so what its tests would see there is not libipc.
memcheck := valgrind -q --fair-sched=try --error-exitcode=98 --leak-check=full --errors-for-leak-kinds=definite \
	--suppressions=tests/valgrind.supp

valgrind: deps ## Run the suites but libipc's under valgrind's memcheck; an error or a leak fails its test
	@RING3_TEST_SLOW=1 RING3_TEST_VALGRIND=1 SUITE_LIMIT=3600 WRAP='$(memcheck)' $(MAKE) DEPS=no TEST_FRAMEWORK=plain SUITES='$(filter-out ipc,$(suites))' suites

# The portable POSIX tests of a yash source tree, which is not part of ours: YASH_SRC=dir. FILES="a-p.tst …": these.
.PHONY: conformance
conformance: deps ## Run yash's portable POSIX tests (YASH_SRC=dir) against r3sh, as root and as an ordinary user
	@[ -n '$(YASH_SRC)' ] || { echo 'make conformance: YASH_SRC=dir must name a yash source tree' >&2; exit 2; }
	@$(MAKE) DEPS=no $(B)/bin/r3sh
	@KEEP=$(B)/conformance CC='$(CC)' tests/conformance.sh '$(YASH_SRC)' $(B)/bin/r3sh $(FILES)
