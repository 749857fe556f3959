// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "noria/backend/contract.hpp"
#include "noria/core/clock.hpp"
#include "noria/core/result.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/region.hpp"
#include "noria/packet/packet_pool.hpp"
#include "noria/queue/build.hpp"
#include "noria/queue/geometry.hpp"
#include "noria/queue/supply.hpp"

// What a receive queue does once, before the first poll: cut memory up, and ask the device.

namespace noria::inline NORIA_ABI {

// The memory of one receive queue: pages for frames, heads for copies, packets, and the supply that posts the
// pages. All but the descriptors of packets lies in a region. Made empty; cut() fills it. Belongs to the
// thread that polls.
template <receive_supply Supply, class Build>
    requires receive_build<Build, Supply>
class receive_memory {
  public:
    // Set-up. How many bytes of region these options need.
    [[nodiscard]] static std::uint64_t region_bytes(const rx_options& options) noexcept {
        const page_plan plan = Supply::plan(options, Build::attaches);
        std::uint64_t bytes = plan.page_bytes * plan.pages;
        for (const head_plan::size& size : Build::heads(options).sizes)
            bytes += std::uint64_t{size.bytes} * size.heads;
        return bytes;
    }

    // Set-up, once. Cuts up the first region_bytes(options) of `memory`, which outlives this.
    [[nodiscard]] error cut(region& memory, const rx_options& options) noexcept {
        if (error wrong = check(memory, options); wrong.code)
            return wrong;
        std::span<std::byte> left = memory.bytes();
        const auto pool_of = [&](std::uint32_t page_bytes, std::uint64_t how_many,
                                 page_pool_options with = {}) {
            const std::size_t bytes = page_bytes * how_many;
            auto pool = page_pool::create(left.first(bytes), page_bytes, with);
            left = left.subspan(bytes);
            return pool;
        };
        const page_plan plan = Supply::plan(options, Build::attaches);
        auto made_pages = pool_of(plan.page_bytes, plan.pages, {.track_ages = options.track_ages});
        if (!made_pages)
            return made_pages.error();
        pages.emplace(*std::move(made_pages));

        std::array<page_pool*, packet_home::most_head_classes> classes{};
        std::size_t sizes = 0;
        for (const head_plan::size& size : Build::heads(options).sizes) {
            if (size.bytes == 0)
                break;
            auto made = pool_of(size.bytes, size.heads);
            if (!made)
                return made.error();
            classes[sizes] = &heads[sizes].emplace(*std::move(made));
            ++sizes;
        }
        auto made_packets = packet_pool::create({.packets = options.packets,
                                                 .heads = {classes.data(), sizes},
                                                 .tail_overhead = options.geometry.tail_overhead});
        if (!made_packets)
            return made_packets.error();
        packets.emplace(*std::move(made_packets));

        auto made_source = Supply::create(*pages, options);
        if (!made_source)
            return made_source.error();
        source.emplace(*std::move(made_source));
        return {};
    }

    // While one lives, its thread owns all these pools: it frees to them without atomics.
    class [[nodiscard]] owner_section {
      public:
        explicit owner_section(receive_memory& of) noexcept : pages_(*of.pages), packets_(*of.packets) {}

      private:
        page_pool::owner_section pages_;
        packet_pool::owner_section packets_;
    };

    // The bytes that packets keep from the device: whole pages, as long as one byte is held, but for those of
    // which the device has the other half; the pages of used-up work buffers until these are posted anew; and
    // heads.
    [[nodiscard]] std::uint64_t pinned_bytes() const noexcept {
        std::uint64_t bytes =
            std::uint64_t{pages->in_flight() - source->posted_pages()} * pages->page_bytes();
        for (std::size_t i = 0; i != heads.size(); ++i)
            if (const auto& of_size = heads[i])
                bytes += std::uint64_t{of_size->in_flight() - packets->heads_kept(i)} * of_size->page_bytes();
        return bytes;
    }

    // With rx_options::track_ages: how long ago the oldest page that a packet holds was taken from the pool.
    // 0 when none is. O(pages x buffers) at worst.
    [[nodiscard]] nanoseconds oldest_pin_age() const noexcept {
        nanoseconds oldest = 0;
        pages->outstanding([&](const page& out, nanoseconds age) noexcept {
            if (age > oldest && source->pins(out))
                oldest = age;
        });
        return oldest;
    }

    // There from cut() on. What packets and posted buffers come from goes last: members are destroyed bottom
    // up.
    std::optional<page_pool> pages;
    std::array<std::optional<page_pool>, packet_home::most_head_classes> heads;
    std::optional<packet_pool> packets;
    std::optional<Supply> source;

  private:
    [[nodiscard]] static error check(const region& memory, const rx_options& options) noexcept {
        if (options.packets == 0 || options.descriptors == 0 || options.frame_bytes == 0)
            return make_error(
                std::errc::invalid_argument,
                "a receive queue has at least one descriptor, one packet and one byte of frame");
        if (!options.geometry.strides.valid() || options.geometry.page_bytes == 0 ||
            options.geometry.work_buffers == 0 || options.geometry.headroom > 4096 ||
            options.geometry.tail_overhead > 4096 || options.frame_bytes > (1u << 24))
            return make_error(std::errc::invalid_argument, "the receive geometry makes no sense: start from "
                                                           "linux_geometry or lean_geometry and change that");
        if (memory.bytes().size() < region_bytes(options))
            return make_error(
                std::errc::not_enough_memory,
                "the region is too small: map rx_queue<...>::region_bytes(options), or allow fewer packets");
        return {};
    }
};

// Set-up. Asks the device to take up these sizes, and hears what it will really do: an error when that is
// less than the strategy can live with.
template <configures Backend>
[[nodiscard]] error agree_on(Backend& device, const receive_setup& wanted) noexcept {
    const auto configured = device.configure(wanted);
    if (!configured)
        return configured.error();
    if (configured->strides.stride_bytes != wanted.strides.stride_bytes ||
        configured->strides.strides != wanted.strides.strides ||
        configured->frame_offset != wanted.frame_offset ||
        configured->posts_per_work_buffer != wanted.posts_per_work_buffer)
        return make_error(std::errc::not_supported,
                          "the device cannot cut memory as this geometry asks: use one it can");
    if (configured->completions < wanted.completions)
        return make_error(std::errc::not_supported,
                          "the device has room for fewer completions (`found`) than can be on their way at "
                          "once (`wanted`): ask for fewer descriptors, fewer work buffers, or longer strides",
                          wanted.completions, configured->completions);
    return {};
}

} // namespace noria::inline NORIA_ABI
