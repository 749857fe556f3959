// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// A pollable is a source of packets that stays silent while it is polled and calls for attention otherwise.
// Requires, both noexcept:
//   poll(budget) -> u32   Does up to `budget` packets, errors and fillers included, and returns how many. All
//                         of `budget` says that there is more; less says that the source was found empty.
//   rearm() -> bool       Asks to be called again. True: armed, and nothing came in before that. False:
//                         something did, so the source is to be polled again and is not armed.
template <class T>
concept pollable = requires(T& source, std::uint32_t budget) {
    { source.poll(budget) } noexcept -> std::same_as<std::uint32_t>;
    { source.rearm() } noexcept -> std::same_as<bool>;
};

// A pollable whose type was forgotten. The only run-time polymorphism of the room, one indirect call a poll.
// Refers to the object and does not own it. Equal: the same object as the same type.
class poll_ref {
  public:
    poll_ref() noexcept = default;

    template <pollable T>
        requires(!std::same_as<T, poll_ref> && !std::is_const_v<T>)
    poll_ref(T& source) noexcept
        : object_(__builtin_addressof(source)), poll_([](void* object, std::uint32_t budget) noexcept {
              return static_cast<T*>(object)->poll(budget);
          }),
          rearm_([](void* object) noexcept { return static_cast<T*>(object)->rearm(); }) {}

    [[nodiscard]] std::uint32_t poll(std::uint32_t budget) const noexcept { return poll_(object_, budget); }
    [[nodiscard]] bool rearm() const noexcept { return rearm_(object_); }

    friend bool operator==(const poll_ref&, const poll_ref&) noexcept = default;

  private:
    void* object_ = nullptr;
    std::uint32_t (*poll_)(void*, std::uint32_t) noexcept = nullptr;
    bool (*rearm_)(void*) noexcept = nullptr;
};

} // namespace noria::inline NORIA_ABI
