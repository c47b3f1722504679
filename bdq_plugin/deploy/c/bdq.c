/* See bdq.h. A frame is read once, row by row: rows are filtered along y into one row, and this along
 * x, strip by strip, so that what stands between two steps stays in the nearest cache. The inner
 * loops are plain ones without branches, which compilers turn into vector instructions. */
#include "bdq.h"

#define KERNEL_SUM 256
#define MAX_NOISE ((int32_t)1 << 26)
#define MAX_VALUES ((int64_t)1 << 28)
#define MAX_ROW ((uint64_t)1 << 29)
/* Values of a strip: 4 KB of 32-bit numbers. */
#define STRIP 1024
/* Thresholds are counted so many at a time, in registers; 4-bit codes have 15. */
#define GROUP 15

static int32_t within(int32_t value, int32_t least, int32_t most) {
    return value < least ? least : value > most ? most : value;
}

#include "bdq_geometry.h"

/* ---------------------------------------------------------------- what fits */

static int is_flag(int32_t value) { return value == 0 || value == 1; }

int bdq_check_form(const bdq_form *form) {
    int32_t sum = 0;
    if (form == NULL || form->version != BDQ_FORM_VERSION || !is_flag(form->zeros) ||
        !is_flag(form->difference) || form->num_taps < 1 || form->num_taps > BDQ_MAX_TAPS ||
        form->num_taps % 2 == 0 || form->num_thresholds < 1 ||
        form->num_thresholds > BDQ_MAX_THRESHOLDS || form->block < 1 ||
        form->block > BDQ_MAX_BLOCK || !is_flag(form->magnitude) || form->dither < 0 ||
        !is_flag(form->geometry))
        return BDQ_BAD_FORM;
    for (int32_t i = 0; i < form->num_taps; i++) {
        int32_t tap = form->taps[i];
        if (tap < 0 || tap > KERNEL_SUM || tap != form->taps[form->num_taps - 1 - i])
            return BDQ_BAD_FORM;
        sum += tap;
    }
    for (int32_t i = 1; i < form->num_thresholds; i++)
        if (form->thresholds[i] < form->thresholds[i - 1]) return BDQ_BAD_FORM;
    return sum == KERNEL_SUM ? BDQ_OK : BDQ_BAD_FORM;
}

static int is_size(const bdq_form *form, int32_t height, int32_t width, int32_t channels) {
    return height > 0 && width > 0 && channels > 0 && (int64_t)height * width <= MAX_VALUES &&
           (int64_t)height * width * channels <= MAX_VALUES && height % form->block == 0 &&
           width % form->block == 0 &&
           (!form->geometry || (height <= MAX_PLACED && width <= MAX_PLACED));
}

size_t bdq_codes_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels) {
    if (bdq_check_form(form) != BDQ_OK || !is_size(form, height, width, channels)) return 0;
    return (size_t)(height / form->block) * (size_t)(width / form->block) * (size_t)channels;
}

/* The previous values, and behind them the sums of the columns of a row of blocks. */
size_t bdq_state_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels) {
    size_t count = bdq_codes_count(form, height, width, channels);
    if (count == 0) return 0;
    return (form->difference ? count : 0) +
           (form->block > 1 ? (size_t)width * (size_t)channels : 0);
}

/* A row with its margins, and behind it the last moved rows, in bytes. */
size_t bdq_row_count(const bdq_form *form, int32_t height, int32_t width, int32_t channels) {
    uint64_t count;
    if (bdq_codes_count(form, height, width, channels) == 0) return 0;
    count = ((uint64_t)width + (uint64_t)form->num_taps - 1) * (uint64_t)channels;
    if (form->geometry)
        count += ((uint64_t)form->num_taps * (uint64_t)width * (uint64_t)channels + 1) / 2;
    return count <= MAX_ROW ? (size_t)count : 0;
}

int bdq_begin(bdq_stream *stream, const bdq_form *form, int32_t height, int32_t width,
              int32_t channels, int32_t *state, uint16_t *row) {
    if (stream == NULL) return BDQ_NO_MEMORY;
    stream->form = NULL;
    if (bdq_check_form(form) != BDQ_OK) return BDQ_BAD_FORM;
    if (bdq_row_count(form, height, width, channels) == 0) return BDQ_BAD_SIZE;
    if (row == NULL || ((form->difference || form->block > 1) && state == NULL))
        return BDQ_NO_MEMORY;
    *stream = (bdq_stream){form, height, width, channels, state, row, 0};
    return BDQ_OK;
}

/* ---------------------------------------------------------------- blur */

static const uint8_t *row_of(const bdq_stream *stream, const uint8_t *frame, int32_t y) {
    if (stream->form->geometry) return moved_row(stream, y);
    return frame + (size_t)y * (size_t)stream->width * (size_t)stream->channels;
}

