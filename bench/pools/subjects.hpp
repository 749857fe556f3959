// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "costs/subject.hpp"

namespace bench::costs::pools {

// Noria's own first in each case, then the neighbour's, then what the machine can do.
void add_noria_memory(std::vector<subject>& all);
void add_noria_packet(std::vector<subject>& all);
void add_dpdk(std::vector<subject>& all);
void add_limits(std::vector<subject>& all);

[[nodiscard]] bool start_dpdk();
[[nodiscard]] std::string dpdk_version();

} // namespace bench::costs::pools
