// SPDX-License-Identifier: BSL-1.0
#include "rings/subject.hpp"

#include <algorithm>

#include "rings/neighbours.hpp"

namespace bench {

const char* name(work what) {
    switch (what) {
    case work::one:
        return "one";
    case work::burst:
        return "burst";
    case work::in_place:
        return "in_place";
    case work::round_trip:
        return "round_trip";
    case work::thread_one:
        return "thread_one";
    case work::thread_burst:
        return "thread_burst";
    case work::shared_one:
        return "shared_one";
    case work::shared_burst:
        return "shared_burst";
    case work::progress:
        return "progress";
    }
    return "?";
}

const char* unit(work what) {
    return what == work::round_trip ? "ns/round trip" : what == work::progress ? "us" : "ns/item";
}

bool subject::offers(work what) const {
    return std::find(works.begin(), works.end(), what) != works.end();
}

const std::vector<subject>& subjects() {
    static const std::vector<subject> all = [] {
        std::vector<subject> found;
        add_noria(found);
        add_limits(found);
        // The build names those that it found: ADD(boost) ADD(ck) ...
#define ADD(neighbour) add_##neighbour(found);
        BENCH_NEIGHBOURS
#undef ADD
        return found;
    }();
    return all;
}

std::string missing_packages() {
    return BENCH_MISSING;
}

} // namespace bench
