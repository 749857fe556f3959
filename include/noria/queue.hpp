// SPDX-License-Identifier: BSL-1.0
#pragma once

// queue: the one place where device, memory and packets meet.

#include "noria/queue/adaptive_build.hpp"
#include "noria/queue/attached_regions.hpp"
#include "noria/queue/build.hpp"
#include "noria/queue/byte_limit.hpp"
#include "noria/queue/few_pieces.hpp"
#include "noria/queue/frame.hpp"
#include "noria/queue/fresh_buffers.hpp"
#include "noria/queue/geometry.hpp"
#include "noria/queue/half_pages.hpp"
#include "noria/queue/in_flight.hpp"
#include "noria/queue/offload.hpp"
#include "noria/queue/plain_packets.hpp"
#include "noria/queue/receive_counters.hpp"
#include "noria/queue/receive_loop.hpp"
#include "noria/queue/receive_memory.hpp"
#include "noria/queue/rx_queue.hpp"
#include "noria/queue/segment.hpp"
#include "noria/queue/shortage.hpp"
#include "noria/queue/slot_table.hpp"
#include "noria/queue/strategy.hpp"
#include "noria/queue/supply.hpp"
#include "noria/queue/transmit_terms.hpp"
#include "noria/queue/tx_queue.hpp"
#include "noria/queue/work_buffers.hpp"
