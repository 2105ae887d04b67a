// Counts the work that a program submits, and writes it as JSON to the file named by GTR_CUDA_COUNTS when the program exits. Writes the
// work in its order to the file named by GTR_CUDA_LOG: a line `kernel NAME`, `product NAME`, `upload BYTES`, `download BYTES`, `copy BYTES`,
// `memset BYTES`, `graph`, or `wait NAME` each.

#include "counts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct named *kernels, *products, *calls, *missing, *streams, *created, *threads;
static struct transfer copies[COPY_KINDS];
static uint64_t allocations, releases, live, peak, graphs, recorded;
static void *recording;
static FILE *order;

__attribute__((constructor)) static void open_log(void) {
    const char *path = getenv("GTR_CUDA_LOG");
    if (path && !(order = fopen(path, "w"))) perror(path);
}

static void note(const char *kind, const char *name) {
    if (order) fprintf(order, "%s %s\n", kind, name);
}

static struct named *entry(struct named **list, const char *name) {
    struct named *item = *list;
    while (item && strcmp(item->name, name) != 0) item = item->next;
    if (!item) {
        item = calloc(1, sizeof *item);
        item->name = strdup(name);
        item->next = *list;
        *list = item;
    }
    return item;
}

static void count(struct named **list, const char *name) { entry(list, name)->count++; }

// Records where a piece of work was submitted, and from which thread.
static void submitted(void *stream) {
    char name[32];
    snprintf(name, sizeof name, "0x%" PRIxPTR, (uintptr_t)stream);
    count(&streams, name);
    snprintf(name, sizeof name, "%d", gettid() - getpid());
    count(&threads, name);
}

// Returns true for work of the stream that is recorded, after counting it.
static int is_recorded(void *stream) {
    int is = stream && stream == recording;
    recorded += is;
    return is;
}

struct named *kernel_entry(const char *name) {
    pthread_mutex_lock(&lock);
    struct named *kernel = entry(&kernels, name);
    pthread_mutex_unlock(&lock);
    return kernel;
}

void count_kernel(struct named *kernel, void *stream) {
    pthread_mutex_lock(&lock);
    if (!is_recorded(stream)) {
        kernel->count++;
        note("kernel", kernel->name);
        submitted(stream);
    }
    pthread_mutex_unlock(&lock);
}

void count_product(const char *routine, void *stream) {
    pthread_mutex_lock(&lock);
    if (!is_recorded(stream)) {
        count(&products, routine);
        note("product", routine);
        submitted(stream);
    }
    pthread_mutex_unlock(&lock);
}

void count_copy(enum copy kind, size_t bytes, void *stream) {
    static const char *const names[COPY_KINDS] = {"upload", "download", "copy", "memset"};
    pthread_mutex_lock(&lock);
    if (!is_recorded(stream)) {
        copies[kind].count++;
        copies[kind].bytes += bytes;
        copies[kind].small += bytes < 1024;
        if (order) fprintf(order, "%s %zu\n", names[kind], bytes);
        submitted(stream);
    }
    pthread_mutex_unlock(&lock);
}

void count_graph(void *stream) {
    pthread_mutex_lock(&lock);
    graphs++;
    if (order) fprintf(order, "graph\n");
    submitted(stream);
    pthread_mutex_unlock(&lock);
}

void count_as_recorded(void *stream) {
    pthread_mutex_lock(&lock);
    recording = stream;
    pthread_mutex_unlock(&lock);
}

void count_allocation(size_t bytes, void *stream) {
    pthread_mutex_lock(&lock);
    allocations++;
    live += bytes;
    if (live > peak) peak = live;
    submitted(stream);
    pthread_mutex_unlock(&lock);
}

void count_release(size_t bytes, void *stream) {
    pthread_mutex_lock(&lock);
    releases++;
    live -= bytes;
    submitted(stream);
    pthread_mutex_unlock(&lock);
}

void count_call(const char *name) {
    pthread_mutex_lock(&lock);
    count(&calls, name);
    if (strstr(name, "Synchronize")) note("wait", name);
    pthread_mutex_unlock(&lock);
}

void count_created_stream(void *stream) {
    char name[32];
    snprintf(name, sizeof name, "0x%" PRIxPTR, (uintptr_t)stream);
    pthread_mutex_lock(&lock);
    count(&created, name);
    pthread_mutex_unlock(&lock);
}

void count_missing(const char *function) {
    pthread_mutex_lock(&lock);
    struct named *item = entry(&missing, function);
    if (item->count++ == 0) fprintf(stderr, "stand-in CUDA: %s is not implemented\n", function);
    pthread_mutex_unlock(&lock);
}

uint64_t live_bytes(void) { return live; }
uint64_t peak_bytes(void) { return peak; }

static uint64_t total(const struct named *list) {
    uint64_t sum = 0;
    for (; list; list = list->next) sum += list->count;
    return sum;
}

// Names are identifiers and numbers, which need no escapes. Kernels that were looked up and not launched are left out.
static void write_list(FILE *file, const char *key, const struct named *list) {
    const char *separator = "";
    fprintf(file, "  \"%s\": {", key);
    for (; list; list = list->next) {
        if (list->count == 0) continue;
        fprintf(file, "%s\"%s\": %" PRIu64, separator, list->name, list->count);
        separator = ", ";
    }
    fprintf(file, "},\n");
}

static void write_copies(FILE *file) {
    static const char *const keys[COPY_KINDS] = {"host_to_device", "device_to_host", "device_to_device", "memsets"};
    for (int kind = 0; kind < COPY_KINDS; kind++) {
        const struct transfer *copy = &copies[kind];
        fprintf(file, "  \"%s\": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"small\": %" PRIu64 "},\n", keys[kind],
                copy->count, copy->bytes, copy->small);
    }
}

static void write_counts(FILE *file) {
    // Each of these is one piece of work of the GPU.
    uint64_t launches = total(kernels) + total(products) + copies[DEVICE_TO_DEVICE].count + copies[MEMSET].count + graphs;
    fprintf(file, "{\n  \"launches\": %" PRIu64 ",\n", launches);
    write_list(file, "kernels", kernels);
    write_list(file, "products", products);
    write_copies(file);
    fprintf(file, "  \"graphs\": {\"launches\": %" PRIu64 ", \"recorded\": %" PRIu64 "},\n", graphs, recorded);
    fprintf(file, "  \"memory\": {\"allocations\": %" PRIu64 ", \"releases\": %" PRIu64 ", ", allocations, releases);
    fprintf(file, "\"live\": %" PRIu64 ", \"peak\": %" PRIu64 "},\n", live, peak);
    write_list(file, "calls", calls);
    write_list(file, "created_streams", created);
    write_list(file, "streams", streams);
    write_list(file, "threads", threads);
    write_list(file, "missing", missing);
    fprintf(file, "  \"version\": 1\n}\n");
}

__attribute__((destructor)) static void write_at_exit(void) {
    if (order) {
        FILE *complete = order;
        order = NULL;
        fclose(complete);
    }
    const char *path = getenv("GTR_CUDA_COUNTS");
    if (!path) return;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return;
    }
    pthread_mutex_lock(&lock);
    write_counts(file);
    pthread_mutex_unlock(&lock);
    if (fclose(file) != 0) perror(path);
}
