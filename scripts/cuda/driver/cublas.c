// A stand-in for cuBLAS: products are counted and not computed.

#include "counts.h"

#include <stdlib.h>

#define API __attribute__((visibility("default")))

struct handle {
    void *stream;
};

API int cublasCreate_v2(struct handle **created) {
    *created = calloc(1, sizeof **created);
    return 0;
}

API int cublasDestroy_v2(struct handle *handle) {
    free(handle);
    return 0;
}

API int cublasSetStream_v2(struct handle *handle, void *stream) {
    handle->stream = stream;
    return 0;
}

API int cublasSetMathMode(struct handle *handle, int mode) {
    (void)handle, (void)mode;
    return 0;
}

// The arguments after the handle are not used, so they are not declared.
#define PRODUCT(routine) \
    API int routine(struct handle *handle, ...) { \
        count_product(#routine, handle->stream); \
        return 0; \
    }

PRODUCT(cublasGemmEx)
PRODUCT(cublasGemmStridedBatchedEx)
PRODUCT(cublasGemmBatchedEx)
PRODUCT(cublasSgemm_v2)
PRODUCT(cublasSgemmStridedBatched)
PRODUCT(cublasDgemm_v2)
PRODUCT(cublasDgemmStridedBatched)
PRODUCT(cublasSgemv_v2)
