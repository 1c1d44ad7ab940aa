#include "core/notes.h"

#include "core/digest.h"
#include "core/model.h"
#include "core/pattern.h"

#include <inttypes.h>
#include <string.h>

static enum reshard_status check_text(const struct reshard_note *note, struct reshard_error *error)
{
    if (!note->text)
        return reshard_error_set(error, RESHARD_EINVAL, "the note '%.64s' has no text", note->key);
    if (strlen(note->text) > RESHARD_NOTE_BYTES_MAX)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "the note '%.64s' has %zu bytes; at most %d are allowed",
                                 note->key, strlen(note->text), RESHARD_NOTE_BYTES_MAX);
    if (!text_is_utf8(note->text))
        return reshard_error_set(error, RESHARD_EINVAL, "the note '%.64s' is not UTF-8", note->key);
    return RESHARD_OK;
}

enum reshard_status notes_check(const struct reshard_note *notes, uint64_t count,
                                struct reshard_error *error)
{
    if (count > RESHARD_NOTES_MAX)
        return reshard_error_set(error, RESHARD_EINVAL, "%" PRIu64 " notes; at most %d are allowed",
                                 count, RESHARD_NOTES_MAX);
    if (count > 0 && !notes)
        return reshard_error_set(error, RESHARD_EINVAL, "%" PRIu64 " notes, but none is given",
                                 count);
    for (uint64_t i = 0; i < count; i++) {
        enum reshard_status status =
            notes[i].key ? model_check_name("note", notes[i].key, false, error)
                         : reshard_error_set(error, RESHARD_EINVAL, "a note has no key");
        if (!status)
            status = check_text(&notes[i], error);
        for (uint64_t other = 0; !status && other < i; other++)
            if (strcmp(notes[i].key, notes[other].key) == 0)
                status = reshard_error_set(error, RESHARD_EINVAL, "the note '%.64s' is there twice",
                                           notes[i].key);
        if (status)
            return status;
    }
    return RESHARD_OK;
}

uint64_t notes_hash(const struct reshard_note *notes, uint64_t count)
{
    uint64_t hash = 0;

    for (uint64_t i = 0; i < count; i++) {
        hash = digest_crc(hash, notes[i].key, strlen(notes[i].key) + 1);
        hash = digest_crc(hash, notes[i].text, strlen(notes[i].text) + 1);
    }
    return hash;
}
