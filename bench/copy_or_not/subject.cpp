// SPDX-License-Identifier: BSL-1.0
#include "copy_or_not/subject.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "common/machine.hpp"
#include "common/statistics.hpp"
#include "copy_or_not/consumer.hpp"
#include "copy_or_not/wire.hpp"
#include "noria/backend/replay.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/strategy.hpp"

namespace bench {
namespace {

constexpr std::uint32_t weight = 64;

// Linux's numbers for what Linux does, lean ones for what it does not.
template <class Strategy>
noria::receive_geometry geometry_for(std::uint32_t longest) {
    constexpr bool lean =
        std::is_same_v<Strategy, noria::stride_around> || std::is_same_v<Strategy, noria::adaptive>;
    if constexpr (!lean)
        return noria::linux_geometry;
    return longest > 4096 ? noria::lean_jumbo_geometry : noria::lean_geometry;
}

template <class Strategy>
noria::rx_options queue_options(const cell& where, const traffic& from) {
    return {.descriptors = 1024,
            .packets = where.hold.pool(),
            .frame_bytes = from.longest,
            .geometry = geometry_for<Strategy>(from.longest)};
}

template <class Strategy>
using device = noria::backend::replay<Strategy::supply::model>;
template <class Strategy>
using queue = noria::rx_queue<device<Strategy>, Strategy>;

template <class Strategy>
std::uint64_t region_bytes(const cell& where, const traffic& from) {
    return queue<Strategy>::region_bytes(queue_options<Strategy>(where, from));
}

// Waits until the card is a full poll ahead, as it is under load, or until it clearly will not be. Time here
// is not counted.
template <class Card>
void let_the_card_work(const Card& card, std::uint64_t frames) {
    constexpr noria::nanoseconds patience = 50'000;
    const noria::monotonic_clock clock;
    const noria::nanoseconds began = clock.now();
    while (card.moved() < frames && clock.now() - began < patience)
        noria::std_sync::relax();
}

// Time in polls that found something, gathered in slices of some thousand packets. A slice that took several
// times as long as the median one was interrupted, by the system or by a neighbour; it says nothing of the
// strategy and is left out.
class stopwatch {
  public:
    void add(std::uint64_t ticks, std::uint64_t packets) {
        ticks_ += ticks;
        packets_ += packets;
        if (packets_ >= slice_packets) {
            slices_.push_back({ticks_, packets_});
            ticks_ = packets_ = 0;
        }
    }
    [[nodiscard]] double ns_per_packet() {
        if (slices_.empty() && packets_ != 0)
            slices_.push_back({ticks_, packets_});
        if (slices_.empty())
            return 0;
        std::vector<double> costs;
        for (const slice& one : slices_)
            costs.push_back(one.cost());
        const double limit = interrupted * median(costs);
        std::uint64_t ticks = 0;
        std::uint64_t packets = 0;
        for (const slice& one : slices_)
            if (one.cost() <= limit) {
                ticks += one.ticks;
                packets += one.packets;
            }
        return static_cast<double>(ticks) * nanoseconds_per_tick() / static_cast<double>(packets);
    }

  private:
    static constexpr std::uint64_t slice_packets = 1024;
    static constexpr double interrupted = 4;

