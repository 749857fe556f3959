// SPDX-License-Identifier: BSL-1.0
#include <cstring>

#include "costs/harness.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet.hpp"
#include "pools/subjects.hpp"

namespace bench::costs::pools {
namespace {

using noria::drop_reason;
using noria::packet_ptr;

constexpr std::uint32_t headroom = 128;
constexpr std::uint32_t head_bytes = 2048 + headroom;
constexpr std::uint32_t count = 4096;

struct fixture {
    noria::region memory = noria::region::map({.bytes = 2 * std::size_t{count} * head_bytes,
                                               .best = noria::backing::plain_pages})
                               .value();
    noria::page_pool heads =
        noria::page_pool::create(memory.bytes().first(std::size_t{count} * head_bytes), head_bytes).value();
    noria::page_pool pages =
        noria::page_pool::create(memory.bytes().subspan(std::size_t{count} * head_bytes), head_bytes).value();
    noria::page_pool* head_pools[1] = {&heads};
    noria::packet_pool packets = noria::packet_pool::create({.packets = count, .heads = head_pools}).value();

    packet_ptr linear(std::uint32_t bytes) {
        packet_ptr made = packets.allocate(bytes, headroom);
        if (made->put(bytes) == nullptr)
            __builtin_trap();
        return made;
    }
    // `bytes` in the head, and as many in each of the fragments.
    packet_ptr in_parts(std::uint32_t bytes, std::uint32_t fragments) {
        packet_ptr made = linear(bytes);
        for (std::uint32_t i = 0; i != fragments; ++i)
            static_cast<void>(made->add_fragment(
                {.under = pages.allocate(), .offset = headroom, .length = bytes, .truesize = head_bytes}));
        return made;
    }
};

fixture& pools() {
    static fixture one;
    return one;
}

// A function that works inside the pools' owner sections.
template <class Run>
std::uint64_t inside(Run run) {
    fixture& all = pools();
    const auto packets = all.packets.enter();
    const auto pages = all.pages.enter();
    return run(all);
}

std::uint64_t alloc_free(std::uint64_t times) {
    return inside([&](fixture& all) {
        return repeat(times, [&] {
            packet_ptr one = all.packets.allocate(1500, headroom);
            keep(one.get());
            one.free(drop_reason::consumed);
        });
    });
}

template <unsigned Objects>
std::uint64_t alloc_free_bulk(std::uint64_t times) {
    return inside([&](fixture& all) {
        packet_ptr packets[Objects];
        return repeat(times, [&] {
            if (all.packets.allocate_burst(packets, 1500, headroom) != Objects)
                __builtin_trap();
            keep(packets);
            free_bulk(packets, drop_reason::consumed);
        });
    });
}

std::uint64_t clone_free(std::uint64_t times) {
    return inside([&](fixture& all) {
        packet_ptr original = all.linear(1500);
        const std::uint64_t ticks = repeat(times, [&] {
            packet_ptr twin = original->clone();
            keep(twin.get());
            twin.free(drop_reason::consumed);
        });
        original.free(drop_reason::consumed);
        return ticks;
    });
}

std::uint64_t move_headroom(std::uint64_t times) {
    return inside([&](fixture& all) {
        packet_ptr one = all.linear(1500);
        const std::uint64_t ticks = repeat(times, [&] {
            keep(one->push(14));
            keep(one->pull(14));
        });
        one.free(drop_reason::consumed);
        return ticks;
    });
}

template <class Operation>
std::uint64_t on_three_parts(std::uint64_t times, Operation operation) {
    return inside([&](fixture& all) {
        packet_ptr packets[granularity];
        return repeat(
            times, [&](std::uint64_t i) { packets[i] = all.in_parts(500, 2); },
            [&](std::uint64_t i) { operation(*packets[i]); },
            [&](std::uint64_t i) { packets[i].free(drop_reason::consumed); });
    });
}
std::uint64_t linearize(std::uint64_t times) {
    return on_three_parts(times, [](noria::packet& one) {
        if (!noria::linearize(one))
            __builtin_trap();
    });
}
std::uint64_t cut(std::uint64_t times) {
    return on_three_parts(times, [](noria::packet& one) { static_cast<void>(one.cut(500)); });
}

// What linearize copies, from where it lies to where it goes, and nothing else.
std::uint64_t copy_only(std::uint64_t times) {
    return on_three_parts(times, [](noria::packet& one) {
        std::byte* to = one.data() + one.headlen();
        for (const noria::fragment& part : one.fragments()) {
            std::memcpy(to, part.data(), unknown(part.length));
            to += part.length;
        }
        keep(to);
    });
}

std::uint64_t read_at(std::uint64_t times, std::uint32_t offset) {
    return inside([&](fixture& all) {
        packet_ptr one = all.in_parts(500, 1);
        std::byte scratch[64];
        const std::uint64_t ticks =
            repeat(times, [&] { keep(one->header_pointer(unknown(offset), scratch)); });
        one.free(drop_reason::consumed);
        return ticks;
    });
}

std::uint64_t build_around(std::uint64_t times) {
    return inside([&](fixture& all) {
        return repeat(times, [&] {
            noria::page* const under = all.pages.allocate();
            packet_ptr one = all.packets.build_around(
                *under, {.headroom = headroom, .bytes = 1500, .room = 548, .held = head_bytes});
            keep(one.get());
            one.free(drop_reason::consumed);
        });
    });
}

} // namespace

void add_noria_packet(std::vector<subject>& all) {
    const auto add = [&](const char* what, const char* name, const char* type, auto run,
                         unsigned objects = 1) {
        all.push_back({"packet", what, name, type, origin::noria, objects, false, false, run});
    };
    add("alloc_free_1", "noria", "packet_pool::allocate, free", alloc_free);
    add("alloc_free_32", "noria", "allocate_burst, free_bulk", alloc_free_bulk<32>, 32);
    add("alloc_free_256", "noria", "allocate_burst, free_bulk", alloc_free_bulk<256>, 256);
    add("clone", "noria", "clone, free", clone_free);
    add("headroom", "noria", "push(14), pull(14)", move_headroom);
    add("linearize", "noria", "linearize", linearize);
    add("linearize", "no copy", "cut(500): the same pages let go, no byte copied", cut);
    add("linearize", "memcpy", "memcpy of the same 2 x 500 bytes in the same packets", copy_only);
    all.back().from = origin::limit;
    add("read_edge", "noria", "header_pointer(468, 64 bytes)",
        [](std::uint64_t times) { return read_at(times, 468); });
    add("read_inside", "noria", "header_pointer(200, 64 bytes)",
        [](std::uint64_t times) { return read_at(times, 200); });
    add("build_around", "noria", "page_pool::allocate, build_around, free", build_around);
}

} // namespace bench::costs::pools
