// SPDX-License-Identifier: BSL-1.0
// For a fuzzer whose findings are failed expectations: it ends at the first. (GoogleTest's own way to stop is
// a signal that fuzzers do not know: they would end without leaving the input behind.)
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

class stops_at_failures : public testing::EmptyTestEventListener {
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (result.failed())
            std::abort();
    }
};

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    testing::UnitTest::GetInstance()->listeners().Append(new stops_at_failures);
    return 0;
}
