# SPDX-License-Identifier: MIT
$(eval $(call ring3_suite,threadpool,threadpool sync))