    struct slice {
        std::uint64_t ticks;
        std::uint64_t packets;
        [[nodiscard]] double cost() const {
            return static_cast<double>(ticks) / static_cast<double>(packets);
        }
    };
    std::vector<slice> slices_;
    std::uint64_t ticks_ = 0;
    std::uint64_t packets_ = 0;
};

// Polls until `enough()`.
template <class Queue, class Card, class Enough>
stopwatch poll_until(Queue& from, consumer& to, const Card& card, pace& told, measurement& result,
                     Enough&& enough) {
    const noria::tick_counter ticks;
    stopwatch watch;
    while (!enough()) {
        let_the_card_work(card, told.packets.value() + weight);
        const std::uint64_t packets = to.packets();
        const std::uint64_t before = ticks.now();
        const std::uint32_t done = from.poll(weight, to);
        const std::uint64_t after = ticks.now();
        told.polls.add();
        told.packets.add(from.counters().delivered + from.drops().dropped() - told.packets.value());
        if (done != 0)
            watch.add(after - before, to.packets() - packets);
        result.pinned_peak_bytes = std::max(result.pinned_peak_bytes, from.pinned_bytes());
    }
    return watch;
}

template <class Strategy>
measurement run(const cell& where, const traffic& from, noria::region& memory, const run_options& options,
                memory_of_the_past& past) {
    const auto card = std::make_unique<device<Strategy>>(from.frames);
    auto made = queue<Strategy>::create(*card, memory, queue_options<Strategy>(where, from));
    if (!made)
        throw std::runtime_error(std::string("the queue was not made: ") + made.error().advice);
    queue<Strategy>& rx = *made;
    constexpr bool learns = requires { rx.builder().learner(); };
    if constexpr (learns)
        if (past.has_learned)
            rx.builder().learner() = past.learner;

    measurement result;
    consumer app(where);
    pace told;
    {
        wire<device<Strategy>> other_end(*card, told);
        const noria::monotonic_clock clock;
        const auto in = [&](double seconds) {
            return clock.now() + static_cast<noria::nanoseconds>(seconds * 1e9);
        };

        // Steady state first: hands full, caches and what is learned warm. A consumer that can never fill its
        // hands, because memory runs out before, is measured as it is.
        const noria::nanoseconds warm = in(options.warm_up_seconds);
        const noria::nanoseconds give_up = in(1.0);
        poll_until(rx, app, card->card(), told, result,
                   [&] { return (clock.now() > warm && app.full_handed()) || clock.now() > give_up; });

        const noria::receive_counters before = rx.counters();
        const noria::dma_counters dma_before = rx.dma();
        const std::uint64_t pages_before = rx.pages_allocated();
        const std::uint64_t out_before = app.copied_out();
        result.pinned_peak_bytes = 0;
        const double had = thread_seconds();
        const noria::nanoseconds began = clock.now();
        const noria::nanoseconds end = in(options.frames != 0 ? 10.0 : options.seconds);
        stopwatch watch = poll_until(rx, app, card->card(), told, result, [&] {
            return clock.now() > end ||
                   (options.frames != 0 && rx.counters().delivered - before.delivered >= options.frames);
        });
        result.core_share = (thread_seconds() - had) / (static_cast<double>(clock.now() - began) * 1e-9);

        const noria::receive_counters& after = rx.counters();
        result.packets = after.delivered - before.delivered;
        result.payload_bytes = after.bytes - before.bytes;
        result.bytes_copied = after.built.copied_bytes - before.built.copied_bytes;
        result.bytes_copied_out = app.copied_out() - out_before;
        result.heads = after.built.heads - before.built.heads;
        result.descriptors = after.built.descriptors - before.built.descriptors;
        result.references = after.built.references - before.built.references;
        result.pages_allocated = rx.pages_allocated() - pages_before;
        result.dma = {rx.dma().maps - dma_before.maps,
                      rx.dma().unmaps - dma_before.unmaps,
                      rx.dma().syncs_for_cpu - dma_before.syncs_for_cpu,
                      rx.dma().bytes_for_cpu - dma_before.bytes_for_cpu,
                      rx.dma().syncs_for_device - dma_before.syncs_for_device,
                      rx.dma().bytes_for_device - dma_before.bytes_for_device};
        result.ns_per_packet = watch.ns_per_packet();
        other_end.stop();
    }

    // The ledger. What the card has in its FIFO was offered and is still on its way.
    while (rx.poll(weight, app) != 0) {
    }
    // delivered: the consumer has had it and let it go; held: it has it, or it could not be built and is in
    // the ring.
    result.held = app.held() + (rx.holds_back() ? 1u : 0u);
    result.delivered = app.packets() - app.held();
    result.offered = card->card().offered() - card->card().fifo_waiting();
    result.dropped["rx_missed"] = card->card().missed();
    result.dropped["lost_by_device"] = card->card().lost();
    std::uint64_t dropped = card->card().missed() + card->card().lost();
    for (std::uint32_t i = 0; i != noria::drop_reason_count; ++i) {
        const auto reason = static_cast<noria::drop_reason>(i);
        if (reason == noria::drop_reason::consumed || rx.drops().of(reason) == 0)
            continue;
        result.dropped[name(reason)] += rx.drops().of(reason);
        dropped += rx.drops().of(reason);
    }
    if (rx.counters().delivered != app.packets() ||
        result.offered != result.delivered + dropped + result.held)
        throw broken_ledger(std::string("the ledger does not close in ") + where.name() + ": offered " +
                            std::to_string(result.offered) + ", delivered " +
                            std::to_string(result.delivered) + ", dropped " + std::to_string(dropped) +
                            ", held " + std::to_string(result.held));
    app.let_go_of_all();
    if (rx.packets_out() != 0 || rx.pinned_bytes() != 0)
        throw broken_ledger(std::string("memory did not come home in ") + where.name() + ": " +
                            std::to_string(rx.packets_out()) + " packets and " +
                            std::to_string(rx.pinned_bytes()) + " bytes are out");
    if constexpr (learns) {
        past = {true, rx.builder().learner()};
        result.copybreak = past.learner.learned_copybreak();
    }
    volatile std::uint64_t seen = app.sum();
    static_cast<void>(seen);
    return result;
}

template <class Strategy>
subject entry(const char* name) {
    return {name, &region_bytes<Strategy>, &run<Strategy>};
}

} // namespace

const std::vector<subject>& subjects() {
    static const std::vector<subject> all = {
        entry<noria::per_packet>("per_packet"),
        entry<noria::per_packet_copybreak>("per_packet_copybreak"),
        entry<noria::stride_copy>("stride_copy"),
        entry<noria::stride_attach>("stride_attach"),
        entry<noria::page_attach>("page_attach"),
        entry<noria::build_around>("build_around"),
        entry<noria::stride_around>("stride_around"),
        entry<noria::adaptive>("adaptive"),
    };
    return all;
}

double memcpy_floor(const traffic& from, noria::region& memory, const run_options& options) {
    constexpr std::uint32_t buffers = 1024;
    const std::uint32_t buffer_bytes = noria::round_up(from.longest, 64u);
    if (memory.bytes().size() < std::uint64_t{buffers} * buffer_bytes)
        return 0;
    using card_type = noria::backend::replay<noria::buffer_model::per_packet>;
    const auto card = std::make_unique<card_type>(from.frames);
    auto configured = card->configure({.descriptors = buffers});
    auto dma = card->attach(memory);
    if (!configured || !dma)
        return 0;
    const auto post = [&](std::uint32_t id) {
        const noria::buffer_post one{dma->iova_of(memory.bytes().data() + std::size_t{id} * buffer_bytes), id,
                                     buffer_bytes};
        return card->post({&one, 1});
    };
    for (std::uint32_t id = 0; id != buffers; ++id)
        static_cast<void>(post(id));

    std::vector<std::byte> to(std::size_t{weight} * buffer_bytes);
    std::array<noria::completion, weight> done;
    const noria::tick_counter ticks;
    const noria::monotonic_clock clock;
    stopwatch watch;
    std::uint64_t packets = 0;
    pace told;
    wire<card_type> other_end(*card, told);
    const noria::nanoseconds end = clock.now() + static_cast<noria::nanoseconds>(options.seconds * 1e9);
    while (clock.now() < end) {
        let_the_card_work(card->card(), packets + weight);
        const std::uint32_t filled = card->reap(done);
        const std::uint64_t before = ticks.now();
        for (std::uint32_t i = 0; i != filled; ++i)
            std::memcpy(to.data() + std::size_t{i} * buffer_bytes,
                        memory.bytes().data() + std::size_t{done[i].id} * buffer_bytes, done[i].length);
        asm volatile("" : : "r"(to.data()) : "memory"); // the copies count
        watch.add(ticks.now() - before, filled);
        packets += filled;
        told.packets.add(filled);
        for (std::uint32_t i = 0; i != filled; ++i)
            static_cast<void>(post(done[i].id));
    }
    return watch.ns_per_packet();
}

} // namespace bench
