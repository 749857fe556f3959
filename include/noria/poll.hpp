// SPDX-License-Identifier: BSL-1.0
#pragma once

// poll: who has a turn, how long, when it is enough, and how to wait for the next.

#include "noria/poll/background.hpp"
#include "noria/poll/backlog.hpp"
#include "noria/poll/budget.hpp"
#include "noria/poll/busy_poll.hpp"
#include "noria/poll/flow_limiter.hpp"
#include "noria/poll/inbox.hpp"
#include "noria/poll/instance.hpp"
#include "noria/poll/moderation.hpp"
#include "noria/poll/pollable.hpp"
#include "noria/poll/poller.hpp"
#include "noria/poll/wait.hpp"
