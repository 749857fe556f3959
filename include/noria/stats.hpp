// SPDX-License-Identifier: BSL-1.0
#pragma once

// stats: what is counted, under one name each, and how it leaves the program.

#include "noria/stats/counter.hpp"
#include "noria/stats/drop_reason.hpp"
#include "noria/stats/export.hpp"
#include "noria/stats/ledger.hpp"
#include "noria/stats/link.hpp"
