/* Runs generated models one after the other under AddressSanitizer: raw inputs on stdin, raw outputs on stdout.
 *
 * The profiled inference calls hal_ticks() right before and right after each step. Before a step everything in the
 * arena is poisoned but the bytes of the tensors and the scratch that belong to the step; so a kernel that reads or
 * writes outside its tensors is caught, although they all lie in one array.
 */
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct bytes {
    int32_t offset;
    int32_t size;
};

struct model {
    int8_t *arena;
    int32_t arena_bytes;
    int32_t steps;
    const struct bytes *ranges; /* of all steps, each list ended by a size of zero */
    const struct bytes *inputs;
    const struct bytes *outputs;
    void (*invoke)(uint32_t *ticks);
};

/* Defines `models`. */
#include "models.inc"

static const struct model *running;
static const struct bytes *next_ranges;
static int inside;

static const struct bytes *unpoison(const int8_t *arena, const struct bytes *ranges)
{
    for (; ranges->size != 0; ranges++) {
        ASAN_UNPOISON_MEMORY_REGION(arena + ranges->offset, (size_t)ranges->size);
    }
    return ranges + 1;
}

uint32_t hal_ticks(void);

uint32_t hal_ticks(void)
{
    ASAN_POISON_MEMORY_REGION(running->arena, (size_t)running->arena_bytes);
    if (!inside) {
        next_ranges = unpoison(running->arena, next_ranges);
    }
    inside = !inside;
    return 0;
}

static void transfer(const struct bytes *ranges, int8_t *arena, int reads)
{
    for (; ranges->size != 0; ranges++) {
        const size_t size = (size_t)ranges->size;
        int8_t *bytes = arena + ranges->offset;
        if ((reads ? fread(bytes, 1, size, stdin) : fwrite(bytes, 1, size, stdout)) != size) {
            abort();
        }
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        running = &models[i];
        uint32_t *ticks = malloc(sizeof *ticks * (size_t)(running->steps + 1));
        if (ticks == NULL) {
            return 1;
        }
        for (int32_t k = 0; k < running->arena_bytes; k++) {
            running->arena[k] = (int8_t)(k * 37 + 11);
        }
        transfer(running->inputs, running->arena, 1);
        next_ranges = running->ranges;
        running->invoke(ticks);
        ASAN_UNPOISON_MEMORY_REGION(running->arena, (size_t)running->arena_bytes);
        transfer(running->outputs, running->arena, 0);
        free(ticks);
    }
    return 0;
}
