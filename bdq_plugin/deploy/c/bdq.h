/* The BDQ encoder in whole numbers: one frame in, one frame of codes out.
 *
 *     frame t --geometry--> --blur, means of blocks--> b_t --difference: b_t - b_{t-1}-->
 *             --noise, thresholds--> codes t
 *
 * C99, integers alone, no allocation, no library. The codes are those of the Python package, bit for
 * bit; vectors.json beside this file holds frames and their codes, for ports to other languages.
 *
 *     #include "bdq.h"
 *     #include "bdq_form.h"                  // python tools/export.py encoder.json bdq_form.h
 *
 *     static int32_t state[480 * 640 * 3];   // bdq_state_count(&BDQ_FORM, 480, 640, 3)
 *     static uint16_t row[644 * 3];          // bdq_row_count(&BDQ_FORM, 480, 640, 3)
 *     bdq_stream stream;
 *     if (bdq_begin(&stream, &BDQ_FORM, 480, 640, 3, state, row) != BDQ_OK) return 1;
 *     while (read_frame(frame))
 *         if (bdq_encode(&stream, frame, codes) == 1) send(codes);
 *
 * State and row are the caller's and must outlive the stream. The state is the previous blurred
 * frame, or its means of blocks: no clear frame is kept; the row holds what is worked on. Streams share
 * nothing; one stream belongs to one thread at a time.
 *
 * What hides people by chance is the caller's to draw, from a source that nobody can guess: the noise
 * of an encoder with dither, for each code of each frame anew, and the places of one with a geometric
 * dither, for each stream anew. bdq_encode_dithered takes them, and bdq_encode refuses such a form.
 */
#ifndef BDQ_H
#define BDQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BDQ_FORM_VERSION 3
#define BDQ_MAX_TAPS 255
#define BDQ_MAX_THRESHOLDS 255
#define BDQ_MAX_BLOCK 128

/* A trained encoder, 519 numbers of 32 bits without gaps. Unused taps and thresholds are 0. */
typedef struct {
    int32_t version;        /* BDQ_FORM_VERSION */
    int32_t num_taps;       /* odd, 1 to BDQ_MAX_TAPS */
    int32_t zeros;          /* beyond the frame lie 1: zeros, 0: copies of its edge */
    int32_t difference;     /* 1: the previous blurred frame is subtracted, 0: it is not */
    int32_t num_thresholds; /* 1 to BDQ_MAX_THRESHOLDS; codes run from 0 to this */
    int32_t block;          /* side of the blocks in pixels, 1 to BDQ_MAX_BLOCK; 1: no blocks */
    int32_t magnitude;      /* 1: thresholds are compared with sizes of values, 0: with values */
    int32_t dither;         /* standard deviation of the noise, in units of thresholds; 0: none */
    int32_t geometry;       /* 1: frames are moved by a geometry first, 0: they are not */
    int32_t taps[BDQ_MAX_TAPS];             /* of the blur along one axis: symmetric, sum 256 */
    int32_t thresholds[BDQ_MAX_THRESHOLDS]; /* ascending, in 1 / (255 * 65536) of full intensity */
} bdq_form;

typedef struct {
    const bdq_form *form;
    int32_t height, width, channels;
    int32_t *state;
    uint16_t *row;
    int32_t started;
} bdq_stream;

enum {
    BDQ_OK = 0,
    BDQ_BAD_FORM = -1, /* not a form, or one of another version */
    BDQ_BAD_SIZE = -2, /* height, width and channels from 1, at most 2^28 values in all, whole blocks */
    BDQ_NO_MEMORY = -3, /* a null pointer where memory is needed */
    BDQ_NO_NOISE = -4,  /* the form has dither, and no noise was given */
    BDQ_BAD_PLACES = -5 /* the form has a geometry and no places were given, or the other way round */
};

/* BDQ_OK or BDQ_BAD_FORM: whether every number of a form is in its range. */
int bdq_check_form(const bdq_form *form);

/* How many numbers state (int32_t) and row (uint16_t) must have, and how many codes (uint8_t) come of
 * a frame; 0 for a bad form or size. The state of a form without difference and blocks has none. */
size_t bdq_state_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels);
size_t bdq_codes_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels);
size_t bdq_row_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels);

/* Begin a stream of frames of one size; what the memory holds does not matter. To begin anew, call
 * it again. Returns BDQ_OK or what is wrong. */
int bdq_begin(bdq_stream *stream, const bdq_form *form, int32_t height, int32_t width,
              int32_t channels, int32_t *state, uint16_t *row);

/* Encode the next frame: height * width * channels bytes, channels of a pixel side by side (grey: 1
 * channel). Returns 1 where codes (bdq_codes_count bytes, rows of blocks from the top) were written; 0
 * for the first frame of a form with difference, which only sets the state and leaves codes as they
 * were; below 0 what is wrong, and nothing was done. They must not overlap. */
int bdq_encode(bdq_stream *stream, const uint8_t *frame, uint8_t *codes);

/* The same with what is drawn by chance.
 *
 * noise: a number for each code, from -2^26 to 2^26, which is added before thresholds; NULL for none,
 * which a form with dither takes for that first frame alone.
 * places: where each pixel of the frame is taken from, in 1/64 pixel: the rows of all pixels, line by
 * line, then the columns of all, 2 * height * width numbers. Beyond the border lie copies of it. NULL
 * without geometry. For a new stream draw new ones. */
int bdq_encode_dithered(bdq_stream *stream, const uint8_t *frame, const int32_t *noise,
                        const int32_t *places, uint8_t *codes);

/* Places on the way from one draw to the next: share is that of the second, from 0 to 65536. All three
 * have count numbers, and places may be the first. */
void bdq_mix_places(const int32_t *first, const int32_t *second, int32_t share, size_t count,
                    int32_t *places);

#ifdef __cplusplus
}
#endif

#endif