/* Along y: sums of at most 255 * 256, so 16 bits do. */
static void filter_column(const bdq_stream *stream, const uint8_t *frame, int32_t y,
                          uint16_t *restrict out) {
    const bdq_form *form = stream->form;
    int32_t half = form->num_taps / 2, size = stream->width * stream->channels;
    const uint8_t *rows[5];
    if (half == 2 && y >= half && y < stream->height - half) {
        uint16_t a = (uint16_t)form->taps[0], b = (uint16_t)form->taps[1];
        uint16_t c = (uint16_t)form->taps[2];
        for (int32_t k = 0; k < 5; k++) rows[k] = row_of(stream, frame, y - half + k);
        for (int32_t i = 0; i < size; i++)
            out[i] = (uint16_t)(a * (rows[0][i] + rows[4][i]) + b * (rows[1][i] + rows[3][i]) +
                                c * rows[2][i]);
        return;
    }
    for (int32_t i = 0; i < size; i++) out[i] = 0;
    for (int32_t k = -half; k <= half; k++) {
        uint16_t tap = (uint16_t)form->taps[half + k];
        int32_t at = within(y + k, 0, stream->height - 1);
        const uint8_t *row = row_of(stream, frame, at);
        if (form->zeros && at != y + k) continue;
        for (int32_t i = 0; i < size; i++) out[i] = (uint16_t)(out[i] + tap * row[i]);
    }
}

/* Fill both margins of a row that begins behind the first one. */
static void pad_row(const bdq_stream *stream, uint16_t *row) {
    int32_t channels = stream->channels, margin = stream->form->num_taps / 2 * channels;
    int32_t size = stream->width * channels;
    for (int32_t i = 0; i < margin; i++) {
        row[i - margin] = stream->form->zeros ? 0 : row[i % channels];
        row[size + i] = stream->form->zeros ? 0 : row[size - channels + i % channels];
    }
}

/* Along x, from a place of the first margin on; sums of at most 24 bits. */
static void filter_row(const uint16_t *row, int32_t count, int32_t channels, const bdq_form *form,
                       int32_t *restrict out) {
    int32_t half = form->num_taps / 2;
    const uint16_t *centre = row + half * channels;
    int32_t c = form->taps[half];
    if (half == 2) {
        const uint16_t *p1 = row + channels, *p3 = centre + channels, *p4 = p3 + channels;
        int32_t a = form->taps[0], b = form->taps[1];
        for (int32_t i = 0; i < count; i++)
            out[i] = a * (row[i] + p4[i]) + b * (p1[i] + p3[i]) + c * centre[i];
        return;
    }
    for (int32_t i = 0; i < count; i++) out[i] = c * centre[i];
    for (int32_t k = 0; k < half; k++) {
        const uint16_t *left = row + k * channels, *right = row + (2 * half - k) * channels;
        int32_t tap = form->taps[k];
        for (int32_t i = 0; i < count; i++) out[i] += tap * (left[i] + right[i]);
    }
}

/* ---------------------------------------------------------------- blocks */

/* At most 128 values of 24 bits: 31 bits. */
static void add_row(int32_t *restrict sums, const int32_t *restrict values, int32_t count,
                    int is_first) {
    if (is_first)
        for (int32_t i = 0; i < count; i++) sums[i] = values[i];
    else
        for (int32_t i = 0; i < count; i++) sums[i] += values[i];
}

/* Means from place `first` on, from the sums of columns, rounded down. */
static void block_means(const int32_t *sums, int32_t first, int32_t count, int32_t block,
                        int32_t channels, int32_t *restrict out) {
    for (int32_t i = 0; i < count; i++) {
        int32_t column = (first + i) / channels, channel = (first + i) % channels;
        const int32_t *sum = sums + (size_t)column * (size_t)block * (size_t)channels + channel;
        int64_t total = 0;
        for (int32_t k = 0; k < block; k++) total += sum[(size_t)k * (size_t)channels];
        out[i] = (int32_t)(total / (block * block));
    }
}

/* ---------------------------------------------------------------- thresholds */

/* How many of a group's thresholds lie strictly below each value, in 32 bits as the values are: a
 * count in bytes would make compilers narrow the outcome of every comparison. */
static void count_group(const int32_t *restrict values, const int32_t *t, int32_t count,
                        int32_t *restrict counts) {
    int32_t t0 = t[0], t1 = t[1], t2 = t[2], t3 = t[3], t4 = t[4], t5 = t[5], t6 = t[6], t7 = t[7];
    int32_t t8 = t[8], t9 = t[9], ta = t[10], tb = t[11], tc = t[12], td = t[13], te = t[14];
    for (int32_t i = 0; i < count; i++) {
        int32_t v = values[i];
        counts[i] = (v > t0) + (v > t1) + (v > t2) + (v > t3) + (v > t4) + (v > t5) + (v > t6) +
                    (v > t7) + (v > t8) + (v > t9) + (v > ta) + (v > tb) + (v > tc) + (v > td) +
                    (v > te);
    }
}

