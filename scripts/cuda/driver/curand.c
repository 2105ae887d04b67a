// A stand-in for cuRAND: a generator can be opened, and generates nothing.

#define API __attribute__((visibility("default")))

static char generator;

API int curandCreateGenerator(void **created, int kind) {
    (void)kind;
    *created = &generator;
    return 0;
}

API int curandDestroyGenerator(void *destroyed) {
    (void)destroyed;
    return 0;
}

API int curandSetPseudoRandomGeneratorSeed(void *used, unsigned long long seed) {
    (void)used, (void)seed;
    return 0;
}

API int curandSetStream(void *used, void *stream) {
    (void)used, (void)stream;
    return 0;
}
