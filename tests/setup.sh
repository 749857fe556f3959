# shellcheck shell=bash
# SPDX-License-Identifier: BSL-1.0
# Shared by tests/run and bench/run: the packages they need, and how they show what they do.

# Names of Debian 12. What the benchmarks need, the tests need as well.
bench_packages=(g++-12 meson ninja-build pkg-config python3 libpcap-dev libcli11-dev nlohmann-json3-dev)
tests_packages=("${bench_packages[@]}" libgtest-dev librapidcheck-dev relacy-dev clang-19 libclang-rt-19-dev
    clang-format-19 cmake shellcheck codespell qemu-system-x86)
full_packages=("${tests_packages[@]}" clang-tidy-19 g++-12-aarch64-linux-gnu qemu-user googletest libdpdk-dev)

# Installs what is missing of the named packages when root; else prints the line to type and exits 2.
# Where nothing is missing nothing is asked of the network.
need_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    if ! command -v apt-get >/dev/null; then
        echo "Not a Debian system: please install what Debian calls ${missing[*]}" >&2
        exit 2
    elif [ "$(id -u)" -ne 0 ]; then
        printf 'Some packages are missing; to install them, type:\n  sudo apt-get update && sudo %s\n' "${install[*]}" >&2
        exit 2
    fi
    echo "Installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && "${install[@]}"; } > >(logged "$logs/apt.log") 2>&1; then
        tail -n 20 "$logs/apt.log" >&2
        echo "The packages could not be installed; the line was: ${install[*]}" >&2
        exit 2
    fi
}

# Unpacks one Debian package for arm64 under a folder. It is not installed, and the system's list of architectures stays
# as it is: apt gets lists of its own there, and needs no root.
unpack_arm64_package() {
    local package=$1 folder=$2
    [ ! -e "$folder/$package" ] || return 0
    local apt=(apt-get -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/dev/null
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User="$(id -un)")
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    (cd "$folder" && "${apt[@]}" update && "${apt[@]}" download "$package" &&
        dpkg-deb -x "$package"_*.deb "$folder" && touch "$package") > >(logged "$logs/apt.log") 2>&1
}

# Copies what it reads to the end of a file, and shows the latest line of it on a terminal.
logged() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line" >&3
        [ ! -t 1 ] || printf '\r\033[K  %.*s' "$((${COLUMNS:-80} - 4))" "$line"
    done 3>>"$1"
    [ ! -t 1 ] || printf '\r\033[K'
}

# Configures a build folder with these arguments to meson setup, anew when they have changed; then builds it.
# build FOLDER LOG [--target NAME] ARGUMENTS...
build() {
    local folder=$1 log=$2 target=all
    shift 2
    if [ "$1" = --target ]; then
        target=$2
        shift 2
    fi
    : >"$log"
    {
        if [ ! -e "$folder/build.ninja" ] || [ "$*" != "$(cat "$folder/arguments" 2>/dev/null)" ]; then
            rm -rf "$folder"
            meson setup "$folder" "$root" "$@" && echo "$*" >"$folder/arguments"
        fi && ninja -C "$folder" -k 0 "$target"
    } 2>&1 | logged "$log"
}
