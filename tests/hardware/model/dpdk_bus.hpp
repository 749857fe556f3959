// SPDX-License-Identifier: BSL-1.0
#pragma once

// How a driver of DPDK 22.11 and its PCI bus know each other. No installed header says it: the layouts are
// part of the ABI that the driver's library was built with ("DPDK_23").

#include <cstdint>

#include <rte_dev.h>
#include <rte_interrupts.h>
#include <rte_pci.h>

namespace dpdk_23 {

struct list_entry {
    void* next;
    void** previous;
};
struct device {
    list_entry entry;
    const char* name;
    const char* bus_info;
    const void* driver;
    const void* bus;
    int numa_node;
    void* devargs;
};
struct pci_device {
    list_entry entry;
    device generic;
    rte_pci_addr address;
    rte_pci_id id;
    rte_mem_resource bars[PCI_MAX_RESOURCE];
    rte_intr_handle* interrupts;
    void* driver;
    std::uint16_t virtual_functions;
    int kernel_driver;
    char name[sizeof("XXXXXXXX:XX:XX.X") + 1];
    char* bus_info;
    rte_intr_handle* request_interrupt;
};
struct pci_driver {
    list_entry entry;
    struct {
        list_entry entry;
        const char* name;
        const char* alias;
    } generic;
    int (*probe)(pci_driver*, pci_device*);
    int (*remove)(pci_device*);
    void* map;
    void* unmap;
    const rte_pci_id* ids; // ends with vendor 0
    std::uint32_t flags;
};

} // namespace dpdk_23
