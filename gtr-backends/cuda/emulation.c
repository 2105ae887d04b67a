// Runs one kernel on the CPU: `emulation KERNEL BLOCKS RESULT_BYTES < ARGUMENTS > RESULT`.
//
// ARGUMENTS, in the order of the kernel after its result: `p` and a count of bytes and the bytes, `0` for a null pointer, `i` and an
// int, `l` and a long long, `f` and a float. Counts and numbers are binary, in the order of bytes of the machine.

#include "kernels.cu"

#define MOST_ARGUMENTS 16

union argument {
    void *pointer;
    int i;
    long long l;
    float f;
};

static union argument arguments[MOST_ARGUMENTS];
static void *result;

static void need(int condition, const char *message) {
    if (condition) return;
    fprintf(stderr, "%s\n", message);
    exit(1);
}

static void bytes(void *to, size_t count) { need(fread(to, 1, count, stdin) == count, "the arguments are too short"); }

static void read_arguments(void) {
    int kind;
    for (int number = 0; (kind = getchar()) != EOF; number++) {
        need(number < MOST_ARGUMENTS, "too many arguments");
        union argument *argument = arguments + number;
        long long count;
        switch (kind) {
        case 'p':
            bytes(&count, sizeof count);
            // Of the exact size, so that a tool that checks memory sees an access behind the end.
            argument->pointer = malloc((size_t)count);
            need(argument->pointer != NULL, "out of memory");
            bytes(argument->pointer, (size_t)count);
            break;
        case '0': argument->pointer = NULL; break;
        case 'i': bytes(&argument->i, sizeof argument->i); break;
        case 'l': bytes(&argument->l, sizeof argument->l); break;
        case 'f': bytes(&argument->f, sizeof argument->f); break;
        default: need(0, "unknown kind of argument");
        }
    }
}

#define P(number) arguments[number].pointer
#define I(number) arguments[number].i
#define L(number) arguments[number].l
#define F(number) arguments[number].f

static void call_finish_f32_f32(void) { finish_f32_f32(result, P(0), P(1), P(2), I(3), I(4), L(5)); }
static void call_finish_bf16_f32(void) { finish_bf16_f32(result, P(0), P(1), P(2), I(3), I(4), L(5)); }
static void call_finish_bf16_bf16(void) { finish_bf16_bf16(result, P(0), P(1), P(2), I(3), I(4), L(5)); }
static void call_finish_f16_f32(void) { finish_f16_f32(result, P(0), P(1), P(2), I(3), I(4), L(5)); }
static void call_finish_f16_f16(void) { finish_f16_f16(result, P(0), P(1), P(2), I(3), I(4), L(5)); }
static void call_gated_sum(void) { gated_sum(result, P(0), P(1), P(2), I(3), L(4)); }
static void call_split_heads(void) { split_heads(result, P(0), I(1), I(2), I(3), I(4), I(5), F(6), L(7)); }
static void call_merge_heads_f32(void) { merge_heads_f32(result, P(0), I(1), I(2), I(3), L(4)); }
static void call_merge_heads_bf16(void) { merge_heads_bf16(result, P(0), I(1), I(2), I(3), L(4)); }
static void call_merge_heads_f16(void) { merge_heads_f16(result, P(0), I(1), I(2), I(3), L(4)); }
static void call_layer_norm_f32(void) { layer_norm_f32(result, P(0), P(1), P(2), I(3), I(4), F(5)); }
static void call_layer_norm_bf16(void) { layer_norm_bf16(result, P(0), P(1), P(2), I(3), I(4), F(5)); }
static void call_layer_norm_f16(void) { layer_norm_f16(result, P(0), P(1), P(2), I(3), I(4), F(5)); }
static void call_reverse_step(void) {
    reverse_step(result, P(0), P(1), P(2), I(3), I(4), I(5), I(6), F(7), F(8), L(9));
}
static void call_silu_of_sum(void) { silu_of_sum(result, P(0), P(1), P(2), I(3), I(4), L(5)); }

static const struct {
    const char *name;
    void (*call)(void);
} kernels[] = {
    {"finish_f32_f32", call_finish_f32_f32},
    {"finish_bf16_f32", call_finish_bf16_f32},
    {"finish_bf16_bf16", call_finish_bf16_bf16},
    {"finish_f16_f32", call_finish_f16_f32},
    {"finish_f16_f16", call_finish_f16_f16},
    {"gated_sum", call_gated_sum},
    {"split_heads", call_split_heads},
    {"merge_heads_f32", call_merge_heads_f32},
    {"merge_heads_bf16", call_merge_heads_bf16},
    {"merge_heads_f16", call_merge_heads_f16},
    {"layer_norm_f32", call_layer_norm_f32},
    {"layer_norm_bf16", call_layer_norm_bf16},
    {"layer_norm_f16", call_layer_norm_f16},
    {"reverse_step", call_reverse_step},
    {"silu_of_sum", call_silu_of_sum},
};

static void (*kernel)(void);
static int blocks;

// One thread of every block, one block after the other.
static void *run(void *number) {
    threadIdx.x = (int)(intptr_t)number;
    for (int block = 0; block < blocks; block++) {
        __syncthreads();
        if (threadIdx.x == 0) blockIdx.x = block;
        __syncthreads();
        kernel();
    }
    return NULL;
}

int main(int count, char **words) {
    need(count == 4, "usage: emulation KERNEL BLOCKS RESULT_BYTES");
    for (size_t at = 0; at < sizeof kernels / sizeof *kernels; at++)
        if (!strcmp(kernels[at].name, words[1])) kernel = kernels[at].call;
    need(kernel != NULL, "unknown kernel");
    blocks = atoi(words[2]);
    size_t size = (size_t)atoll(words[3]);
    result = malloc(size);
    need(result != NULL, "out of memory");
    // A value that is not written is not a number in any type.
    memset(result, 0xff, size);
    read_arguments();

    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int thread = 0; thread < THREADS; thread++)
        need(!pthread_create(threads + thread, NULL, run, (void *)(intptr_t)thread), "no thread could be started");
    for (int thread = 0; thread < THREADS; thread++) pthread_join(threads[thread], NULL);
    need(fwrite(result, 1, size, stdout) == size, "the result could not be written");
    return 0;
}
