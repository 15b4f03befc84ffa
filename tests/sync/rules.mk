# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,sync,sync))
