// SPDX-License-Identifier: BSL-1.0
#include "noria/core/cacheline.hpp"
#include "rings/harness.hpp"
#include "rings/neighbours.hpp"

// What the machine itself can do, measured by the same loops: nothing that goes from core to core is faster.

namespace bench {
namespace {

// A line that goes there and back: the two "rings" of a round trip are the same line, or one line each way.
// No item, only its number: a line with a single word in it.
struct alignas(noria::thread_gap) lone_line {
    std::atomic<std::uint64_t> number{0};
};

sample ping_pong(const request& asked, std::atomic<std::uint64_t>& there, std::atomic<std::uint64_t>& back) {
    const auto meet = std::make_unique<rendezvous>();
    constexpr std::uint64_t end = ~std::uint64_t{0};
    std::thread echo([&] {
        pin(1);
        const real_time now;
        const std::uint64_t before = preemptions();
        for (std::uint64_t expected = 1;; expected += 2) {
            std::uint64_t came;
            while ((came = there.load(std::memory_order_acquire)) != expected && came != end)
                wait_a_little(asked.pause);
            if (came == end)
                break;
            back.store(expected + 1, std::memory_order_release);
        }
        finish(*meet, 0, preemptions() - before);
    });
    const noria::tick_counter clock;
    std::uint64_t number = 0;
    std::uint64_t ticks = 0;
    std::uint64_t trips = 0;
    std::uint64_t preempted = 0;
    {
        const real_time now;
        for (const double share : {0.25, 1.0}) {
            const std::uint64_t first = number;
            preempted = preemptions();
            const std::uint64_t began = clock.now();
            do {
                for (int i = 0; i != 16; ++i) {
                    there.store(number + 1, std::memory_order_release);
                    number += 2;
                    while (back.load(std::memory_order_acquire) != number)
                        wait_a_little(asked.pause);
                }
                ticks = clock.now() - began;
            } while (ticks < ticks_for(asked.seconds * share));
            preempted = preemptions() - preempted;
            trips = (number - first) / 2;
        }
    }
    there.store(end, std::memory_order_release);
    echo.join();
    return {static_cast<double>(ticks) * nanoseconds_per_tick() / static_cast<double>(trips),
            preempted + meet->preempted.load(std::memory_order_relaxed) != 0};
}

sample one_line(std::uint32_t, const request& asked) {
    const auto line = std::make_unique<lone_line>();
    return ping_pong(asked, line->number, line->number);
}

sample two_lines(std::uint32_t, const request& asked) {
    const auto lines = std::make_unique<lone_line[]>(2);
    return ping_pong(asked, lines[0].number, lines[1].number);
}

// Lines one way, as fast as they go: blocks of eight lines, one index for each block, every line asked for
// ahead by both sides, and nothing a ring has to care for besides: no bursts of other sizes, no handles, no
// wrap inside a block.
class line_stream {
  public:
    using item_type = descriptor;
    static constexpr std::uint32_t slots = 1024;
    static constexpr std::uint32_t ahead = 64; // slots; both sides stay so far from each other
    static constexpr std::uint32_t chunk = slots / 8;
    static constexpr std::uint32_t in_a_line = noria::cache_line / sizeof(descriptor);

    explicit line_stream(unsigned) {}
    line_stream& producer(unsigned) noexcept { return *this; }
    line_stream& consumer() noexcept { return *this; }

    template <class Fill>
    std::uint32_t place(std::uint32_t, Fill fill) noexcept {
        if (free_ - written_ < ahead + burst_size) {
            free_ = head_.load(std::memory_order_acquire) + slots; // partner: the store in look()
            if (free_ - written_ < ahead + burst_size)
                return 0;
        }
        for (std::uint32_t i = 0; i != burst_size; i += in_a_line)
            noria::std_sync::prefetch_write(&items_[(written_ + ahead + i) % slots]);
        for (std::uint32_t i = 0; i != burst_size; ++i)
            fill(items_[(written_ + i) % slots], i);
        written_ += burst_size;
        tail_.store(written_, std::memory_order_release); // partner: the load in look()
        return burst_size;
    }

    template <class See>
    std::uint32_t look(std::uint32_t, See see) noexcept {
        if (seen_ == read_) {
            const std::uint32_t tail = tail_.load(std::memory_order_acquire); // partner: the store in place()
            if (tail == read_)
                return 0;
            seen_ = tail;
        }
        for (std::uint32_t i = 0; i != burst_size && seen_ - read_ > burst_size; i += in_a_line)
            noria::std_sync::prefetch_read(&items_[(read_ + burst_size + i) % slots]);
        for (std::uint32_t i = 0; i != burst_size; ++i)
            see(items_[(read_ + i) % slots], i);
        read_ += burst_size;
        if (read_ % chunk == 0)
            head_.store(read_, std::memory_order_release); // partner: the load in place()
        return burst_size;
    }

    // So that the loops compile; the stream is measured in place only.
    bool push(const descriptor&) noexcept { return false; }
    bool pop(descriptor&) noexcept { return false; }

  private:
    alignas(noria::thread_gap) descriptor items_[slots]{};
    alignas(noria::thread_gap) std::uint32_t written_ = 0;
    std::uint32_t free_ = slots;
    alignas(noria::thread_gap) std::uint32_t read_ = 0;
    std::uint32_t seen_ = 0;
    alignas(noria::thread_gap) std::atomic<std::uint32_t> tail_{0};
    alignas(noria::thread_gap) std::atomic<std::uint32_t> head_{0};
};

} // namespace

void add_limits(std::vector<subject>& all) {
    const auto add = [&](const char* name, const char* type, std::vector<work> works,
                         sample (*run)(std::uint32_t, const request&)) {
        all.push_back(
            {.name = name, .type = type, .from = origin::limit, .works = std::move(works), .run = run});
    };
    add("limit: one line", "one cache line there and back", {work::round_trip}, one_line);
    add("limit: two lines", "one cache line there, another back", {work::round_trip}, two_lines);
    add("limit: stream", "lines of four descriptors one way, in blocks of eight, asked for ahead",
        {work::in_place}, [](std::uint32_t, const request& asked) {
            return stream<line_stream, bursts_in_place, false>(asked);
        });
}

} // namespace bench
