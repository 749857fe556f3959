// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "noria/core/result.hpp"

// What the three programs share, first part: what they are told, and when they end.

namespace programs {

inline constexpr int skipped = 77; // what the test runner takes for "not here"

struct settings {
    std::string device = "model"; // or qtest, or 0000:bb:dd.f; two of them with a comma between
    double seconds = 0;           // 0: until the frames are done, or Ctrl-C
    std::uint64_t frames = 0;     // 0: until the time is over, or Ctrl-C
    std::uint32_t print = 10;     // frames that rx_dump prints
    std::uint32_t bytes = 60;     // of the frames that pktgen makes
};

[[nodiscard]] inline settings read_settings(int argc, char** argv) {
    settings made;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const char* const value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--device" && *value != '\0')
            made.device = value;
        else if (name == "--seconds")
            made.seconds = std::strtod(value, nullptr);
        else if (name == "--frames")
            made.frames = std::strtoull(value, nullptr, 10);
        else if (name == "--print")
            made.print = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
        else if (name == "--bytes")
            made.bytes = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
        else {
            std::fprintf(stderr,
                         "%s [--device model|qtest|0000:bb:dd.f[,0000:bb:dd.f]] [--seconds N] [--frames N]\n"
                         "  rx_dump: [--print N] frames; pktgen: [--bytes 60..1514] a frame\n",
                         argv[0]);
            std::exit(2);
        }
    }
    made.bytes = made.bytes < 60 ? 60 : made.bytes > 1514 ? 1514 : made.bytes;
    return made;
}

// Ctrl-C sets a flag, and the loop ends by itself: so the card is stopped and the books are drawn up.
inline volatile std::sig_atomic_t interrupted = 0;

inline void end_on_interrupt() {
    std::signal(SIGINT, [](int) { interrupted = 1; });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
}

inline void complain(const noria::error& failed) {
    std::fprintf(stderr, "%s\n  (%s; wanted %llu, found %llu)\n", failed.advice,
                 failed.code.message().c_str(), static_cast<unsigned long long>(failed.wanted),
                 static_cast<unsigned long long>(failed.found));
}
template <class T>
[[nodiscard]] T or_exit(noria::result<T> made) {
    if (!made) {
        complain(made.error());
        std::exit(1);
    }
    return *std::move(made);
}
inline void or_exit(const noria::error& failed) {
    if (failed.code) {
        complain(failed);
        std::exit(1);
    }
}

} // namespace programs
