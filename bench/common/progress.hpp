// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdio>
#include <string>

#include <unistd.h>

#include "noria/core/clock.hpp"

namespace bench {

// One line that tells how far a run is, on a terminal; silent where nobody looks.
class progress {
  public:
    explicit progress(std::size_t steps) : steps_(steps), began_(noria::monotonic_clock{}.now()) {}
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { clear(); }

    void show(std::size_t done, const std::string& what) {
        if (!terminal_)
            return;
        const double so_far = static_cast<double>(noria::monotonic_clock{}.now() - began_) * 1e-9;
        const double left =
            done == 0 ? 0 : so_far / static_cast<double>(done) * static_cast<double>(steps_ - done);
        std::fprintf(stderr, "\r\033[K[%zu/%zu] %-44s %3.0f s left", done, steps_, what.c_str(), left);
        std::fflush(stderr);
    }
    void clear() {
        if (terminal_)
            std::fputs("\r\033[K", stderr);
    }

  private:
    std::size_t steps_;
    noria::nanoseconds began_;
    bool terminal_ = isatty(STDERR_FILENO) != 0;
};

} // namespace bench
