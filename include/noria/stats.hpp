// SPDX-License-Identifier: BSL-1.0
#pragma once

// stats: what is counted, under one name each, and how it leaves the program.

#include "noria/stats/counter.hpp"
#include "noria/stats/drop_reason.hpp"
#include "noria/stats/ethtool.hpp"
#include "noria/stats/export.hpp"
#include "noria/stats/hardware_counter.hpp"
#include "noria/stats/ledger.hpp"
#include "noria/stats/link.hpp"
#include "noria/stats/net_dev.hpp"
#include "noria/stats/published.hpp"
#include "noria/stats/softnet.hpp"
#include "noria/stats/text.hpp"
#include "noria/stats/vocabulary.hpp"
