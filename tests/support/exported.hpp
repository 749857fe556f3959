// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

// What an exporter writes: exported([&](std::span<char> to) { return noria::export_...(to, ...); }).
// On the way it is run with too little room, and must then fill what there is, say what it needs, and touch
// nothing behind it.
template <class Export>
std::string exported(Export write) {
    const std::size_t needed = write(std::span<char>());
    std::string text(needed + 1, '#');
    EXPECT_EQ(write(std::span(text)), needed);
    EXPECT_EQ(text.back(), '#');
    text.pop_back();
    for (const std::size_t room : {std::size_t{1}, needed / 3, needed / 2, needed - needed % 2, needed}) {
        if (room > needed)
            continue;
        std::string cut(needed + 1, '#');
        EXPECT_EQ(write(std::span(cut).first(room)), needed);
        EXPECT_EQ(cut.substr(0, room), text.substr(0, room));
        EXPECT_EQ(cut.substr(room), std::string(cut.size() - room, '#'));
    }
    return text;
}

// A file of /proc as it is now; empty where there is none.
inline std::string file_now(const char* path) {
    std::ostringstream all;
    if (std::ifstream file(path); file)
        all << file.rdbuf();
    return all.str();
}
