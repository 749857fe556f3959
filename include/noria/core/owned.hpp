// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <new>
#include <utility>

#include "noria/core/config.hpp"

namespace noria::inline NORIA_ABI {

// The one owner of an object that stays where it is while its handle moves (a pool whose pages point to it).
// Set-up only. What std::unique_ptr is, without the 35,000 lines of <memory>.
template <class T>
class owned {
  public:
    owned() noexcept = default;
    // Empty when the system has no memory.
    template <class... Args>
    [[nodiscard]] static owned make(Args&&... args) noexcept {
        owned made;
        made.object_ = new (std::nothrow) T(std::forward<Args>(args)...);
        return made;
    }
    owned(owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    owned& operator=(owned&& other) noexcept {
        owned(std::move(other)).swap(*this);
        return *this;
    }
    ~owned() { delete object_; }

    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    void swap(owned& other) noexcept { std::swap(object_, other.object_); }

  private:
    T* object_ = nullptr;
};

} // namespace noria::inline NORIA_ABI
