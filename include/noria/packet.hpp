// SPDX-License-Identifier: BSL-1.0
#pragma once

// packet: linear head, fragments behind it, and the ways between the two.

#include "noria/packet/batch.hpp"
#include "noria/packet/checksum.hpp"
#include "noria/packet/coalesce.hpp"
#include "noria/packet/copy.hpp"
#include "noria/packet/foreign_buffers.hpp"
#include "noria/packet/fragment.hpp"
#include "noria/packet/head_share.hpp"
#include "noria/packet/heads.hpp"
#include "noria/packet/info.hpp"
#include "noria/packet/packet.hpp"
#include "noria/packet/packet_home.hpp"
#include "noria/packet/packet_pool.hpp"
#include "noria/packet/packet_ptr.hpp"
#include "noria/packet/pieces.hpp"
#include "noria/packet/pull.hpp"
#include "noria/packet/split.hpp"
#include "noria/packet/view.hpp"
