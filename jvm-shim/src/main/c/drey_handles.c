/*
 * The functions that Java has opened and not closed. Who opens one closes it, but Flink has operators that do not (in 2.3
 * those that aggregate in mini-batches): when their class loader is gone it is done here.
 */
#include <pthread.h>
#include <stdlib.h>

#include "drey_shim.h"

struct open_handle {
    struct open_handle *next;
    const struct library *library;
    int64_t handle;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct open_handle *opened; /* guarded by mutex */

void handle_opened(const struct library *library, int64_t handle) {
    struct open_handle *one = malloc(sizeof *one);
    if (one == NULL) return; /* it is closed by whom it belongs to, or not */
    one->library = library;
    one->handle = handle;
    pthread_mutex_lock(&mutex);
    one->next = opened;
    opened = one;
    pthread_mutex_unlock(&mutex);
}

void handle_closed(const struct library *library, int64_t handle) {
    struct open_handle **at, *one = NULL;
    pthread_mutex_lock(&mutex);
    for (at = &opened; *at != NULL; at = &(*at)->next) {
        if ((*at)->library == library && (*at)->handle == handle) {
            one = *at;
            *at = one->next;
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
    free(one);
}

/* The class loader is gone, and so is every thread that could be in a call. */
void close_handles(void) {
    uint8_t *record = malloc(DREY_ERROR_MAX);
    while (opened != NULL) {
        struct open_handle *one = opened;
        opened = one->next;
        one->library->thread();
        one->library->close(one->handle, record, record == NULL ? 0 : DREY_ERROR_MAX);
        free(one);
    }
    free(record);
}
