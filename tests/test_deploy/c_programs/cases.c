/* Streams from standard input through the core, in memory of exactly the size that it asks for.
 *
 * A case: bdq_form, height, width, channels, number of frames (int32_t each), the frames; before each
 * frame, of a form with dither the noise of its codes, of one with a geometry its places (int32_t
 * each). The answer: what bdq_begin returned; for each frame what bdq_encode returned and, where that is 1, the codes.
 * Without frames the memory is not made, so that sizes may be anything. */
#include <stdio.h>
#include <stdlib.h>

#include "bdq.h"

static void put(int32_t number) { fwrite(&number, sizeof number, 1, stdout); }

int main(void) {
    bdq_form form;
    int32_t numbers[4];
    while (fread(&form, sizeof form, 1, stdin) == 1 && fread(numbers, 4, 4, stdin) == 4) {
        int32_t h = numbers[0], w = numbers[1], c = numbers[2], frames = numbers[3];
        size_t in_state = bdq_state_count(&form, h, w, c), in_row = bdq_row_count(&form, h, w, c);
        int32_t *state = malloc(frames && in_state ? in_state * sizeof *state : 1);
        uint16_t *row = malloc(frames && in_row ? in_row * sizeof *row : 1);
        bdq_stream stream;
        int begun = bdq_begin(&stream, &form, h, w, c, state, row);
        if ((in_row > 0) != (begun == BDQ_OK)) return 1;
        put(begun);
        for (int32_t i = 0; i < frames; i++) {
            size_t size = (size_t)h * (size_t)w * (size_t)c;
            size_t out = bdq_codes_count(&form, h, w, c), drawn = form.dither ? out : 0;
            size_t placed = form.geometry ? 2 * (size_t)h * (size_t)w : 0;
            uint8_t *frame = malloc(size), *codes = malloc(out);
            int32_t *noise = drawn ? malloc(drawn * sizeof *noise) : NULL;
            int32_t *places = placed ? malloc(placed * sizeof *places) : NULL;
            int32_t written;
            if (fread(noise, sizeof *noise, drawn, stdin) != drawn) return 1;
            if (fread(places, sizeof *places, placed, stdin) != placed) return 1;
            if (fread(frame, 1, size, stdin) != size) return 1;
            if (drawn && i > 0 &&
                bdq_encode_dithered(&stream, frame, NULL, places, codes) != BDQ_NO_NOISE)
                return 1;
            /* Without places no code, not of the first frame either; nor with too many. */
            if (bdq_encode_dithered(&stream, frame, noise, placed ? NULL : &form.version, codes) !=
                BDQ_BAD_PLACES)
                return 1;
            if ((placed || (drawn && i > 0)) && bdq_encode(&stream, frame, codes) >= 0) return 1;
            written = drawn || placed ? bdq_encode_dithered(&stream, frame, noise, places, codes)
                                      : bdq_encode(&stream, frame, codes);
            put(written);
            if (written == 1) fwrite(codes, 1, out, stdout);
            free(frame);
            free(noise);
            free(places);
            free(codes);
        }
        free(state);
        free(row);
    }
    return 0;
}
