// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hardware/interrupts.hpp"
#include "hardware/registers.hpp"

#include "clock.hpp"
#include "dma_engine.hpp"
#include "faults.hpp"
#include "interrupts.hpp"
#include "link_and_eeprom.hpp"
#include "receive.hpp"
#include "register_file.hpp"
#include "register_map.hpp"
#include "statistics.hpp"
#include "transmit.hpp"

namespace model82599 {

struct card_setup {
    noria::mac_address mac{0x90, 0xe2, 0xba, 0x82, 0x59, 0x99};
    noria::nanoseconds tick = 300;              // what a look at the clock takes
    noria::nanoseconds register_read = 100;     // over the bus and back
    noria::nanoseconds reset_time = 3'000;      // until CTRL.RST clears itself
    noria::nanoseconds settle_time = 5'000'000; // and then until the other registers can be used
    noria::nanoseconds link_delay = 20'000'000;
    noria::nanoseconds queue_latency = 10'000; // from RXDCTL.ENABLE written to RXDCTL.ENABLE read
    bool moves_bytes = true;                   // false: descriptors only, to measure a driver
};

// An Intel 82599 in software, as a driver sees it: registers, memory it reaches, interrupts, and a wire. The
// numbers in the comments of its parts are those of the data sheet, Intel 331520.
//
// It has no thread and no time of its own. It works when step() is called, or when somebody looks at
// clock(). One thread; see threaded_card for two.
class card {
  public:
    static constexpr std::uint16_t vendor_id = 0x8086;
    static constexpr std::uint16_t device_id = 0x10f7; // KX4: a backplane, no module to ask for its kind
    static constexpr std::uint32_t everything = ~std::uint32_t{0};

    explicit card(const card_setup& setup = {})
        : setup_(setup), dma_engine_(map_, faults_, setup.moves_bytes), interrupts_(registers_),
          statistics_(registers_, faults_), link_(registers_, interrupts_, setup.link_delay),
          eeprom_(setup.mac),
          receive_(registers_, faults_, dma_engine_, interrupts_, statistics_, setup.queue_latency),
          transmit_(
              registers_, faults_, dma_engine_, interrupts_, statistics_, setup.queue_latency,
              [this](std::span<const std::byte> frame, std::uint32_t queue) { wire_out(frame, queue); }) {
        declare_registers(registers_);
        finish_reset();
    }
    card(const card&) = delete;
    card& operator=(const card&) = delete;

    // What a driver is given.

    // Models hardware::register_space.
    class register_access {
      public:
        explicit register_access(card& owner) noexcept : card_(&owner) {}
        [[nodiscard]] std::uint32_t read32(std::uint32_t offset) noexcept { return card_->read32(offset); }
        void write32(std::uint32_t offset, std::uint32_t value) noexcept { card_->write32(offset, value); }
        void doorbell32(std::uint32_t offset, std::uint32_t value) noexcept { card_->write32(offset, value); }

      private:
        card* card_;
    };
    [[nodiscard]] register_access registers() noexcept { return register_access(*this); }
    [[nodiscard]] dma_memory_map& dma() noexcept { return map_; }
    [[nodiscard]] interrupt_block& interrupts() noexcept { return interrupts_; }
    [[nodiscard]] clock_of<card> clock() noexcept { return clock_of<card>(*this); }

    // What a test does with the card.

    // A frame arrives from the wire, without its CRC; `damaged`: with a wrong one.
    arrival wire_in(std::span<const std::byte> frame, bool damaged = false) {
        return gone_ ? arrival::deaf : receive_.arrive(frame, damaged, link_.up(), false);
    }
    // Does what can be done now: at most so many frames in, and as many out. How many that were.
    std::uint32_t step(std::uint32_t most = everything) {
        if (gone_ || resetting_)
            return 0;
        std::uint32_t done = 0;
        if (bus_master()) {
            done = transmit_.work(most, link_.up() || loops_back(), now_);
            done += receive_.work(most);
        }
        interrupts_.work(now_);
        return done;
    }
    // Calls with each frame that went out since the last time, in order: (span<const byte>, queue).
    template <class Callback>
    std::uint32_t take_sent(Callback callback) {
        std::vector<sent_frame> taken;
        taken.swap(sent_);
        for (const sent_frame& frame : taken)
            callback(std::span<const std::byte>(frame.bytes), frame.queue);
        return static_cast<std::uint32_t>(taken.size());
    }
    // Lets time pass, and what only takes time be done: resets, negotiations, queues that start and stop.
    void wait(noria::nanoseconds time) {
        now_ += time;
        if (resetting_ && now_ >= reset_done_at_)
            finish_reset();
        if (changing_) {
            receive_.pass(now_);
            transmit_.pass(now_);
        }
        link_.work(now_);
    }
    // Lets time pass, and the card work.
    void pass(noria::nanoseconds time) {
        wait(time);
        step();
    }
    [[nodiscard]] noria::nanoseconds now() const noexcept { return now_; }
    void cable(bool plugged_in, link_speed speed = link_speed::ten_gigabit) {
        link_.cable(plugged_in, speed, now_);
    }
    // Out of its slot: reads are all ones, writes go nowhere, and no more DMA.
    void pull_out() noexcept { gone_ = true; }

