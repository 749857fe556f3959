// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

// What a driver did wrong. Silicon would have gone on in silence, hung, or written over somebody's memory;
// the model writes it down, does no harm, and goes on as silicon would.

namespace model82599 {

enum class fault : std::uint8_t {
    undeclared_register, // no such register: where = its offset
    wrong_access,        // a read of what can only be written, or the other way round
    misaligned_access,   // not four bytes at a multiple of four, or outside of the register space
    access_during_reset, // only CTRL and STATUS can be used then, and some ms after
    unsupported,         // the card can do it, the model cannot: where = the register

    ring_misaligned,    // the ring does not begin at a multiple of 128 bytes, or is no multiple of 128 long
    ring_changed,       // base or length of a queue that runs
    tail_beyond_ring,   // RDT or TDT at or behind the last descriptor: value = what was written
    queue_before_te,    // TXDCTL.ENABLE before transmitting is on (DMATXCTL bit 0): the queue stays off
    arbiter_running,    // MTQC while RTTDCS.ARBDIS is off
    receive_unguarded,  // RXCTRL.RXEN without SECRXCTRL.RX_DIS around it
    setting_forgotten,  // receiving begins: NS_DIS is off, or bit 12 of a queue's DCA_RXCTRL is on
    crc_bits_differ,    // receiving begins: HLREG0.RXCRCSTRP is not RDRXCTL.CRCSTRIP
    high_half_first,    // GORCH and its like, and not GORCL before it
    buffer_size_zero,   // SRRCTL.BSIZEPACKET is 0, or BSIZEHEADER where headers are split
    stale_descriptor,   // given to the card with DD set: software still owns it, or never filled it anew
    descriptor_changed, // software wrote to a descriptor that the card owned
    buffer_too_short,   // SRRCTL says so many bytes, and behind the buffer's address there are fewer
    null_iova,          // a buffer at address 0
    outside_map,        // an address that no memory was attached at: where = the iova. Nothing was touched

    bad_descriptor,       // a type that there is not, DEXT off, no length
    too_many_descriptors, // more than 40 - WTHRESH for one packet
    wrong_payload_length, // PAYLEN is not what the descriptors add up to
    context_missing,      // an offload was asked for, and its context never given
    frame_too_short,      // below 17 bytes: the card hangs
    frame_too_long,       // more than the card takes in one packet
    no_checksequence,     // IFCS off: the frame would go out without its CRC
    report_missing,       // WTHRESH > 0, and a packet without RS
    report_too_early      // RS before the last descriptor of a packet, or EOP on a context descriptor
};

[[nodiscard]] constexpr const char* name(fault what) noexcept {
    constexpr std::array names = {"undeclared_register",
                                  "wrong_access",
                                  "misaligned_access",
                                  "access_during_reset",
                                  "unsupported",
                                  "ring_misaligned",
                                  "ring_changed",
                                  "tail_beyond_ring",
                                  "queue_before_te",
                                  "arbiter_running",
                                  "receive_unguarded",
                                  "setting_forgotten",
                                  "crc_bits_differ",
                                  "high_half_first",
                                  "buffer_size_zero",
                                  "stale_descriptor",
                                  "descriptor_changed",
                                  "buffer_too_short",
                                  "null_iova",
                                  "outside_map",
                                  "bad_descriptor",
                                  "too_many_descriptors",
                                  "wrong_payload_length",
                                  "context_missing",
                                  "frame_too_short",
                                  "frame_too_long",
                                  "no_checksequence",
                                  "report_missing",
                                  "report_too_early"};
    static_assert(names.size() == static_cast<std::size_t>(fault::report_too_early) + 1);
    return names[static_cast<std::size_t>(what)];
}

struct fault_record {
    fault what{};
    std::uint64_t where = 0; // an offset, a queue or an iova
    std::uint64_t value = 0;

    friend bool operator==(const fault_record&, const fault_record&) = default;
    friend std::ostream& operator<<(std::ostream& out, const fault_record& record) {
        return out << name(record.what) << " at 0x" << std::hex << record.where << ", value 0x"
                   << record.value << std::dec;
    }
};

// The first of them in full, and how many there were of each kind.
class fault_log {
  public:
    void record(fault what, std::uint64_t where, std::uint64_t value = 0) {
        ++counts_[static_cast<std::size_t>(what)];
        if (records_.size() != most_records)
            records_.push_back({what, where, value});
    }

    [[nodiscard]] const std::vector<fault_record>& records() const noexcept { return records_; }
    [[nodiscard]] std::uint64_t count(fault what) const noexcept {
        return counts_[static_cast<std::size_t>(what)];
    }
    void clear() noexcept {
        records_.clear();
        counts_ = {};
    }

  private:
    static constexpr std::size_t most_records = 256;

    std::vector<fault_record> records_;
    std::array<std::uint64_t, static_cast<std::size_t>(fault::report_too_early) + 1> counts_{};
};

} // namespace model82599
