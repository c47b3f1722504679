/* A part of bdq.c, which includes it: frames moved by a geometry before they are blurred.
 *
 * Four pixels are read for each moved one, wherever they lie, and put side by side by the strip; what
 * is computed of them then lies in order, in lanes of 16 bits. */

/* Places count in 1/64 pixel. */
#define PLACE_BITS 6
#define PLACE_UNIT (1 << PLACE_BITS)
#define MAX_PLACED (INT32_MAX / PLACE_UNIT)
/* Pixels of a strip, and the most channels that are moved at once. */
#define MOVED 128
#define LANES 4
/* A pixel's upper and its lower two neighbours are read as so many bytes. */
#define PAIR (2 * LANES)
/* Bytes of a frame that are read before a pixel needs them, and those that a cache fetches at once. */
#define AHEAD 4096
#define LINE 64

/* A pixel's channels in one word, or two of them in each half of it. */
typedef union { uint32_t words[MOVED]; uint16_t halves[2 * MOVED]; } lanes;

/* Places to the upper left pixel and the weights, 0 to 64, of the lower row and the right column, the
 * same in both halves. Returns the greatest place in the frame. */
static uint32_t find_pixels(const bdq_stream *stream, const int32_t *restrict rows,
                            const int32_t *restrict columns, int32_t count, uint32_t *restrict at,
                            uint32_t *restrict down, uint32_t *restrict right) {
    int32_t height = stream->height, width = stream->width, channels = stream->channels;
    int32_t low_row = height > 1 ? height - 2 : 0, low_column = width > 1 ? width - 2 : 0;
    uint32_t last = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t y = within(rows[i], 0, (height - 1) * PLACE_UNIT);
        int32_t x = within(columns[i], 0, (width - 1) * PLACE_UNIT);
        int32_t row = y >> PLACE_BITS < low_row ? y >> PLACE_BITS : low_row;
        int32_t column = x >> PLACE_BITS < low_column ? x >> PLACE_BITS : low_column;
        at[i] = (uint32_t)((row * width + column) * channels);
        down[i] = (uint32_t)(y - row * PLACE_UNIT) * 0x10001u;
        right[i] = (uint32_t)(x - column * PLACE_UNIT) * 0x10001u;
        last = at[i] > last ? at[i] : last;
    }
    return last;
}

/* Read on in order, up to a place: caches fetch ahead for it, and not for single pixels. */
static size_t read_ahead(const uint8_t *frame, size_t from, size_t to) {
    const volatile uint8_t *bytes = frame;
    for (; from < to; from += LINE) (void)bytes[from];
    return from;
}

