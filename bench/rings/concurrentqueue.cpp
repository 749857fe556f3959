// SPDX-License-Identifier: BSL-1.0
#include <concurrentqueue/concurrentqueue.h>

#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

namespace bench {
namespace {

using queue_type = moodycamel::ConcurrentQueue<descriptor>;

// With tokens, which is how it is fastest, and without allocation after the start.
template <std::uint32_t Capacity>
class concurrent {
  public:
    using item_type = descriptor;
    static constexpr bool many_producers = true;

    explicit concurrent(unsigned producers) : queue_(Capacity, producers, 0), taker_(queue_) {
        for (unsigned i = 0; i != producers; ++i)
            tokens_.push_back(std::make_unique<moodycamel::ProducerToken>(queue_));
    }

    struct producer_side {
        queue_type& queue;
        moodycamel::ProducerToken& token;

        bool push(const descriptor& item) noexcept { return queue.try_enqueue(token, item); }
        std::uint32_t push(std::span<const descriptor> items) noexcept {
            return queue.try_enqueue_bulk(token, items.data(), items.size())
                       ? static_cast<std::uint32_t>(items.size())
                       : 0;
        }
    };
    struct consumer_side {
        queue_type& queue;
        moodycamel::ConsumerToken& token;

        bool pop(descriptor& item) noexcept { return queue.try_dequeue(token, item); }
        std::uint32_t pop(std::span<descriptor> items) noexcept {
            return static_cast<std::uint32_t>(queue.try_dequeue_bulk(token, items.data(), items.size()));
        }
    };

    producer_side producer(unsigned i) noexcept { return {queue_, *tokens_[i]}; }
    consumer_side consumer() noexcept { return {queue_, taker_}; }

  private:
    queue_type queue_;
    moodycamel::ConsumerToken taker_;
    std::vector<std::unique_ptr<moodycamel::ProducerToken>> tokens_;
};

} // namespace

void add_concurrentqueue(std::vector<subject>& all) {
    all.push_back(subject_of<concurrent>({.name = "ConcurrentQueue",
                                          .type = "moodycamel::ConcurrentQueue<T>(N), tokens, try_enqueue",
                                          .package = "libconcurrentqueue-dev"}));
}

} // namespace bench
