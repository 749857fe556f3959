// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>

#include "noria/memory/source.hpp"

namespace noria::inline NORIA_ABI {

// Any block source behind one type, for those who must not be templates over it: a pointer and a table of
// functions. What it points to stays the caller's, stays where it is and outlives this.
// Thread: as the source. Cost: an indirect call.
class source_ref {
  public:
    static constexpr int any_node = -1;

    template <block_source Source>
    explicit source_ref(Source& source) noexcept : source_(&source), calls_(&calls_of<Source>) {}

    [[nodiscard]] std::byte* take(unsigned order) const noexcept { return calls_->take(source_, order); }
    void give(std::byte* block, unsigned order) const noexcept { calls_->give(source_, block, order); }

    // What not every source says: a block of one that does not lies on any node, and is from no reserve.
    [[nodiscard]] int node_of(const std::byte* address) const noexcept {
        return calls_->node_of(source_, address);
    }
    [[nodiscard]] bool is_emergency(const std::byte* block) const noexcept {
        return calls_->is_emergency(source_, block);
    }

  private:
    struct calls {
        std::byte* (*take)(void* source, unsigned order) noexcept;
        void (*give)(void* source, std::byte* block, unsigned order) noexcept;
        int (*node_of)(const void* source, const std::byte* address) noexcept;
        bool (*is_emergency)(const void* source, const std::byte* block) noexcept;
    };

    template <class Source>
    static constexpr calls calls_of{
        [](void* source, unsigned order) noexcept { return static_cast<Source*>(source)->take(order); },
        [](void* source, std::byte* block, unsigned order) noexcept {
            static_cast<Source*>(source)->give(block, order);
        },
        []([[maybe_unused]] const void* source, [[maybe_unused]] const std::byte* address) noexcept -> int {
            if constexpr (knows_nodes<Source>)
                return static_cast<const Source*>(source)->node_of(address);
            else
                return any_node;
        },
        []([[maybe_unused]] const void* source, [[maybe_unused]] const std::byte* block) noexcept {
            if constexpr (knows_emergencies<Source>)
                return static_cast<const Source*>(source)->is_emergency(block);
            else
                return false;
        }};

    void* source_;
    const calls* calls_;
};

} // namespace noria::inline NORIA_ABI
