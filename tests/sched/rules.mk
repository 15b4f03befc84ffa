# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,sched,sched sync))
# fesetround
$(B)/tests/sched: private test_framework_libs += -lm
