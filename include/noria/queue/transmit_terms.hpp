// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>

#include "noria/backend/transmit.hpp"
#include "noria/core/result.hpp"
#include "noria/packet/packet.hpp"

namespace noria::inline NORIA_ABI {

struct tx_options {
    std::uint32_t descriptors = 512;
    // The queue stops when fewer descriptors are free than the longest packet takes and `spare` more, and
    // wakes when `wake_free` are; 0 is a quarter of them. Apart, so that it does not stop and wake at every
    // packet.
    std::uint32_t spare = 0;
    std::uint32_t wake_free = 0;
    // A packet in too many pieces, and no memory to make them fewer: it is dropped at once; or kept, and
    // tried again so often, once at each complete(), with nothing else sent meanwhile so that order is kept.
    std::uint32_t retries = 0;
};

// What a transmit queue and its device have come to: what the one wanted, as far as the other does it.
struct transmit_terms {
    std::uint32_t most_pieces = 0;           // of a packet
    std::uint32_t offloads = 0;              // what the device does: flags of transmit_post,
    std::uint32_t most_link_header = 0xffff; // with headers of so many bytes
    std::uint32_t most_network_header = 0xffff;
    std::uint32_t descriptors = 0;
    std::uint32_t stop_below = 0; // free ones
    std::uint32_t wake_at = 0;    // never fewer than that
    std::uint32_t retries = 0;

    // When so many descriptors are free: in how many of them a packet may begin.
    [[nodiscard]] std::uint32_t beginnings(std::uint32_t free) const noexcept {
        return free < stop_below ? 0 : free - stop_below + 1;
    }

    // What the device is asked for.
    [[nodiscard]] static transmit_setup asked(const tx_options& options) noexcept {
        return {.descriptors = options.descriptors, .most_pieces = packet::most_fragments + 1};
    }

    // Set-up. An error, when the device answers with more than it was asked for, or with nothing; and when
    // the queue would never wake, or wake before it stops.
    [[nodiscard]] static result<transmit_terms> of(const tx_options& options,
                                                   const transmit_setup& has) noexcept {
        const transmit_setup most = asked(options);
        if (has.most_pieces == 0 || has.most_pieces > most.most_pieces || has.descriptors == 0 ||
            has.descriptors > most.descriptors)
            return make_error(std::errc::protocol_error,
                              "the device answers with at least one descriptor and one piece a packet, and "
                              "with no more than it was asked for");
        const std::uint64_t stop_below = std::uint64_t{has.most_pieces} + options.spare;
        const std::uint64_t quarter = has.descriptors / 4;
        const std::uint64_t wake_at = options.wake_free != 0 ? options.wake_free
                                      : quarter > stop_below ? quarter
                                                             : stop_below;
        if (wake_at < stop_below || wake_at > has.descriptors)
            return make_error(std::errc::invalid_argument,
                              "the queue wakes (`found`) at no fewer free descriptors than it stops below "
                              "(`wanted`), and at no more than there are: ask for more descriptors, or less "
                              "to spare",
                              stop_below, wake_at);
        return transmit_terms{.most_pieces = has.most_pieces,
                              .offloads = has.offloads,
                              .most_link_header = has.most_link_header,
                              .most_network_header = has.most_network_header,
                              .descriptors = has.descriptors,
                              .stop_below = static_cast<std::uint32_t>(stop_below),
                              .wake_at = static_cast<std::uint32_t>(wake_at),
                              .retries = options.retries};
    }
};

} // namespace noria::inline NORIA_ABI
