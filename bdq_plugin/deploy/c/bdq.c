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
#define SMALL_GROUP 7
/* Places count in 1/64 pixel. */
#define PLACE_BITS 6
#define PLACE_UNIT (1 << PLACE_BITS)
#define MAX_PLACED (INT32_MAX / PLACE_UNIT)
/* Pixels that are moved at a time: four arrays of 512 bytes. */
#define MOVED 128
/* Two of a word's four lanes of 8 bits, with room for 16 bits each. */
#define EVEN 0x00ff00ffu

/* ---------------------------------------------------------------- what fits */

static int is_flag(int32_t value) { return value == 0 || value == 1; }

static int32_t within(int32_t value, int32_t least, int32_t most) {
    return value < least ? least : value > most ? most : value;
}

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

/* ---------------------------------------------------------------- geometry */

/* Four bytes as they lie in memory: they are read at once. */
typedef struct { uint8_t bytes[4]; } four;
typedef union { four pixel; uint32_t word; } lanes;

/* Places to the upper left pixel and the weights, 0 to 64, of the lower row and the right column. */
static void find_pixels(const bdq_stream *stream, const int32_t *restrict rows,
                        const int32_t *restrict columns, int32_t count, uint32_t *restrict at,
                        int32_t *restrict down, int32_t *restrict right) {
    int32_t height = stream->height, width = stream->width, channels = stream->channels;
    int32_t low_row = height > 1 ? height - 2 : 0, low_column = width > 1 ? width - 2 : 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t y = within(rows[i], 0, (height - 1) * PLACE_UNIT);
        int32_t x = within(columns[i], 0, (width - 1) * PLACE_UNIT);
        int32_t row = within(y >> PLACE_BITS, 0, low_row);
        int32_t column = within(x >> PLACE_BITS, 0, low_column);
        at[i] = (uint32_t)((row * width + column) * channels);
        down[i] = y - row * PLACE_UNIT;
        right[i] = x - column * PLACE_UNIT;
    }
}

static inline uint32_t load(const uint8_t *pixel) {
    lanes loaded;
    loaded.pixel = *(const four *)pixel;
    return loaded.word;
}

/* Lanes may borrow from each other: what is added gives it back. */
static uint32_t between(uint32_t a, uint32_t b, uint32_t share) {
    return PLACE_UNIT * a + share * (b - a);
}

static uint32_t rounded(uint32_t upper, uint32_t lower, uint32_t down) {
    return (between(upper, lower, down) + PLACE_UNIT * PLACE_UNIT / 2) >> 2 * PLACE_BITS;
}

/* Bilinear, rounded half up, of up to four channels. Lower pixels are read some bytes early, so that
 * nothing beyond the frame is; those are the lowest of a word, on some machines the highest. */
static inline void move_strip(const uint8_t *restrict frame, const uint32_t *restrict at,
                              const int32_t *restrict down, const int32_t *restrict right,
                              int32_t count, int32_t below, int32_t beside, int32_t channels,
                              lanes *restrict moved) {
    const lanes first = {{{255, 0, 0, 0}}};
    int32_t early = 4 - channels, low = first.word == 255 ? 8 * early : 0, high = 8 * early - low;
    const uint8_t *lower = frame + below - early;
    for (int32_t i = 0; i < count; i++) {
        uint32_t a = load(frame + at[i]), c = load(lower + at[i]) >> low << high;
        uint32_t b = load(frame + beside + at[i]), d = load(lower + beside + at[i]) >> low << high;
        uint32_t x = (uint32_t)right[i], y = (uint32_t)down[i], word = 0;
        for (int32_t k = 0; k <= 8; k += 8) {
            uint32_t upper = between(a >> k & EVEN, b >> k & EVEN, x);
            uint32_t under = between(c >> k & EVEN, d >> k & EVEN, x);
            word |= rounded(upper & 0xffff, under & 0xffff, y) << k;
            word |= rounded(upper >> 16, under >> 16, y) << (16 + k);
        }
        moved[i].word = word;
    }
}

/* The same of frames that have no four bytes in a row below. */
static void move_small(const uint8_t *frame, const uint32_t *at, const int32_t *down,
                       const int32_t *right, int32_t count, int32_t below, int32_t beside,
                       int32_t channels, uint8_t *out) {
    for (int32_t i = 0; i < count * channels; i++) {
        const uint8_t *upper = frame + at[i / channels] + i % channels, *lower = upper + below;
        uint32_t x = (uint32_t)right[i / channels], y = (uint32_t)down[i / channels];
        out[i] = (uint8_t)rounded(between(upper[0], upper[beside], x),
                                  between(lower[0], lower[beside], x), y);
    }
}

