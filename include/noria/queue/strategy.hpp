// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/queue/adaptive_build.hpp"
#include "noria/queue/build.hpp"
#include "noria/queue/fresh_buffers.hpp"
#include "noria/queue/half_pages.hpp"
#include "noria/queue/shortage.hpp"
#include "noria/queue/supply.hpp"
#include "noria/queue/work_buffers.hpp"

namespace noria::inline NORIA_ABI {

// How frames become packets: what is posted to the device, what comes of what it fills, and what happens when
// memory runs out. Any supply goes with any build; the names below are the pairs the field knows, each with
// the answer to a shortage that its drivers give.
template <receive_supply Supply, class Build, shortage Answer = Build::on_shortage>
    requires receive_build<Build, Supply>
struct strategy {
    static_assert(
        Answer != shortage::hole_in_ring || Supply::model == buffer_model::per_packet,
        "hole_in_ring puts a packet by for each buffer it posts, and nobody knows how many frames a "
        "work buffer will hold: take leave_in_ring or drop_and_recycle");
    static_assert(Answer != shortage::hole_in_ring || !Build::needs_head,
                  "hole_in_ring delivers every frame the device has taken, and this build also needs a head "
                  "when the frame is there: take one that can do without (wrap, copy_short), or another "
                  "answer to a shortage");

    using supply = Supply;
    using build = Build;
    static constexpr shortage on_shortage = Answer;
};

//                                                          who does so
using per_packet = strategy<fresh_buffers, wrap>;                 // e1000e
using per_packet_copybreak = strategy<fresh_buffers, copy_short>; // e1000e, and most drivers with 256
using stride_copy = strategy<work_buffers, copy_all>;             // what mlx5 is said to do
using stride_attach = strategy<work_buffers, copy_head>; // what mlx5 does when frames outgrow a stride
using page_attach = strategy<half_pages, pull_headers>;  // ixgbe, legacy
using build_around = strategy<half_pages, wrap>;         // ixgbe
using stride_around = strategy<work_buffers, wrap>;      // mlx5, linear (with lean_geometry)
using adaptive = strategy<work_buffers, adaptive_build>; // learns where the line runs

} // namespace noria::inline NORIA_ABI
