// SPDX-License-Identifier: BSL-1.0
#pragma once

// flow: which headers a frame has, which flow it belongs to, and which queue that flow goes to.

#include "noria/flow/parse.hpp"
#include "noria/flow/rss.hpp"
