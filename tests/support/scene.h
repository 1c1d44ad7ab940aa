/*
 * What a row of the error catalogue plays on: a folder with a checkpoint, a state with memory and,
 * where the row has any, param groups. One thing is made wrong, one thing is done; then status and
 * text are compared, and whatever must not have changed: every byte under the folder (so there is
 * no new checkpoint, no leftover and no touched one), every byte of the state's memory, which slots
 * are absent, and the groups.
 */
#ifndef RESHARD_TESTS_SCENE_H
#define RESHARD_TESTS_SCENE_H

#include "parallel/load.h"
#include "parallel/save.h"
#include "support/lying.h"
#include "support/ranks.h"
#include "support/side.h"
#include "support/store_faulty.h"
#include "support/tabled.h"

struct row;

struct scene {
    struct ranks *ranks;
    const struct row *row;
    struct reshard_group *group;
    struct reshard_model *model;
    struct reshard_layout_options options;
    struct lying_given boxes;
    struct side side;              /* of `wanted`; filled */
    struct reshard_groups *groups; /* to be saved, or filled; NULL: none */
    struct store_faulty store;     /* sound until it is twisted */
    uint64_t last;                 /* rank */
    char folder[320];              /* all that the row may touch */
    char given[352];               /* in it: the checkpoint of the row's `saved` */
    char path[352];                /* in it: what there is not yet */
    struct reshard_error error;
    bool ready;
};

/* What a refusal may have touched. */
enum harm { NOTHING, MEMORY /* of the part that is loaded */ };

struct row {
    const char *condition;
    const struct tabled *saved;
    const struct tabled *wanted; /* NULL: as saved */
    const struct tabled *odd;    /* what the last rank takes for `wanted`; NULL: that */
    const struct tabled_group *groups_saved, *groups_wanted;
    const struct tabled_group *groups_odd;  /* the last rank's for `groups_wanted`; NULL: these */
    const struct tabled_group *groups_then; /* what the wanted ones are after a success */
    bool by_ids;                            /* the given checkpoint has ids for names */
    enum lying lying;
    void (*twist)(struct scene *scene); /* makes something wrong; NULL: nothing */
    enum reshard_status (*act)(struct scene *scene);
    struct reshard_load_options load;
    struct reshard_layout_options layout; /* for lay_out() and the like */
    enum reshard_status status;
    const char *says[7]; /* words of the message; '@' stands for the last rank */
    enum harm harm;
    int ranks; /* it takes as many */
};

/* [collective] Play a row and count what is not as it says. */
void scene_play(struct ranks *ranks, const struct row *row);

/* Acts. [collective] The state is saved, as `path` or over `given`; `given` or what is not there is
 * loaded into a state of stained memory, whose slots are as the table has them; the state is
 * resharded to all ranks having all. */
enum reshard_status scene_save(struct scene *scene);
enum reshard_status scene_save_over(struct scene *scene);
enum reshard_status scene_load(struct scene *scene);
enum reshard_status scene_load_nothing(struct scene *scene);
enum reshard_status scene_exchange(struct scene *scene);

/* Acts that must succeed, and see to it that what has been loaded is what was saved, and nothing is
 * left of the memory and the absence before. [collective] The state is saved, for the second with
 * a warning where copies differ, and loaded; `given` is loaded, whose entries are those of the
 * state's in the same order. */
enum reshard_status scene_round_trip(struct scene *scene);
enum reshard_status scene_round_trip_warned(struct scene *scene);
enum reshard_status scene_load_all(struct scene *scene);

/* An act. Local. Whether there can be the row's layout. */
enum reshard_status scene_lay_out(struct scene *scene);

#endif
