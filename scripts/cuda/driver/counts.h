// Counters that the stand-in libraries share. `libcuda.so.1` defines them.
#ifndef COUNTS_H
#define COUNTS_H

#include <stddef.h>
#include <stdint.h>

// How often something with a name was done. Entries live until the process ends.
struct named {
    const char *name;
    uint64_t count;
    struct named *next;
};

struct transfer {
    uint64_t count;
    uint64_t bytes;
    uint64_t small; // of less than 1 KiB
};

enum copy { HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE, MEMSET, COPY_KINDS };

// The other libraries call these.
#pragma GCC visibility push(default)

// Returns the entry of a name, new if there is none.
struct named *kernel_entry(const char *name);

// Work that is submitted to a stream. The stream and the calling thread are recorded, too.
void count_kernel(struct named *kernel, void *stream);
void count_product(const char *routine, void *stream);
void count_copy(enum copy kind, size_t bytes, void *stream);
void count_graph(void *stream); // a launch of a graph, which is one piece of work
void count_allocation(size_t bytes, void *stream);
void count_release(size_t bytes, void *stream);

// From now on, kernels, products and copies of this stream are counted as recorded, and not as done. NULL: none.
void count_as_recorded(void *stream);

// Calls that are not work.
void count_call(const char *name);
void count_created_stream(void *stream);
// Records a function that no library here implements, and prints its name.
void count_missing(const char *function);

uint64_t live_bytes(void);
uint64_t peak_bytes(void);

#pragma GCC visibility pop

#endif
