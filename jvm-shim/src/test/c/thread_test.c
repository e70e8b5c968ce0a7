/* The signal stacks of drey_thread: one for each thread that has none, as long as the thread. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "drey.h"

#define THREADS 200

static stack_t stack(void) {
    stack_t now;
    if (sigaltstack(NULL, &now) != 0) abort();
    return now;
}

static volatile uintptr_t handled_at;

static void handler(int signal) {
    char here;
    (void)signal;
    handled_at = (uintptr_t)&here;
}

/* Uses a key whose destructor, as Go's, wants the stack still there. */
static pthread_key_t go_key;
static int destructor_saw_stack;

static void go_destructor(void *value) {
    (void)value;
    destructor_saw_stack = (stack().ss_flags & SS_DISABLE) == 0;
}

static const char *prepared(void) {
    stack_t now;
    if ((stack().ss_flags & SS_DISABLE) == 0) return "a new thread has a signal stack";
    drey_thread();
    now = stack();
    if (now.ss_flags & SS_DISABLE) return "no signal stack";
    if (now.ss_size < 128 * 1024) return "a smaller signal stack";
    drey_thread();
    if (stack().ss_sp != now.ss_sp) return "another signal stack the second time";
    raise(SIGUSR1);
    if (handled_at - (uintptr_t)now.ss_sp >= now.ss_size) return "a handler not on it";
    if (pthread_setspecific(go_key, &go_key) != 0) return "no key";
    return NULL;
}

static const char *own(void) {
    static char mine[64 * 1024];
    stack_t set = {.ss_sp = mine, .ss_size = sizeof mine};
    if (sigaltstack(&set, NULL) != 0) return "no stack of its own";
    drey_thread();
    return stack().ss_sp == mine ? NULL : "a thread's own signal stack was replaced";
}

static const char *first(void) {
    drey_thread();
    return NULL;
}

static void *run(void *test) {
    const char *(*body)(void) = *(const char *(**)(void))test;
    return (void *)body();
}

static int failed(const char *(*body)(void)) {
    pthread_t thread;
    void *wrong = NULL;
    if (pthread_create(&thread, NULL, run, &body) != 0 || pthread_join(thread, &wrong) != 0) abort();
    if (wrong != NULL) printf("%s\n", (const char *)wrong);
    return wrong != NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    int before, after;
    sigaction(SIGUSR1, &action, NULL);
    if (drey_abi() != (DREY_ABI_MAJOR << 16 | DREY_ABI_MINOR)) return puts("another version than the header"), 1;
    if (failed(first)) return 1; /* makes the library's key, whose destructors run before those of later keys */
    if (pthread_key_create(&go_key, go_destructor) != 0) abort();
    if (failed(prepared) || failed(own)) return 1;
    if (!destructor_saw_stack) return puts("the signal stack went before the destructors of others had run"), 1;
    before = mallinfo().hblks; /* a signal stack is large enough to be a mapping */
    for (int i = 0; i < THREADS; i++) {
        if (failed(prepared)) return 1;
    }
    after = mallinfo().hblks;
    if (after != before) return printf("%d signal stacks are left of %d threads\n", after - before, THREADS), 1;
    printf("%d threads\n", THREADS);
    return 0;
}
