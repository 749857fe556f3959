// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "noria/core/bits.hpp"
#include "noria/flow/parse.hpp"
#include "noria/packet/packet_pool.hpp"
#include "noria/packet/pull.hpp"
#include "noria/queue/frame.hpp"
#include "noria/queue/geometry.hpp"
#include "noria/queue/shortage.hpp"
#include "noria/queue/supply.hpp"

// The second half of a strategy: how a frame in posted memory becomes a packet. Copy it, keep it, or some of
// both.

namespace noria::inline NORIA_ABI {

// What building cost: one for each queue, moved by its thread only.
struct build_counters {
    std::uint64_t descriptors = 0; // packets made
    std::uint64_t heads = 0;       // data buffers allocated for copies
    std::uint64_t references = 0;  // pages handed to packets: each is one atomic when it is let go
    std::uint64_t copied_bytes = 0;

    build_counters& operator+=(const build_counters& more) noexcept {
        descriptors += more.descriptors;
        heads += more.heads;
        references += more.references;
        copied_bytes += more.copied_bytes;
        return *this;
    }
};

// The heads a builder takes from the packet pool, smallest first; 0 bytes ends the list.
struct head_plan {
    struct size {
        std::uint32_t bytes = 0;
        std::uint32_t heads = 0;
    };
    std::array<size, packet_home::most_head_classes> sizes{};
};

// Requires: attaches, whether packets keep posted memory; needs_head, whether there are frames that it cannot
// build without a head of their own; on_shortage, what usually becomes of a frame that could not be built;
// heads(options) -> head_plan; and build(frame, supply, packets, counters) -> packet_ptr, null when memory
// ran out: then nothing was taken. reads(frame bytes) is how many of them it will read, which are fetched
// ahead; all of them means that it copies the frame. It is made from the queue's options. Optional: the same
// build(whole_frame, ...) for frames that one buffer holds; begin_poll(free pages, all pages), and
// end_poll(completions, packets) or end_poll(completions), around each poll.
template <class Build, class Supply>
concept receive_build = requires(Build& build, frame& gathered, Supply& supply, packet_pool& packets,
                                 build_counters& counters, const rx_options& options) {
    { Build::attaches } -> std::convertible_to<bool>;
    { Build::needs_head } -> std::convertible_to<bool>;
    { Build::on_shortage } -> std::convertible_to<shortage>;
    { Build::heads(options) } noexcept -> std::same_as<head_plan>;
    requires std::is_nothrow_constructible_v<Build, const rx_options&>;
    { build.reads(1514u) } noexcept -> std::same_as<std::uint32_t>;
    { build.build(gathered, supply, packets, counters) } noexcept -> std::same_as<packet_ptr>;
};

namespace detail {

// A head for every packet there can be, in sizes up to `longest` bytes of frame; and for every sixteenth
// packet one that holds the longest frame, wherever it began in its strides: who linearizes, or writes to a
// shared head, needs it.
[[nodiscard]] inline head_plan plan_heads(const rx_options& options, std::uint32_t longest) noexcept {
    constexpr std::uint32_t small = 256;
    constexpr std::uint32_t ethernet = 1536;
    const std::uint32_t frame = options.frame_bytes;
    const std::uint32_t spare = options.geometry.headroom + options.geometry.tail_overhead;
    head_plan plan;
    std::size_t sizes = 0;
    const auto add = [&](std::uint32_t bytes, std::uint32_t heads) {
        const std::uint32_t size = round_up(bytes + spare, std::uint32_t{cache_line});
        if (sizes == 0 || plan.sizes[sizes - 1].bytes != size) // else the one before does for both
            plan.sizes[sizes++] = {size, heads};
    };
    longest = longest < frame ? longest : frame;
    if (longest != 0)
        add(longest < small ? longest : small, options.packets);
    if (longest > small)
        add(longest < ethernet ? longest : ethernet, options.packets);
    if (longest > ethernet && longest != frame)
        add(longest, options.packets);
    const bool also_for_copies = longest > ethernet && longest == frame;
    add(frame + options.geometry.strides.stride_bytes,
        also_for_copies ? options.packets : options.packets / 16 + 16);
    return plan;
}

// A packet with a head of its own that holds a copy of all of the frame; null when memory ran out.
[[nodiscard, gnu::always_inline]] inline packet_ptr copy_of(const any_frame auto& arrived,
                                                            std::uint32_t headroom, packet_pool& packets,
                                                            build_counters& counters) noexcept {
    packet_ptr made = packets.allocate(arrived.length(), headroom);
    if (made) {
        arrived.copy_to(made->put(arrived.length()));
        counters.copied_bytes += arrived.length();
        ++counters.heads;
        ++counters.descriptors;
    }
    return made;
}

// Hands the packet the posted memory of `part`, from its byte `from` on.
template <class Supply>
void attach(packet& to, piece& part, std::uint32_t from, Supply& supply, build_counters& counters) noexcept {
    if (from >= part.length)
        return;
    page& under = supply.take(part);
    ++counters.references;
    const auto how = to.add_fragment({&under, part.offset + from, part.length - from, part.truesize});
    NORIA_EXPECTS(how == packet::attached::taken,
                  "no two pieces of a frame follow each other on one page, and a packet has "
                  "fragments for all of them");
    static_cast<void>(how);
}

// A packet for a frame of no bytes, which lies nowhere. A call: such frames are rare, and a copy is long.
[[nodiscard, gnu::noinline]] inline packet_ptr empty_packet(packet_pool& packets,
                                                            build_counters& counters) noexcept {
    return copy_of(frame(), 0, packets, counters);
}

// The pieces behind the first one.
template <class Supply>
[[gnu::noinline]] void attach_rest(packet& to, std::span<piece> pieces, Supply& supply,
                                   build_counters& counters) noexcept {
    for (piece& part : pieces.subspan(1))
        attach(to, part, 0, supply, counters);
}

// A packet around the frame where it lies: its first piece is the head, the others are fragments. Always
// inlined: as a call it puts six registers by and back for each packet, a tenth of the receive path.
template <any_frame Frame, class Supply>
[[nodiscard, gnu::always_inline]] inline packet_ptr
packet_around(Frame& gathered, Supply& supply, packet_pool& packets, build_counters& counters) noexcept {
    const auto pieces = gathered.pieces();
    if (pieces.empty()) [[unlikely]]
        return empty_packet(packets, counters);
    piece& first = pieces[0];
    packet_ptr made = packets.build_around(*first.under, {.offset = first.offset - first.headroom,
                                                          .headroom = first.headroom,
                                                          .bytes = first.length,
                                                          .room = first.room,
                                                          .held = first.truesize});
    if (!made)
        return made;
    static_cast<void>(supply.take(first)); // the reference build_around was given
    ++counters.references;
    ++counters.descriptors;
    if (pieces.size() != 1) [[unlikely]]
        attach_rest(*made, pieces, supply, counters);
    return made;
}

} // namespace detail

// Copies nothing: the packet is put around the frame where the device left it.
struct wrap {
    static constexpr bool attaches = true;
    static constexpr bool needs_head = false;
    static constexpr shortage on_shortage = shortage::leave_in_ring;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, 0);
    }
    explicit wrap(const rx_options&) noexcept {}
    [[nodiscard]] static std::uint32_t reads(std::uint32_t) noexcept { return 0; }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply& supply, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        return detail::packet_around(gathered, supply, packets, counters);
    }
};

