// SPDX-License-Identifier: BSL-1.0
// The suite over Noria's packets: with heads that idle descriptors keep, and with heads that go home.
#include <iostream>

#include "suite/noria_adapter.hpp"
#include "suite/packet_suite.hpp"
#include "suite/program.hpp"
#include "support/random.hpp"

int main(int argc, char** argv) {
    using namespace suite;
    const program_options wanted = parse(argc, argv, random_steps::count(1'000'000, 40'000));
    if (!wanted.understood)
        return 2;
    bool good = true;
    for (const bool keep_heads : {false, true}) {
        std::cout << "heads " << (keep_heads ? "kept" : "not kept") << ", --seed " << wanted.seed
                  << std::endl;
        noria_adapter adapter(keep_heads);
        random_choices choices(wanted.seed);
        packet_suite<noria_adapter, random_choices> suite(adapter, choices);
        good = run(suite, wanted.steps / 2, wanted.seed) && report(suite, noria_adapter::shortages) && good;
    }
    return good ? 0 : 1;
}
