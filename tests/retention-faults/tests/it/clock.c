/* Gives a program another wall clock, CLOCK_SHIFT seconds away, as soon as the file CLOCK_SHIFT_WHEN is there. Loaded with
 * LD_PRELOAD by clock.rs. The monotonic clock stays as it is, as it does when somebody sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef int (*look)(clockid_t, struct timespec *);

int clock_gettime(clockid_t id, struct timespec *time)
{
    static look real;
    const char *shift = getenv("CLOCK_SHIFT");
    const char *when = getenv("CLOCK_SHIFT_WHEN");

    if (!real)
        real = (look)dlsym(RTLD_NEXT, "clock_gettime");
    if (real(id, time) != 0)
        return -1;
    if (id == CLOCK_REALTIME && shift && when && access(when, F_OK) == 0)
        time->tv_sec += atol(shift);
    return 0;
}
