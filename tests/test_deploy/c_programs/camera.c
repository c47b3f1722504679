/* A camera's program: its encoder is a header, its memory is static, its frames are 37 x 51 x 3. */
#include <stdio.h>

#include "bdq.h"
#include "bdq_form.h"

static int32_t state[37 * 51 * 3];
static uint16_t row[(51 + BDQ_MAX_TAPS - 1) * 3];
static uint8_t frame[37 * 51 * 3], codes[sizeof frame];

int main(void) {
    bdq_stream stream;
    if (bdq_begin(&stream, &BDQ_FORM, 37, 51, 3, state, row) != BDQ_OK) return 1;
    while (fread(frame, sizeof frame, 1, stdin) == 1)
        if (bdq_encode(&stream, frame, codes) == 1) fwrite(codes, sizeof codes, 1, stdout);
    return 0;
}
