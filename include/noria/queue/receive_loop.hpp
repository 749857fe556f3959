// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "noria/packet/heads.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/queue/frame.hpp"
#include "noria/stats/drop_reason.hpp"

namespace noria::inline NORIA_ABI {

// What shall become of a frame, decided from its bytes where the device put them, before there is a packet
// (XDP's place).
enum class verdict : std::uint8_t {
    pass,      // to the stages behind
    drop,      // counted as filter; its memory goes back to the device at once
    send_back, // out of a transmit queue, past all other stages
    redirect   // to somebody else, past all other stages
};

// Moved by the thread that polls. What the queue counts as delivered and is neither taken, sent_back,
// redirected nor full_ring, the consumer got.
struct stage_counters {
    std::uint64_t taken = 0;      // kept by the flow stage
    std::uint64_t sent_back = 0;  // taken by send_back
    std::uint64_t redirected = 0; // handed to redirect
    std::uint64_t full_ring = 0;  // not taken by send_back: dropped for that reason
    std::uint64_t tapped = 0;     // clones handed to the tap
    std::uint64_t not_tapped = 0; // no memory for a clone: the packet itself went on
};

namespace detail {

template <class Address>
concept of_function =
    std::is_member_function_pointer_v<Address> || std::is_function_v<std::remove_pointer_t<Address>>;

// Which stages a type has, whether right or not: a filter with one argument too few would be no filter, and
// nobody would notice. Overloaded ones and templates have no address, and are asked by a call.
template <class Stages>
concept has_early = requires {
    requires of_function<decltype(&Stages::early)>;
} || requires(Stages& of, std::span<std::byte> first, const frame& all) { of.early(first, all); };
template <class Stages>
concept has_send_back = requires { requires of_function<decltype(&Stages::send_back)>; } ||
                        requires(Stages& of, packet_ptr& packet) { of.send_back(packet); };
template <class Stages>
concept has_redirect = requires { requires of_function<decltype(&Stages::redirect)>; } ||
                       requires(Stages& of) { of.redirect(packet_ptr()); };
template <class Stages>
concept has_flow = requires { requires of_function<decltype(&Stages::flow)>; } ||
                   requires(Stages& of) { of.flow(packet_ptr()); };
template <class Stages>
concept has_tap = requires { requires of_function<decltype(&Stages::tap)>; } ||
                  requires(Stages& of) { of.tap(packet_ptr()); };

} // namespace detail

// What a frame meets on its way, as members of one type:
//
//   frame --> early --> [strategy: packet] --> flow --> tap (a clone) --> consume
//               |                    '--> send_back, redirect
//               '--> drop
//
// Requires: consume(packet_ptr). May have: early(first piece, frame) -> verdict, called once for each sound
// frame, whose bytes it may change where they lie; send_back(packet_ptr&) -> was it taken, a tx_queue's send;
// redirect(packet_ptr); flow(packet_ptr) -> what goes on, or nothing if it was kept; tap(packet_ptr), with a
// clone of what goes on. All noexcept. A stage that is not there costs nothing.
template <class Stages>
concept receive_stages = requires(Stages& stages) {
    { stages.consume(packet_ptr()) } noexcept;
};

// Takes frames through the stages: what rx_queue::poll gets in place of a consumer. A verdict whose stage is
// not there passes. One for each queue, for as long as that is polled: it remembers the verdict on a frame
// that waits for memory. One thread.
template <receive_stages Stages>
class receive_loop {
  public:
    // `stages` outlives it.
    explicit receive_loop(Stages& stages) noexcept : stages_(stages) { check(); }

    [[nodiscard]] const stage_counters& counters() const noexcept { return counters_; }

    // For rx_queue: shall there be a packet, and here it is.
    [[nodiscard]] bool admits(frame& arrived) noexcept
        requires detail::has_early<Stages>
    {
        const std::span<piece> pieces = arrived.pieces();
        const std::span<std::byte> first =
            pieces.empty() ? std::span<std::byte>() : std::span(pieces[0].data(), pieces[0].length);
        verdict_ = stages_.early(first, static_cast<const frame&>(arrived));
        return verdict_ != verdict::drop;
    }
    void operator()(packet_ptr packet) noexcept {
        if constexpr (detail::has_early<Stages> && detail::has_send_back<Stages>)
            if (verdict_ == verdict::send_back)
                return send_back(std::move(packet));
        if constexpr (detail::has_early<Stages> && detail::has_redirect<Stages>)
            if (verdict_ == verdict::redirect) {
                ++counters_.redirected;
                stages_.redirect(std::move(packet));
                return;
            }
        if constexpr (detail::has_flow<Stages>) {
            packet = stages_.flow(std::move(packet));
            if (!packet) {
                ++counters_.taken;
                return;
            }
        }
        if constexpr (detail::has_tap<Stages>)
            tap(*packet);
        stages_.consume(std::move(packet));
    }

  private:
    static consteval void check() noexcept {
        if constexpr (detail::has_early<Stages>)
            static_assert(
                requires(Stages& of, std::span<std::byte> first, const frame& all) {
                    { of.early(first, all) } noexcept -> std::same_as<verdict>;
                },
                "early(std::span<std::byte>, const noria::frame&) is noexcept and returns a noria::verdict");
        if constexpr (detail::has_send_back<Stages>)
            static_assert(
                requires(Stages& of, packet_ptr& packet) {
                    { of.send_back(packet) } noexcept -> std::same_as<bool>;
                }, "send_back(noria::packet_ptr&) is noexcept and returns whether the packet was taken");
        if constexpr (detail::has_redirect<Stages>)
            static_assert(
                requires(Stages& of) {
                    { of.redirect(packet_ptr()) } noexcept;
                }, "redirect(noria::packet_ptr) is noexcept");
        if constexpr (detail::has_flow<Stages>)
            static_assert(
                requires(Stages& of) {
                    { of.flow(packet_ptr()) } noexcept -> std::same_as<packet_ptr>;
                },
                "flow(noria::packet_ptr) is noexcept and returns the packet that goes on, or an empty one");
        if constexpr (detail::has_tap<Stages>)
            static_assert(
                requires(Stages& of) {
                    { of.tap(packet_ptr()) } noexcept;
                }, "tap(noria::packet_ptr) is noexcept");
    }

    void send_back(packet_ptr packet) noexcept {
        if (stages_.send_back(packet)) {
            ++counters_.sent_back;
        } else {
            ++counters_.full_ring;
            packet.free(drop_reason::full_ring);
        }
    }
    void tap(packet& passing) noexcept {
        packet_ptr twin = passing.clone();
        if (!twin) {
            ++counters_.not_tapped;
            return;
        }
        ++counters_.tapped;
        stages_.tap(std::move(twin));
    }

    Stages& stages_;
    stage_counters counters_;
    verdict verdict_ = verdict::pass;
};

} // namespace noria::inline NORIA_ABI