// Copies everything: posted memory is free again before the packet is handed on.
class copy_all {
  public:
    static constexpr bool attaches = false;
    static constexpr bool needs_head = true;
    static constexpr shortage on_shortage = shortage::drop_and_recycle;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, options.frame_bytes);
    }
    explicit copy_all(const rx_options& options) noexcept : headroom_(options.geometry.headroom) {}
    [[nodiscard]] static std::uint32_t reads(std::uint32_t frame_bytes) noexcept { return frame_bytes; }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply&, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        return detail::copy_of(gathered, headroom_, packets, counters);
    }

  private:
    std::uint32_t headroom_;
};

// Copies what is short, and wraps the rest. When there is no head for the copy the frame is wrapped after
// all.
class copy_short {
  public:
    static constexpr bool attaches = true;
    static constexpr bool needs_head = false;
    static constexpr shortage on_shortage = shortage::leave_in_ring;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, options.geometry.copybreak);
    }
    explicit copy_short(const rx_options& options) noexcept
        : headroom_(options.geometry.headroom), copybreak_(options.geometry.copybreak) {}
    [[nodiscard]] std::uint32_t reads(std::uint32_t frame_bytes) const noexcept {
        return frame_bytes <= copybreak_ ? frame_bytes : 0;
    }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply& supply, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        if (gathered.length() <= copybreak_)
            if (packet_ptr copied = detail::copy_of(gathered, headroom_, packets, counters))
                return copied;
        return detail::packet_around(gathered, supply, packets, counters);
    }

  private:
    std::uint32_t headroom_;
    std::uint32_t copybreak_;
};

