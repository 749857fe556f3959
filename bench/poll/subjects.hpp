// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "costs/subject.hpp"

namespace bench::costs::poll {

void add_turns(std::vector<subject>& all);   // pollers, counters
void add_wake(std::vector<subject>& all);    // from one processor to another
void add_flows(std::vector<subject>& all);   // hashes, headers
void add_receive(std::vector<subject>& all); // the receive path from a device to the last free
void add_dpdk(std::vector<subject>& all);

[[nodiscard]] bool start_dpdk();
[[nodiscard]] std::string dpdk_version();

} // namespace bench::costs::poll