    [[nodiscard]] fault_log& faults() noexcept { return faults_; }
    [[nodiscard]] const card_setup& setup() const noexcept { return setup_; }
    // How often software wrote the tail of a queue.
    [[nodiscard]] std::uint64_t receive_doorbells(std::uint32_t queue = 0) const noexcept {
        return receive_.queue(queue).doorbells();
    }
    [[nodiscard]] std::uint64_t transmit_doorbells(std::uint32_t queue = 0) const noexcept {
        return transmit_.queue(queue).doorbells();
    }
    // Frames that wait in the packet buffer.
    [[nodiscard]] const packet_buffer& buffer() const noexcept { return receive_.buffer(); }
    // Behind the driver's back: to look at, or to break something.
    [[nodiscard]] register_file& behind() noexcept { return registers_; }
    // Calls with each receive descriptor before it is written back: for a card that lies.
    void tamper(dma_engine::liar with) { dma_engine_.tamper(std::move(with)); }
    // Sent frames go to `wire` instead, as they are sent.
    void wire_to(transmit_path::wire wire) { wire_ = std::move(wire); }

    // The accesses themselves.

    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) {
        if (gone_)
            return ~std::uint32_t{0};
        wait(setup_.register_read);
        if (!allowed(offset, access::write_only))
            return 0;
        const std::uint32_t place = canonical(offset);
        switch (registers_.look(place).answers) {
        case owner::interrupts:
            return interrupts_.read(place);
        case owner::statistics:
            return statistics_.read(place);
        case owner::link:
            return place == at::links ? link_.read_links() : registers_[place];
        case owner::general:
            return read_general(place);
        default:
            return registers_[place];
        }
    }

    void write32(std::uint32_t offset, std::uint32_t value) {
        if (gone_ || !allowed(offset, access::read_only))
            return;
        const std::uint32_t place = canonical(offset);
        switch (registers_.look(place).answers) {
        case owner::interrupts:
            interrupts_.write(place, value);
            interrupts_.work(now_); // who unmasks what is waiting is called at once
            break;
        case owner::receive: {
            const std::uint32_t queue =
                place < 0xd000 ? (place - 0x1000) / 0x40 : 64 + (place - 0xd000) / 0x40;
            receive_.write(queue, place % 0x40, value, now_);
            changing_ = true;
            break;
        }
        case owner::transmit:
            transmit_.write((place - 0x6000) / 0x40, place % 0x40, value, now_);
            changing_ = true;
            break;
        case owner::link:
            write_link(place, value);
            break;
        case owner::general:
            write_general(place, value);
            break;
        default:
            registers_[place] = value;
        }
        if (place >= at::rssrk && place < at::rssrk + 40)
            receive_.forget_key();
    }

  private:
    struct sent_frame {
        std::vector<std::byte> bytes;
        std::uint32_t queue;
    };

    static constexpr std::uint32_t gio_disable = 1u << 2, link_reset = 1u << 3, software_reset = 1u << 26;

    [[nodiscard]] bool bus_master() const noexcept { return (registers_[at::ctrl] & gio_disable) == 0; }
    [[nodiscard]] bool loops_back() const noexcept { return registers_.bit(at::hlreg0, 15); }

    // The first 16 addresses have an older place too.
    [[nodiscard]] static std::uint32_t canonical(std::uint32_t offset) noexcept {
        return offset >= 0x5400 && offset < 0x5480 ? at::ral + (offset - 0x5400) : offset;
    }

