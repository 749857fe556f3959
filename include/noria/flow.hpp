// SPDX-License-Identifier: BSL-1.0
#pragma once

// flow: which headers a frame has, which flow it belongs to, and which queue that flow goes to.

#include "noria/flow/parse.hpp"
#include "noria/flow/parse_packet.hpp"
#include "noria/flow/rfs.hpp"
#include "noria/flow/rss.hpp"
#include "noria/flow/steering.hpp"
#include "noria/flow/tunnel.hpp"
