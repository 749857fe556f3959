// SPDX-License-Identifier: BSL-1.0
#pragma once

// wire: what bytes mean once they are on a wire, and arithmetic over them. No packet, no memory.

#include "noria/wire/big.hpp"
#include "noria/wire/checksum.hpp"
#include "noria/wire/ethernet.hpp"
#include "noria/wire/gre.hpp"
#include "noria/wire/icmp.hpp"
#include "noria/wire/ip.hpp"
#include "noria/wire/ipv4.hpp"
#include "noria/wire/ipv6.hpp"
#include "noria/wire/tcp.hpp"
#include "noria/wire/toeplitz.hpp"
#include "noria/wire/toeplitz_product.hpp"
#include "noria/wire/udp.hpp"
#include "noria/wire/vxlan.hpp"