    // Whether this access is one that the card knows.
    [[nodiscard]] bool allowed(std::uint32_t offset, access forbidden) {
        if (offset % 4 != 0 || offset >= register_file::size) {
            faults_.record(fault::misaligned_access, offset);
            return false;
        }
        const access use = registers_.look(canonical(offset)).use;
        if (use == access::undeclared) {
            faults_.record(fault::undeclared_register, offset);
            return false;
        }
        if (use == forbidden || (forbidden == access::read_only && use == access::clear_on_read)) {
            faults_.record(fault::wrong_access, offset);
            return false;
        }
        if (now_ < settled_at_ && offset != at::ctrl && offset != at::status)
            faults_.record(fault::access_during_reset, offset);
        return true;
    }

    [[nodiscard]] std::uint32_t read_general(std::uint32_t offset) noexcept {
        if (offset == at::status) // bit 19: still master of the bus
            return (registers_[at::status] & ~(1u << 19)) | (bus_master() ? 1u << 19 : 0);
        if (offset == at::swsm) // the first to read SMBI as 0 has it
            return std::exchange(registers_[at::swsm], registers_[at::swsm] | 1);
        return registers_[offset];
    }

    void write_general(std::uint32_t offset, std::uint32_t value) {
        registers_[offset] = value;
        if (offset == at::eerd)
            registers_[offset] = eeprom_.answer(value);
        else if (offset == at::rdrxctl)
            registers_[offset] = value | 1u << 3; // DMAIDONE
        else if (offset == at::rxctrl && (value & 1) != 0)
            receive_.begins();
        else if (offset == at::mtqc && !registers_.bit(at::rttdcs, 6))
            faults_.record(fault::arbiter_running, offset, value);
        else if (offset == at::ctrl && (value & (software_reset | link_reset)) != 0)
            begin_reset(value);
    }
    void write_link(std::uint32_t offset, std::uint32_t value) {
        if (offset == at::autoc)
            link_.write_autoc(value, now_);
        else // MSCA: nobody is on the bus to the PHY, and bit 30 says that the command is done
            registers_[offset] = value & ~(1u << 30);
    }

    void begin_reset(std::uint32_t ctrl) {
        registers_.to_initial();
        registers_[at::ctrl] = ctrl;
        interrupts_.reset();
        receive_.reset();
        transmit_.reset();
        resetting_ = true;
        reset_done_at_ = now_ + setup_.reset_time;
        settled_at_ = reset_done_at_ + setup_.settle_time;
    }
    // What the card reads from its EEPROM, the MAC address above all, is there again.
    void finish_reset() {
        resetting_ = false;
        registers_.to_initial();
        const auto& mac = setup_.mac.bytes;
        registers_[at::ral] =
            mac[0] | std::uint32_t{mac[1]} << 8 | std::uint32_t{mac[2]} << 16 | std::uint32_t{mac[3]} << 24;
        registers_[at::ral + 4] = mac[4] | std::uint32_t{mac[5]} << 8 | 1u << 31;
        link_.reset(now_);
    }

    void wire_out(std::span<const std::byte> frame, std::uint32_t queue) {
        if (loops_back())
            static_cast<void>(receive_.arrive(frame, false, true, true));
        else if (wire_)
            wire_(frame, queue);
        else
            sent_.push_back({{frame.begin(), frame.end()}, queue});
    }

    card_setup setup_;
    fault_log faults_;
    register_file registers_;
    dma_memory_map map_;
    dma_engine dma_engine_;
    interrupt_block interrupts_;
    statistics_block statistics_;
    link_block link_;
    eeprom eeprom_;
    receive_path receive_;
    transmit_path transmit_;
    transmit_path::wire wire_;
    std::vector<sent_frame> sent_;
    noria::nanoseconds now_ = 0;
    noria::nanoseconds reset_done_at_ = 0;
    noria::nanoseconds settled_at_ = 0;
    bool resetting_ = false;
    bool changing_ = false; // perhaps some queue starts or stops
    bool gone_ = false;
};

using clock = clock_of<card>;

static_assert(hardware::register_space<card::register_access>);
static_assert(hardware::interrupt_source<interrupt_block>);
static_assert(noria::clock_source<clock>);

} // namespace model82599
