/*
 * What is made wrong in a scene, before anything is done: one thing each.
 */
#ifndef RESHARD_TESTS_TWISTS_H
#define RESHARD_TESTS_TWISTS_H

#include "support/scene.h"

/* In the last rank's state: a byte of its copy of "a.weight" exp_avg_sq; "a.weight" exp_avg, of
 * which it has some, is absent there alone. */
void change_a_copy(struct scene *scene);
void lose_a_state_on_one_rank(struct scene *scene);

/* Every operation of the last rank's store fails. */
void break_the_store_of_one_rank(struct scene *scene);

/* There is a file of the name that a save is to have. */
void put_a_file_there(struct scene *scene);

/* In the given checkpoint, rank 0's file ends early or is gone, the manifest ends early. */
void cut_a_byte_off_a_file(struct scene *scene);
void lose_a_file(struct scene *scene);
void cut_half_of_the_manifest_off(struct scene *scene);

/* In the given checkpoint, whose states lie in BOXES: its sealed manifest gives others. */
void leave_a_hole(struct scene *scene);
void let_boxes_overlap(struct scene *scene);
void let_a_box_stick_out(struct scene *scene);

#endif
