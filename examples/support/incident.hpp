// SPDX-License-Identifier: BSL-1.0
// What the programs of the incidents share beside their charts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "noria/stats/softnet.hpp"

namespace incident {

// Says what the incident's page says. Where it does not hold any more, the program ends and fails, and so
// does the test that runs it.
inline void claim(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "the page in docs/incidents says otherwise: %s\n", what);
        std::exit(1);
    }
}

// As /proc/net/softnet_stat has them.
inline void print_softnet(const std::string& title, std::span<const noria::softnet_row> rows) {
    std::string text(noria::export_softnet({}, rows), ' ');
    static_cast<void>(noria::export_softnet(text, rows));
    std::printf("\n%s:\n%s", title.c_str(), text.c_str());
}

} // namespace incident