/* Compilers make one load of it. */
static inline uint64_t load(const uint8_t *b) {
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

/* The four neighbours, of up to four channels. Lower ones are read some bytes early, so that nothing
 * beyond the frame is. */
static inline void gather(const uint8_t *restrict frame, const uint32_t *restrict at, int32_t count,
                          int32_t below, int32_t channels, uint32_t *restrict a,
                          uint32_t *restrict b, uint32_t *restrict c, uint32_t *restrict d) {
    int32_t early = PAIR - 2 * channels;
    const uint8_t *under = frame + below - early;
    for (int32_t i = 0; i < count; i++) {
        uint64_t upper = load(frame + at[i]), lower = load(under + at[i]);
        a[i] = (uint32_t)upper;
        b[i] = (uint32_t)(upper >> 8 * channels);
        c[i] = (uint32_t)(lower >> 8 * early);
        d[i] = (uint32_t)(lower >> 8 * (early + channels));
    }
}

/* Bilinear, rounded half up. The way from the upper to the lower row is divided first, and its rest
 * apart, so that all numbers keep to 16 bits; the sum, rounded down, is the same. */
static inline uint16_t bilinear(uint16_t a, uint16_t b, uint16_t c, uint16_t d, uint16_t down,
                                uint16_t right) {
    uint16_t left = (uint16_t)(PLACE_UNIT - right);
    int16_t upper = (int16_t)(left * a + right * b);
    int16_t way = (int16_t)(left * c + right * d - upper);
    uint16_t whole = (uint16_t)(down * (way >> PLACE_BITS));
    uint16_t rest = (uint16_t)(down * (way & (PLACE_UNIT - 1)));
    uint16_t sum = (uint16_t)(upper + whole + (rest >> PLACE_BITS) + PLACE_UNIT / 2);
    return (uint16_t)(sum >> PLACE_BITS);
}

static void blend(const uint16_t *restrict a, const uint16_t *restrict b,
                  const uint16_t *restrict c, const uint16_t *restrict d,
                  const uint16_t *restrict down, const uint16_t *restrict right, int32_t count,
                  uint16_t *restrict moved) {
    for (int32_t i = 0; i < count; i++) {
        uint16_t low = bilinear(a[i] & 255, b[i] & 255, c[i] & 255, d[i] & 255, down[i], right[i]);
        uint16_t high = bilinear(a[i] >> 8, b[i] >> 8, c[i] >> 8, d[i] >> 8, down[i], right[i]);
        moved[i] = (uint16_t)(low | high << 8);
    }
}

static inline void store(const uint32_t *restrict moved, int32_t count, int32_t channels,
                         uint8_t *restrict out) {
    for (int32_t i = 0; i < count; i++)
        for (int32_t c = 0; c < channels; c++) out[i * channels + c] = (uint8_t)(moved[i] >> 8 * c);
}

static inline void move_strip(const uint8_t *frame, const uint32_t *at, const lanes *down,
                              const lanes *right, int32_t count, int32_t below, int32_t channels,
                              uint8_t *out) {
    lanes a, b, c, d, moved;
    gather(frame, at, count, below, channels, a.words, b.words, c.words, d.words);
    blend(a.halves, b.halves, c.halves, d.halves, down->halves, right->halves, 2 * count,
          moved.halves);
    store(moved.words, count, channels, out);
}

/* The same of frames that have too few bytes in a row, or too many channels. */
static void move_single(const uint8_t *frame, const uint32_t *at, const uint32_t *down,
                        const uint32_t *right, int32_t count, int32_t below, int32_t beside,
                        int32_t channels, uint8_t *out) {
    for (int32_t i = 0; i < count * channels; i++) {
        const uint8_t *upper = frame + at[i / channels] + i % channels, *lower = upper + below;
        out[i] = (uint8_t)bilinear(upper[0], upper[beside], lower[0], lower[beside],
                                   down[i / channels] & 255, right[i / channels] & 255);
    }
}

/* Where a moved row lies: as many as there are taps go round behind the row with margins. */
static uint8_t *moved_row(const bdq_stream *stream, int32_t y) {
    size_t size = (size_t)stream->width * (size_t)stream->channels;
    size_t row = size + (size_t)(stream->form->num_taps - 1) * (size_t)stream->channels;
    return (uint8_t *)(stream->row + row) + (size_t)(y % stream->form->num_taps) * size;
}

/* Returns up to where the frame was read. */
static size_t move_row(const bdq_stream *stream, const uint8_t *frame, const int32_t *places,
                       int32_t y, size_t read, uint8_t *restrict out) {
    uint32_t at[MOVED];
    lanes down, right;
    int32_t width = stream->width, channels = stream->channels;
    int32_t below = stream->height > 1 ? width * channels : 0, beside = width > 1 ? channels : 0;
    size_t size = (size_t)stream->height * (size_t)width * (size_t)channels;
    for (int32_t x = 0; x < width; x += MOVED) {
        int32_t count = width - x < MOVED ? width - x : MOVED;
        const int32_t *rows = places + (size_t)y * (size_t)width + x;
        const int32_t *columns = rows + (size_t)stream->height * (size_t)width;
        uint8_t *to = out + x * channels;
        size_t last = find_pixels(stream, rows, columns, count, at, down.words, right.words);
        read = read_ahead(frame, read, last + AHEAD < size ? last + AHEAD : size);
        if (below < PAIR || channels > LANES)
            move_single(frame, at, down.words, right.words, count, below, beside, channels, to);
        /* Compilers know these numbers of channels. */
        else if (channels == 3) move_strip(frame, at, &down, &right, count, below, 3, to);
        else if (channels == 1) move_strip(frame, at, &down, &right, count, below, 1, to);
        else move_strip(frame, at, &down, &right, count, below, channels, to);
    }
    return read;
}

void bdq_mix_places(const int32_t *first, const int32_t *second, int32_t share, size_t count,
                    int32_t *places) {
    for (size_t i = 0; i < count; i++) {
        int64_t sum = (int64_t)first[i] * (65536 - share) + (int64_t)second[i] * share;
        places[i] = (int32_t)(sum >> 16);
    }
}
