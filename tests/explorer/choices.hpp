// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// All that an execution leaves open (whose turn it is, which store a load returns) is asked for here. The
// answers make a path, which can be taken again, and advanced to the next one, depth first.

namespace explorer {

class choices {
  public:
    // 0 to options - 1. Option 0 is the plain one: go on, read the newest.
    [[nodiscard]] unsigned pick(unsigned options) {
        if (options == 1)
            return 0;
        if (depth_ == path_.size())
            path_.push_back({random_ ? by_chance(options) : 0, options});
        const step& here = path_[depth_++];
        repeatable_ &= here.options == options;
        return here.taken;
    }

    // The same path once more.
    void rewind() {
        depth_ = 0;
        repeatable_ = true;
    }

    // On to the path after this one; false when there is none.
    [[nodiscard]] bool advance() {
        while (!path_.empty() && path_.back().taken + 1 == path_.back().options)
            path_.pop_back();
        if (path_.empty())
            return false;
        ++path_.back().taken;
        return true;
    }

    void forget() { path_.clear(); }

    // From here on new choices are made by chance; never zero.
    void seed(std::uint64_t seed) { random_ = seed; }
    void depth_first() { random_ = 0; }
    [[nodiscard]] bool by_chance() const { return random_ != 0; }

    // At the end of an execution: false if a path that was taken again offered other choices than the first
    // time. The body then asks something that is not in the model (the time, an address, its own past).
    [[nodiscard]] bool repeatable() const { return repeatable_ && depth_ == path_.size(); }

  private:
    struct step {
        unsigned taken;
        unsigned options;
    };

    // Half of the time the plain option. (xorshift64: Marsaglia, 2003.)
    [[nodiscard]] unsigned by_chance(unsigned options) {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        const auto drawn = static_cast<unsigned>(random_ >> 33);
        return drawn % 2 == 0 ? 0 : drawn / 2 % options;
    }

    std::vector<step> path_;
    std::size_t depth_ = 0;
    std::uint64_t random_ = 0;
    bool repeatable_ = true;
};

} // namespace explorer
