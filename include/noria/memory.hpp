// SPDX-License-Identifier: BSL-1.0
#pragma once

// memory: mapped regions, the pages and strides they are cut into, and the way home for each.

#include "noria/memory/block_arena.hpp"
#include "noria/memory/budget.hpp"
#include "noria/memory/foreign_page.hpp"
#include "noria/memory/mapping.hpp"
#include "noria/memory/page.hpp"
#include "noria/memory/page_fragments.hpp"
#include "noria/memory/page_home.hpp"
#include "noria/memory/page_pool.hpp"
#include "noria/memory/page_pool_counters.hpp"
#include "noria/memory/pool_source.hpp"
#include "noria/memory/recycler.hpp"
#include "noria/memory/region.hpp"
#include "noria/memory/return_ring.hpp"
#include "noria/memory/source.hpp"
#include "noria/memory/source_ref.hpp"
#include "noria/memory/stride_pool.hpp"
#include "noria/memory/watermarks.hpp"
