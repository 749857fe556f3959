// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What happened in an execution, access by access, in words.

namespace explorer {

// Where the source says an access.
struct place {
    const char* file;
    unsigned line;
};

[[nodiscard]] inline const char* name_of(std::memory_order order) {
    switch (order) {
    case std::memory_order_relaxed:
        return "relaxed";
    case std::memory_order_acquire:
        return "acquire";
    case std::memory_order_release:
        return "release";
    case std::memory_order_acq_rel:
        return "acq_rel";
    default:
        return "seq_cst";
    }
}

[[nodiscard]] inline std::string in_words(std::uint64_t value) {
    if (value >> 40 == 0)
        return std::to_string(value);
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

class story {
  public:
    void clear() { events_.clear(); }

    // `object` is what was accessed, null where nothing was.
    void add(unsigned lane, place where, const void* object, std::string what) {
        events_.push_back({lane, where, object, std::move(what)});
    }

    // A line for each access from the first of a thread on. What only one thread touches tells nothing of how
    // threads meet, and is left out.
    [[nodiscard]] std::string tell() const {
        const auto threads_begin =
            std::ranges::find_if(events_, [](const event& each) { return each.lane != 0; });
        const bool alone = threads_begin == events_.end();
        const std::set<const void*> met = shared_objects();
        letters named;
        std::vector<line> lines;
        for (auto each = alone ? events_.begin() : threads_begin; each != events_.end(); ++each)
            if (alone || each->object == nullptr || met.contains(each->object))
                lines.push_back({each->lane == 0 ? "alone" : "thread " + std::to_string(each->lane - 1),
                                 place_of(*each),
                                 (each->object ? named.of(each->object) + ' ' : "") + each->what,
                                 source_line(each->where)});
        if (std::ssize(lines) > most_lines)
            lines.erase(lines.begin(), lines.end() - most_lines);
        return set(lines);
    }

  private:
    struct event {
        unsigned lane;
        place where;
        const void* object;
        std::string what;
    };
    using line = std::array<std::string, 4>;

    static constexpr std::ptrdiff_t most_lines = 200; // of an execution that does not end, the last ones

    // A, B, C, ... in the order of their first appearance.
    class letters {
      public:
        [[nodiscard]] std::string of(const void* object) {
            const auto found = numbers_.try_emplace(object, numbers_.size()).first;
            std::string name;
            for (std::size_t number = found->second + 1; number != 0; number = (number - 1) / 26)
                name.insert(name.begin(), static_cast<char>('A' + (number - 1) % 26));
            return name;
        }

      private:
        std::map<const void*, std::size_t> numbers_;
    };

    [[nodiscard]] std::set<const void*> shared_objects() const {
        std::map<const void*, unsigned> first_lane;
        std::set<const void*> shared;
        for (const event& each : events_)
            if (each.lane != 0 && first_lane.try_emplace(each.object, each.lane).first->second != each.lane)
                shared.insert(each.object);
        return shared;
    }

    // The last two parts of the path say enough: ring/spsc_ring.hpp:233.
    [[nodiscard]] static std::string place_of(const event& each) {
        std::string_view file = each.where.file;
        if (const auto last = file.rfind('/'); last != file.npos && last != 0)
            if (const auto folder = file.rfind('/', last - 1); folder != file.npos)
                file.remove_prefix(folder + 1);
        return std::string(file) + ':' + std::to_string(each.where.line);
    }

    // The line itself, where the sources are at hand.
    [[nodiscard]] static std::string source_line(place where) {
        std::ifstream source(where.file);
        std::string text;
        for (unsigned number = 0; number != where.line; ++number)
            if (!std::getline(source, text))
                return "";
        return text.erase(0, text.find_first_not_of(' '));
    }

    // In columns.
    [[nodiscard]] static std::string set(const std::vector<line>& lines) {
        std::array<std::size_t, 3> width{};
        for (const line& each : lines)
            for (std::size_t column = 0; column != width.size(); ++column)
                width[column] = std::max(width[column], each[column].size());
        std::string text;
        for (const line& each : lines) {
            for (std::size_t column = 0; column != width.size(); ++column)
                text += "  " + each[column] + std::string(width[column] - each[column].size(), ' ');
            text += "  | " + each.back() + '\n';
        }
        return text;
    }

    std::vector<event> events_;
};

} // namespace explorer