static void quantize(const int32_t *restrict values, const int32_t *thresholds,
                     int32_t num_thresholds, int32_t count, uint8_t *restrict codes) {
    int32_t counts[STRIP];
    if (num_thresholds == 1) {
        for (int32_t i = 0; i < count; i++) codes[i] = values[i] > thresholds[0];
        return;
    }
    for (int32_t k = 0; k < num_thresholds; k += GROUP) {
        count_group(values, thresholds + k, count, counts);
        for (int32_t i = 0; i < count; i++) codes[i] = (uint8_t)(counts[i] + (k ? codes[i] : 0));
    }
}

/* ---------------------------------------------------------------- a frame */

/* Codes of a strip of values of 24 bits, blurred or means of blocks: difference, noise of 27 bits,
 * size, count. Nothing comes of the first values, which lie in the state already. */
static void finish(const bdq_stream *stream, const int32_t *thresholds, int32_t *restrict values,
                   size_t at, int32_t count, const int32_t *noise, uint8_t *codes) {
    const bdq_form *form = stream->form;
    int32_t *restrict previous = form->difference ? stream->state + at : NULL;
    const int32_t *restrict added = noise == NULL ? NULL : noise + at;
    for (int32_t i = 0; previous != NULL && i < count; i++) {
        int32_t value = values[i];
        values[i] = value - previous[i];
        previous[i] = value;
    }
    for (int32_t i = 0; added != NULL && i < count; i++)
        values[i] += within(added[i], -MAX_NOISE, MAX_NOISE);
    for (int32_t i = 0; form->magnitude && i < count; i++)
        values[i] = values[i] < 0 ? -values[i] : values[i];
    quantize(values, thresholds, form->num_thresholds, count, codes + at);
}

static void finish_blocks(const bdq_stream *stream, const int32_t *thresholds, int only_state,
                          const int32_t *sums, int32_t row, const int32_t *noise,
                          uint8_t *codes) {
    const bdq_form *form = stream->form;
    int32_t values[STRIP], size = stream->width / form->block * stream->channels;
    for (int32_t x = 0; x < size; x += STRIP) {
        int32_t count = size - x < STRIP ? size - x : STRIP;
        size_t at = (size_t)row * (size_t)size + (size_t)x;
        block_means(sums, x, count, form->block, stream->channels,
                    only_state ? stream->state + at : values);
        if (!only_state) finish(stream, thresholds, values, at, count, noise, codes);
    }
}

static int encode(bdq_stream *stream, const uint8_t *frame, const int32_t *noise,
                  const int32_t *places, uint8_t *codes) {
    const bdq_form *form = stream->form;
    int32_t thresholds[BDQ_MAX_THRESHOLDS + GROUP], values[STRIP];
    int32_t size = stream->width * stream->channels;
    int32_t margin = form->num_taps / 2 * stream->channels;
    int only_state = form->difference && !stream->started;
    int32_t *sums = NULL, moved = places == NULL ? stream->height : 0;
    if (form->block > 1)
        sums = stream->state + (form->difference ? bdq_codes_count(form, stream->height,
                                                       stream->width, stream->channels) : 0);
    /* Filled up with thresholds that no value exceeds. */
    for (int32_t k = 0; k < BDQ_MAX_THRESHOLDS + GROUP; k++)
        thresholds[k] = k < form->num_thresholds ? form->thresholds[k] : INT32_MAX;
    for (int32_t y = 0; y < stream->height; y++) {
        for (; moved < stream->height && moved <= y + form->num_taps / 2; moved++)
            move_row(stream, frame, places, moved, moved_row(stream, moved));
        filter_column(stream, frame, y, stream->row + margin);
        pad_row(stream, stream->row + margin);
        for (int32_t x = 0; x < size; x += STRIP) {
            int32_t count = size - x < STRIP ? size - x : STRIP;
            size_t at = (size_t)y * (size_t)size + (size_t)x;
            int in_state = only_state && sums == NULL;
            filter_row(stream->row + x, count, stream->channels, form,
                       in_state ? stream->state + at : values);
            if (sums != NULL) add_row(sums + x, values, count, y % form->block == 0);
            else if (!only_state) finish(stream, thresholds, values, at, count, noise, codes);
        }
        if (sums != NULL && y % form->block == form->block - 1)
            finish_blocks(stream, thresholds, only_state, sums, y / form->block, noise, codes);
    }
    stream->started = 1;
    return !only_state;
}

int bdq_encode_dithered(bdq_stream *stream, const uint8_t *frame, const int32_t *noise,
                        const int32_t *places, uint8_t *codes) {
    const bdq_form *form = stream == NULL ? NULL : stream->form;
    if (form == NULL || frame == NULL || codes == NULL) return BDQ_NO_MEMORY;
    if (form->dither && noise == NULL && (stream->started || !form->difference))
        return BDQ_NO_NOISE;
    if (form->geometry != (places != NULL)) return BDQ_BAD_PLACES;
    return encode(stream, frame, noise, places, codes);
}

int bdq_encode(bdq_stream *stream, const uint8_t *frame, uint8_t *codes) {
    return bdq_encode_dithered(stream, frame, NULL, NULL, codes);
}
