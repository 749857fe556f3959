// SPDX-License-Identifier: BSL-1.0
// The corpus again, without a fuzzer: every file of the named folders, as one input each. So what was found
// once stays found, with any compiler.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerInitialize(int*, char***);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t);

int main(int argc, char** argv) {
    LLVMFuzzerInitialize(&argc, &argv);
    std::size_t inputs = 0;
    for (int i = 1; i < argc; ++i)
        for (const auto& each : std::filesystem::directory_iterator(argv[i])) {
            std::ifstream file(each.path(), std::ios::binary);
            const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
            std::cout << "input " << each.path().filename()
                      << std::endl; // the last one named is the one that failed
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
            ++inputs;
        }
    if (inputs == 0) {
        std::cerr << "no inputs: name a folder that holds a corpus\n";
        return 1;
    }
    std::cout << inputs << " inputs\n";
}
