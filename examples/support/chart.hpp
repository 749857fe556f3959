// SPDX-License-Identifier: BSL-1.0
// Small charts for the incidents: text bars for the terminal, and the same figure as an SVG file for its
// page. All numbers are whole, so that the file is the same on every machine, byte for byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace chart {

using number = std::uint64_t;

struct point {
    number x = 0;
    number y = 0;
};

enum class shape : unsigned char { line, bars, dots };

struct series {
    std::string name;
    std::vector<point> points; // in order of x
    shape drawn = shape::line;
};

// A horizontal line that means something: a limit, a mark.
struct level {
    std::string name;
    number y = 0;
};

// One pair of axes, named with their units: "time (ms)".
struct panel {
    std::string title;
    std::string x_axis;
    std::string y_axis;
    std::vector<series> shown; // at most four
    std::vector<level> levels{};
    number y_top = 0; // the axis reaches to here, and higher if what is shown does
};

// Panels side by side, two in a row. Title and description are for those who do not see it.
struct figure {
    std::string title;
    std::string description;
    std::vector<panel> panels;
};

// What an incident is told on its command line: --seed N and --svg FILE.
struct arguments {
    std::uint64_t seed = 1;
    const char* svg = nullptr; // null: no file is wanted
};

inline arguments read_arguments(int count, char** words, std::uint64_t seed = 1) {
    arguments told{.seed = seed};
    for (int i = 1; i < count; ++i) {
        const std::string_view option = words[i];
        const char* const value = i + 1 < count ? words[++i] : nullptr;
        if (value != nullptr && option == "--svg") {
            told.svg = value;
        } else if (value != nullptr && option == "--seed") {
            told.seed = std::strtoull(value, nullptr, 10);
        } else {
            std::fprintf(stderr, "usage: %s [--seed N] [--svg FILE]\n", words[0]);
            std::exit(2);
        }
    }
    return told;
}

namespace detail {

struct range {
    number from = 0;
    number to = 1;
};

inline range x_range(const panel& of) {
    range all{~number{0}, 0};
    for (const series& each : of.shown)
        for (const point& at : each.points)
            all = {std::min(all.from, at.x), std::max(all.to, at.x)};
    return all.from < all.to ? all : range{all.to, all.to + 1};
}

inline number y_top(const panel& of) {
    number top = std::max<number>(of.y_top, 1);
    for (const series& each : of.shown)
        for (const point& at : each.points)
            top = std::max(top, at.y);
    for (const level& each : of.levels)
        top = std::max(top, each.y);
    return top;
}

// One, two or five times a power of ten: so far apart that at most `most` ticks fit in `span`.
inline number tick_step(number span, number most) {
    for (number power = 1;; power *= 10)
        for (const number times : {1u, 2u, 5u})
            if (span / (times * power) <= most)
                return times * power;
}

// "1500", "20k", "3M": with one unit for the whole axis.
inline std::string tick_label(number value, number step) {
    std::size_t unit = 0;
    for (; step % 1000 == 0; step /= 1000, value /= 1000)
        ++unit;
    return std::to_string(value) + (unit == 0 || value == 0 ? "" : std::string(1, "?kMGTPE"[unit]));
}

// A figure in SVG, element by element. Lengths are tenths of a pixel.
class drawing {
  public:
    explicit drawing(const figure& of) {
        const number columns = of.panels.size() > 1 ? 2 : 1;
        const number rows = (of.panels.size() + columns - 1) / columns;
        put("<svg xmlns='http://www.w3.org/2000/svg' width='@' height='@' viewBox='0 0 @ @' role='img' "
            "aria-labelledby='title description'>\n",
            {columns * panel_width / 10, rows * panel_height / 10, columns * panel_width,
             rows * panel_height});
        put("<title id='title'>" + escaped(of.title) + "</title>\n");
        put("<desc id='description'>" + escaped(of.description) + "</desc>\n");
        // Middle tones: a page is light or dark, and a picture on it is not told which.
        put("<style>text{font:115px sans-serif;fill:#7a828e} .title{font-weight:bold;font-size:135px}\n"
            ".axis,.grid,.level{stroke:#7a828e;stroke-width:10} .grid{stroke-opacity:.25}\n"
            ".level{stroke-dasharray:50 40} .line{fill:none;stroke:currentColor;stroke-width:20}\n"
            ".full{fill:currentColor} .s0{color:#3b82f6} .s1{color:#d9730d} .s2{color:#2a9d5c} "
            ".s3{color:#a855f7}</style>\n");
        for (number i = 0; i != of.panels.size(); ++i)
            draw(of.panels[i], i % columns * panel_width, i / columns * panel_height);
        put("</svg>\n");
    }

    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    static constexpr number panel_width = 3900;
    static constexpr number panel_height = 2800;
    static constexpr number letter = 62; // about the width of one

    // Each @ becomes the next of the numbers.
    void put(std::string_view element, std::initializer_list<number> numbers = {}) {
        const number* next = numbers.begin();
        for (const char c : element)
            text_ += c == '@' && next != numbers.end() ? std::to_string(*next++) : std::string(1, c);
    }
    void write(std::string_view words, number x, number y, std::string_view attributes) {
        put("<text x='@' y='@' ", {x, y});
        put(attributes);
        put(">" + escaped(words) + "</text>\n");
    }
    [[nodiscard]] static std::string escaped(std::string_view text) {
        std::string safe;
        for (const char c : text)
            safe += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
        return safe;
    }