// Copies the first bytes into a small head, blindly, and attaches the rest (mlx5's non-linear path).
class copy_head {
  public:
    static constexpr bool attaches = true;
    static constexpr bool needs_head = true;
    static constexpr shortage on_shortage = shortage::drop_and_recycle;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, options.geometry.small_head);
    }
    explicit copy_head(const rx_options& options) noexcept
        : headroom_(options.geometry.headroom),
          small_head_(options.geometry.small_head < options.frame_bytes ? options.geometry.small_head
                                                                        : options.frame_bytes) {}
    [[nodiscard]] std::uint32_t reads(std::uint32_t) const noexcept { return small_head_; }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply& supply, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        packet_ptr made = packets.allocate(small_head_, headroom_);
        if (!made)
            return made;
        ++counters.heads;
        ++counters.descriptors;
        std::uint32_t to_copy = gathered.length() < small_head_ ? gathered.length() : small_head_;
        counters.copied_bytes += to_copy;
        std::byte* to = made->put(to_copy);
        for (piece& part : gathered.pieces()) {
            const std::uint32_t here = part.length < to_copy ? part.length : to_copy;
            std::memcpy(to, part.data(), here);
            to += here;
            to_copy -= here;
            detail::attach(*made, part, here, supply, counters);
        }
        return made;
    }

  private:
    std::uint32_t headroom_;
    std::uint32_t small_head_;
};

// Attaches the frame and pulls just its headers, Ethernet to transport, into a small head; copies what is
// short (ixgbe's legacy path).
class pull_headers {
  public:
    static constexpr bool attaches = true;
    static constexpr bool needs_head = true;
    static constexpr shortage on_shortage = shortage::leave_in_ring;

    [[nodiscard]] static head_plan heads(const rx_options& options) noexcept {
        return detail::plan_heads(options, options.geometry.small_head);
    }
    explicit pull_headers(const rx_options& options) noexcept
        : headroom_(options.geometry.headroom),
          small_head_(options.geometry.small_head < options.frame_bytes ? options.geometry.small_head
                                                                        : options.frame_bytes) {}
    [[nodiscard]] std::uint32_t reads(std::uint32_t frame_bytes) const noexcept {
        return frame_bytes <= small_head_ ? frame_bytes : 128;
    }

    template <any_frame Frame, receive_supply Supply>
    [[nodiscard, gnu::always_inline]] packet_ptr build(Frame& gathered, Supply& supply, packet_pool& packets,
                                                       build_counters& counters) noexcept {
        if (gathered.length() <= small_head_)
            return detail::copy_of(gathered, headroom_, packets, counters);
        packet_ptr made = packets.allocate(small_head_, headroom_);
        if (!made)
            return made;
        ++counters.heads;
        ++counters.descriptors;
        for (piece& part : gathered.pieces())
            detail::attach(*made, part, 0, supply, counters);
        const fragment& first = made->fragments()[0];
        std::uint32_t headers = parse_headers({first.data(), first.length}).header_length;
        headers = headers < small_head_ ? headers : small_head_;
        made->gather(headers);
        counters.copied_bytes += headers;
        return made;
    }

  private:
    std::uint32_t headroom_;
    std::uint32_t small_head_;
};

} // namespace noria::inline NORIA_ABI
