// SPDX-License-Identifier: BSL-1.0
// The suite for packet buffers over Noria's packets, with a fuzzer that chooses what is done to them. The
// first byte says whether idle descriptors keep their heads.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "fuzz/fuzz_choices.hpp"
#include "suite/noria_adapter.hpp"
#include "suite/packet_suite.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz_choices choices({data, size});
    suite::noria_adapter adapter(choices.one_in(2));
    suite::packet_suite<suite::noria_adapter, fuzz_choices> suite(adapter, choices);
    while (!choices.used_up() && suite.step()) {
    }
    if (!suite.failure().empty() || !suite.finish()) {
        std::cerr << suite.failure() << '\n';
        std::abort();
    }
    return 0;
}