    void draw(const panel& of, number left, number top) {
        const number right = left + panel_width - 150;
        const number bottom = top + panel_height - 500;
        left += 600;
        write(of.title, left, top + 220, "class='title'");
        top = legend(of, left, right, top + 400);
        write(of.x_axis, (left + right) / 2, bottom + 400, "text-anchor='middle'");
        write(of.y_axis, left - 450, top - 110, "");

        const range x = x_range(of);
        const number y = y_top(of);
        const auto across = [&](number value) {
            return left + (value - x.from) * (right - left) / (x.to - x.from);
        };
        const auto up = [&](number value) { return bottom - value * (bottom - top) / y; };
        for (number step = tick_step(y, 5), value = 0; value <= y; value += step) {
            put("<line class='grid' x1='@' y1='@' x2='@' y2='@'/>\n", {left, up(value), right, up(value)});
            write(tick_label(value, step), left - 60, up(value) + 40, "text-anchor='end'");
        }
        const number step = tick_step(x.to - x.from, 6);
        for (number value = (x.from + step - 1) / step * step; value <= x.to; value += step)
            write(tick_label(value, step), across(value), bottom + 180, "text-anchor='middle'");
        put("<line class='axis' x1='@' y1='@' x2='@' y2='@'/>\n", {left, bottom, right, bottom});

        for (const level& each : of.levels) {
            put("<line class='level' x1='@' y1='@' x2='@' y2='@'/>\n", {left, up(each.y), right, up(each.y)});
            write(each.name, right, up(each.y) - 40, "text-anchor='end'");
        }
        for (number i = 0; i != of.shown.size(); ++i) {
            put("<g class='s@'>\n", {i});
            draw(of.shown[i], across, up, (right - left) / (x.to - x.from));
            put("</g>\n");
        }
    }

    // A swatch and a name for each series, in as many rows as it takes. Where the row below them begins.
    number legend(const panel& of, number left, number right, number y) {
        number x = left;
        for (number i = 0; i != of.shown.size(); ++i) {
            const number wide = 180 + letter * of.shown[i].name.size();
            if (x != left && x + wide > right) {
                x = left;
                y += 160;
            }
            put("<rect class='full s@' x='@' y='@' width='90' height='90'/>\n", {i, x, y - 85});
            write(of.shown[i].name, x + 140, y, "");
            x += wide + 150;
        }
        return y + 300;
    }

    template <class Across, class Up>
    void draw(const series& of, Across across, Up up, number width) {
        if (of.drawn == shape::line) {
            put("<polyline class='line' points='");
            for (const point& at : of.points)
                put("@,@ ", {across(at.x), up(at.y)});
            put("'/>\n");
            return;
        }
        const number bar = std::clamp<number>(width * 7 / 10, 10, 300);
        for (const point& at : of.points)
            if (of.drawn == shape::dots)
                put("<circle class='full' cx='@' cy='@' r='35'/>\n", {across(at.x), up(at.y)});
            else if (at.y != 0)
                put("<rect class='full' x='@' y='@' width='@' height='@'/>\n",
                    {across(at.x) - bar / 2, up(at.y), bar, up(0) - up(at.y)});
    }

    std::string text_;
};

} // namespace detail

// In text: a row for each x, with a number and a bar for each series.
inline void print(const panel& of) {
    const number top = detail::y_top(of);
    const std::size_t longest = of.shown.size() > 2 ? 16 : 30;
    const std::size_t column = 2 + 8 + 1 + longest;
    std::set<number> rows;
    for (const series& each : of.shown)
        for (const point& at : each.points)
            rows.insert(at.x);

    const auto put = [](std::string line) {
        std::printf("%s\n", line.erase(line.find_last_not_of(' ') + 1).c_str());
    };
    const std::size_t first = std::max<std::size_t>(of.x_axis.size(), 8);
    std::string head = of.x_axis + std::string(first - of.x_axis.size(), ' ');
    for (const series& each : of.shown)
        head += "  " + each.name + std::string(column - std::min(column, 2 + each.name.size()), ' ');
    std::printf("%s (%s)\n", of.title.c_str(), of.y_axis.c_str());
    put(head);
    for (const number x : rows) {
        std::string line = std::to_string(x);
        line.insert(0, first - std::min(first, line.size()), ' ');
        for (const series& each : of.shown) {
            const auto here = std::ranges::find(each.points, x, &point::x);
            std::string cell = here == each.points.end() ? "" : std::to_string(here->y);
            cell.insert(0, 10 - std::min<std::size_t>(10, cell.size()), ' ');
            if (here != each.points.end())
                cell += ' ' + std::string((here->y * longest + top - 1) / top, '#');
            cell.resize(std::max(column, cell.size()), ' ');
            line += cell;
        }
        put(line);
    }
    std::printf("\n");
}
inline void print(const figure& of) {
    for (const panel& each : of.panels)
        print(each);
}

// False when the file could not be written.
[[nodiscard]] inline bool write_svg(const char* path, const figure& of) {
    const detail::drawing drawn(of);
    std::FILE* const file = std::fopen(path, "w");
    if (file == nullptr)
        return false;
    const std::string& text = drawn.text();
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    return std::fclose(file) == 0 && written;
}

} // namespace chart
