// SPDX-License-Identifier: BSL-1.0
#pragma once

// Where the subjects come from: one source a neighbour, built if Debian's package of it is there.

#include <vector>

#include "rings/subject.hpp"

namespace bench {

void add_noria(std::vector<subject>& all);
void add_limits(std::vector<subject>& all);

void add_atomic_queue(std::vector<subject>& all);
void add_boost(std::vector<subject>& all);
void add_ck(std::vector<subject>& all);
void add_concurrentqueue(std::vector<subject>& all);
void add_dpdk(std::vector<subject>& all);
void add_readerwriterqueue(std::vector<subject>& all);
void add_urcu(std::vector<subject>& all);
void add_xdp(std::vector<subject>& all);

} // namespace bench
