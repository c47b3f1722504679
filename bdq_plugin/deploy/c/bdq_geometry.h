/* A part of bdq.c, which includes it: frames moved by a geometry before they are blurred, with sums of
 * four 8-bit values at once, where channels lie in one word of 32 bits. */

/* Places count in 1/64 pixel. */
#define PLACE_BITS 6
#define PLACE_UNIT (1 << PLACE_BITS)
#define MAX_PLACED (INT32_MAX / PLACE_UNIT)
/* Pixels that are moved at a time: four arrays of 512 bytes. */
#define MOVED 128
/* Two of a word's four lanes of 8 bits, with room for 16 bits each. */
#define EVEN 0x00ff00ffu

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

/* Where a moved row lies: as many as there are taps go round behind the row with margins. */
static uint8_t *moved_row(const bdq_stream *stream, int32_t y) {
    size_t size = (size_t)stream->width * (size_t)stream->channels;
    size_t row = size + (size_t)(stream->form->num_taps - 1) * (size_t)stream->channels;
    return (uint8_t *)(stream->row + row) + (size_t)(y % stream->form->num_taps) * size;
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
