// SPDX-License-Identifier: BSL-1.0
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

template <std::uint32_t Capacity>
struct boost_spsc : one_object<boost_spsc<Capacity>> {
    using item_type = descriptor;

    explicit boost_spsc(unsigned) {}

    bool push(const descriptor& item) noexcept { return queue.push(item); }
    std::uint32_t push(std::span<const descriptor> items) noexcept {
        return static_cast<std::uint32_t>(queue.push(items.data(), items.size()));
    }
    bool pop(descriptor& item) noexcept { return queue.pop(item); }
    std::uint32_t pop(std::span<descriptor> items) noexcept {
        return static_cast<std::uint32_t>(queue.pop(items.data(), items.size()));
    }

    boost::lockfree::spsc_queue<descriptor, boost::lockfree::capacity<Capacity>> queue;
};

template <std::uint32_t Capacity>
struct boost_queue : one_object<boost_queue<Capacity>> {
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit boost_queue(unsigned) {}

    bool push(const descriptor& item) noexcept { return queue.push(item); }
    bool pop(descriptor& item) noexcept { return queue.pop(item); }

    boost::lockfree::queue<descriptor, boost::lockfree::capacity<Capacity>> queue;
};

} // namespace

void add_boost(std::vector<subject>& all) {
    all.push_back(subject_of<boost_spsc>({.name = "boost spsc_queue",
                                          .type = "boost::lockfree::spsc_queue<T, capacity<N>>",
                                          .package = "libboost-dev",
                                          .index_ring = true}));
    all.push_back(subject_of<boost_queue>({.name = "boost queue",
                                           .type = "boost::lockfree::queue<T, capacity<N>>",
                                           .package = "libboost-dev"}));
}

} // namespace bench