static void store_three(const lanes *restrict moved, int32_t count, uint8_t *restrict out) {
    for (int32_t i = 0; i < count; i++) {
        out[3 * i] = moved[i].pixel.bytes[0];
        out[3 * i + 1] = moved[i].pixel.bytes[1];
        out[3 * i + 2] = moved[i].pixel.bytes[2];
    }
}

static void move_row(const bdq_stream *stream, const uint8_t *frame, const int32_t *places,
                     int32_t y, uint8_t *restrict out) {
    lanes moved[MOVED];
    uint32_t at[MOVED];
    int32_t down[MOVED], right[MOVED], width = stream->width, channels = stream->channels;
    int32_t below = stream->height > 1 ? width * channels : 0, beside = width > 1 ? channels : 0;
    for (int32_t x = 0; x < width; x += MOVED) {
        int32_t count = width - x < MOVED ? width - x : MOVED;
        const int32_t *rows = places + (size_t)y * (size_t)width + x;
        const int32_t *columns = rows + (size_t)stream->height * (size_t)width;
        uint8_t *to = out + x * channels;
        find_pixels(stream, rows, columns, count, at, down, right);
        if (below < 4) {
            move_small(frame, at, down, right, count, below, beside, channels, to);
        } else if (channels == 3) {
            move_strip(frame, at, down, right, count, below, beside, 3, moved);
            store_three(moved, count, to);
        } else for (int32_t c = 0; c < channels; c++) {
            move_strip(frame + c, at, down, right, count, below, beside, 1, moved);
            for (int32_t i = 0; i < count; i++) to[i * channels + c] = moved[i].pixel.bytes[0];
        }
    }
}

void bdq_mix_places(const int32_t *first, const int32_t *second, int32_t share, size_t count,
                    int32_t *places) {
    for (size_t i = 0; i < count; i++) {
        int64_t sum = (int64_t)first[i] * (65536 - share) + (int64_t)second[i] * share;
        places[i] = (int32_t)(sum >> 16);
    }
}

/* ---------------------------------------------------------------- blur */

/* A row of the frame that is encoded: the moved rows go round behind the row with margins. */
static uint8_t *moved_row(const bdq_stream *stream, int32_t y) {
    size_t size = (size_t)stream->width * (size_t)stream->channels;
    size_t row = size + (size_t)(stream->form->num_taps - 1) * (size_t)stream->channels;
    return (uint8_t *)(stream->row + row) + (size_t)(y % stream->form->num_taps) * size;
}

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

/* ---------------------------------------------------------------- difference and thresholds */

/* Values become the difference, previous what the values were. */
static void subtract(int32_t *restrict values, int32_t *restrict previous, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        int32_t value = values[i];
        values[i] = value - previous[i];
        previous[i] = value;
    }
}

/* A value has 25 bits, noise 27. */
static void add_noise(int32_t *restrict values, const int32_t *restrict noise, int32_t count) {
    for (int32_t i = 0; i < count; i++) values[i] += within(noise[i], -MAX_NOISE, MAX_NOISE);
}

static void fold(int32_t *values, int32_t count) {
    for (int32_t i = 0; i < count; i++) values[i] = values[i] < 0 ? -values[i] : values[i];
}

/* How many of the thresholds lie strictly below each value, in 32 bits as the values are: a count
 * in bytes would make compilers narrow the outcome of every comparison. */
static void count_small(const int32_t *restrict values, const int32_t *t, int32_t count,
                        int32_t *restrict counts) {
    int32_t t0 = t[0], t1 = t[1], t2 = t[2], t3 = t[3], t4 = t[4], t5 = t[5], t6 = t[6];
    for (int32_t i = 0; i < count; i++) {
        int32_t v = values[i];
        counts[i] = (v > t0) + (v > t1) + (v > t2) + (v > t3) + (v > t4) + (v > t5) + (v > t6);
    }
}

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
    if (num_thresholds <= SMALL_GROUP) count_small(values, thresholds, count, counts);
    else count_group(values, thresholds, count, counts);
    for (int32_t i = 0; i < count; i++) codes[i] = (uint8_t)counts[i];
    for (int32_t k = GROUP; k < num_thresholds; k += GROUP) {
        count_group(values, thresholds + k, count, counts);
        for (int32_t i = 0; i < count; i++) codes[i] = (uint8_t)(codes[i] + counts[i]);
    }
}

/* ---------------------------------------------------------------- a frame */

/* Codes of a strip of values, blurred or means of blocks; nothing comes of values that are the
 * first, which lie in the state already. */
static void finish(const bdq_stream *stream, const int32_t *thresholds, int32_t *values,
                   size_t at, int32_t count, const int32_t *noise, uint8_t *codes) {
    const bdq_form *form = stream->form;
    if (form->difference) subtract(values, stream->state + at, count);
    if (noise != NULL) add_noise(values, noise + at, count);
    if (form->magnitude) fold(values, count);
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
