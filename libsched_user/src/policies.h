/* SPDX-License-Identifier: MIT */
/* The built-in policies, one file each. */
#ifndef POLICIES_H
#define POLICIES_H

#include "ring3/policy.h"

extern const ring3_policy_t policy_fcfs, policy_sjf, policy_srtf, policy_rr, policy_wrr,
    policy_priority, policy_wfq, policy_multilevel, policy_mlfq, policy_feedback, policy_lottery,
    policy_stride, policy_lifo, policy_o1, policy_cfs, policy_eevdf, policy_rm, policy_edf,
    policy_linux;

#endif
