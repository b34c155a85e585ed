/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk of the dense convolutions over groups of four output pixels, which are four columns; on Armv6-M there is
 * another one (gemm_swar.h). Of pixels that four do not divide, some of the last four are computed twice; fewer than four
 * are computed one by one.
 */
#ifndef TINYNAS_PIXEL_GROUPS_H
#define TINYNAS_PIXEL_GROUPS_H

#include <stdint.h>

enum { TN_COLUMNS = 4 };

/* `several` is 1 where groups are of four pixels, 0 where they are of one. */
typedef struct {
    int32_t pixel; /* the first of the group */
    int32_t last;  /* of the last group */
    int32_t size;  /* of a group */
    int32_t several;
} tn_pixel_group;

static inline tn_pixel_group tn_first_group(int32_t pixels)
{
    const int32_t several = pixels >= TN_COLUMNS ? 1 : 0;
    const int32_t size = several ? TN_COLUMNS : 1;
    const tn_pixel_group group = {0, pixels - size, size, several};
    return group;
}

/* Whether there is another group, and that group. */
static inline int tn_next_group(tn_pixel_group *group)
{
    const int32_t next = group->pixel + group->size;
    const int more = group->pixel != group->last;
    group->pixel = next < group->last ? next : group->last;
    return more;
}

#endif
