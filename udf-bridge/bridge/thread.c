/*
 * What each thread needs before it enters Go, and the version of the interface: the two functions that are C. See drey.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "drey.h"

#define SIGNAL_STACK (128 * 1024)

/* How often the key's destructor is put off, so that it runs after Go's, which still needs the stack. */
#define ROUNDS 2

struct signal_stack {
    int rounds;
    void *memory;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int have_key;
static __thread int prepared __attribute__((tls_model("initial-exec")));

static void thread_ends(void *value) {
    struct signal_stack *stack = value;
    stack_t now;
    if (stack->rounds++ < ROUNDS && pthread_setspecific(key, stack) == 0) return;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack->memory) {
        now.ss_flags = SS_DISABLE;
        /* In use at this moment cannot be: a signal handler has returned before a thread ends. */
        if (sigaltstack(&now, NULL) != 0) return;
    }
    free(stack->memory);
    free(stack);
}

static void make_key(void) { have_key = pthread_key_create(&key, thread_ends) == 0; }

static void prepare(void) {
    struct signal_stack *stack;
    stack_t now;
    if (sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
    pthread_once(&once, make_key);
    if (!have_key || (stack = calloc(1, sizeof *stack)) == NULL) return;
    stack->memory = malloc(SIGNAL_STACK);
    now.ss_sp = stack->memory;
    now.ss_size = SIGNAL_STACK;
    now.ss_flags = 0;
    if (stack->memory == NULL || pthread_setspecific(key, stack) != 0) {
        free(stack->memory);
        free(stack);
        return;
    }
    sigaltstack(&now, NULL);
}

void drey_thread(void) {
    if (prepared) return;
    prepared = 1;
    prepare();
}

uint32_t drey_abi(void) { return DREY_ABI_MAJOR << 16 | DREY_ABI_MINOR; }
