// SPDX-License-Identifier: BSL-1.0
// The suite over a buffer that is as small as can be: what docs/how-to/test_your_own_buffer.md shows.
// [includes]
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "suite/packet_suite.hpp"
#include "suite/program.hpp"
// [/includes]

namespace {

// [buffer]
// A buffer of some project: a block that clones share, and where in it the packet is.
struct frame {
    static constexpr std::size_t room = 512;
    struct block {
        std::array<std::byte, room> bytes{};
        static inline std::uint32_t alive = 0; // how many there are: so that a leak can be seen
        block() { ++alive; }
        ~block() { --alive; }
    };
    std::shared_ptr<block> shared;
    std::size_t first = 0, last = 0;

    bool writable() const { return shared.use_count() == 1; }
    std::byte* put(std::size_t n) {
        if (n > room - last || !writable())
            return nullptr;
        last += n;
        return shared->bytes.data() + last - n;
    }
    std::byte* push(std::size_t n) {
        if (n > first || !writable())
            return nullptr;
        return shared->bytes.data() + (first -= n);
    }
    std::byte* pull(std::size_t n) {
        if (n > last - first)
            return nullptr;
        return shared->bytes.data() + (first += n);
    }
};
// [/buffer]

// [adapter]
class frame_adapter {
  public:
    struct packet : frame {
        explicit operator bool() const { return shared != nullptr; }
    };
    using page = const void*; // it has no fragments
    static constexpr suite::packet_rules rules{.heads_are_descriptors = true};

    // What an allocation would get now: the usable bytes of the head, 0 if none; and descriptors.
    std::uint32_t head_for(std::uint64_t bytes) const { return !dry_ && bytes <= room ? room : 0; }
    std::size_t descriptors_left() const { return 1000; }

    // The ways of being short of memory.
    static constexpr std::array shortages{"no blocks"};
    void begin_shortage(std::size_t) { dry_ = true; }
    void end_shortage() { dry_ = false; }

    // How a packet looks.
    std::byte* data(packet& of) const { return of.shared->bytes.data() + of.first; }
    std::uint32_t size(packet& of) const { return narrow(of.last - of.first); }
    std::uint32_t headlen(packet& of) const { return size(of); }
    std::uint32_t headroom(packet& of) const { return narrow(of.first); }
    std::uint32_t room_behind_tail(packet& of) const { return room - narrow(of.last); }
    suite::model_head<page> head_of(packet& of) const { return {nullptr, of.shared->bytes.data(), room, 0}; }

    // What is out, after every step and at the end: without this function no leak is seen.
    const char* miscounted(const suite::census<frame_adapter>& should) const {
        return frame::block::alive == should.heads ? nullptr : "a block has leaked, or went too early";
    }

    // The operations. Those that it has no function for are left out, and listed at the end.
    static constexpr std::array cannot_fail{suite::operation::clone};
    packet allocate(std::uint32_t bytes, std::uint32_t headroom) const {
        if (head_for(std::uint64_t{bytes} + headroom) == 0)
            return {};
        return {{std::make_shared<frame::block>(), headroom, headroom}};
    }
    std::byte* put(packet& to, std::uint32_t n) const { return to.put(n); }
    std::byte* push(packet& to, std::uint32_t n) const { return to.push(n); }
    std::byte* pull(packet& from, std::uint32_t n) const { return from.pull(n); }
    packet clone(packet& of) const { return of; }
    void free(packet& of, bool /* dropped, not delivered */) const { of = {}; }

  private:
    static constexpr std::uint32_t room = frame::room;
    static std::uint32_t narrow(std::size_t n) { return static_cast<std::uint32_t>(n); }

    bool dry_ = false;
};
// [/adapter]

} // namespace

// [run]
int main(int argc, char** argv) {
    const suite::program_options wanted = suite::parse(argc, argv, 100'000);
    frame_adapter adapter;
    suite::random_choices choices(wanted.seed);
    suite::packet_suite<frame_adapter, suite::random_choices> suite(adapter, choices);
    return suite::run(suite, wanted.steps, wanted.seed) && report(suite, frame_adapter::shortages) ? 0 : 1;
}
// [/run]
