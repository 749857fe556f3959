// SPDX-License-Identifier: BSL-1.0
#pragma once

// poll: who has a turn, how long, and when it is enough.

#include "noria/poll/budget.hpp"
#include "noria/poll/poller.hpp"
