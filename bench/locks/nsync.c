/* SPDX-License-Identifier: MIT */
/* Peer: Google's nsync. */
#include "lock_bench.h"

#include <nsync.h>

LOCK(nsync_mu, nsync_mu, nsync_mu_init(lock), nsync_mu_lock(lock), nsync_mu_unlock(lock));
