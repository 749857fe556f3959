// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
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

// The value of an option, all of it a number in these bounds; or the program ends with what it should be.
template <class Number>
[[nodiscard]] Number number_or_exit(std::string_view option, std::string_view value, Number least,
                                    Number most) {
    Number made{};
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), made);
    if (error == std::errc{} && stop == value.data() + value.size() && made >= least && made <= most)
        return made;
    std::fprintf(stderr, "%s takes a number from %.0f to %.0f, and was given '%s'\n",
                 std::string(option).c_str(), static_cast<double>(least), static_cast<double>(most),
                 std::string(value).c_str());
    std::exit(2);
}

// `own` is the option that this program has alone.
[[nodiscard]] inline settings read_settings(int argc, char** argv, std::string_view own = {}) {
    settings made;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--device" && !value.empty()) {
            made.device = value;
        } else if (name == "--seconds") {
            made.seconds = number_or_exit(name, value, 0.0, 1e9);
        } else if (name == "--frames") {
            made.frames = number_or_exit<std::uint64_t>(name, value, 0, 1'000'000'000'000);
        } else if (name == "--print" && own == name) {
            made.print = number_or_exit<std::uint32_t>(name, value, 0, 1'000'000);
        } else if (name == "--bytes" && own == name) {
            made.bytes = number_or_exit<std::uint32_t>(name, value, 60, 1514);
        } else {
            std::fprintf(stderr,
                         "%s [--device model|qtest|0000:bb:dd.f[,0000:bb:dd.f]] [--seconds N] [--frames N]\n"
                         "  rx_dump: [--print N] frames; pktgen: [--bytes 60..1514] a frame\n",
                         argv[0]);
            std::exit(2);
        }
    }
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
