// SPDX-License-Identifier: BSL-1.0
#pragma once

#include "noria/core/config.hpp"

// Names without their definitions, for headers that only pass things on. Declare none of these by hand: they
// live in an inline namespace, and a declaration outside of it is another, ambiguous thing.

namespace noria::inline NORIA_ABI {

template <class T>
class result;
template <class T>
class owned;

template <class Sync>
class basic_page;
template <class Sync>
class basic_page_pool;
template <class Sync>
class basic_page_fragments;
template <class Sync>
class basic_stride_pool;
class region;
class mapping;
class block_arena;
struct watermarks;

class packet;
class packet_ptr;
class packet_pool;

class loss_ledger;
class net_dev_row;
struct exported_queue;
struct softnet_row;

template <class Sync>
class basic_poll_instance;
class poll_ref;
struct poll_budget;
struct poll_report;
struct poll_waker;

struct buffer_post;
struct completion;
struct receive_setup;
struct receive_geometry;
struct rx_options;

struct transmit_post;
struct transmit_report;
struct transmit_setup;
struct tx_options;

enum class allocation_class : unsigned char;
enum class backing : unsigned char;
enum class drop_reason : unsigned int;

} // namespace noria::inline NORIA_ABI
