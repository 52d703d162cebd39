/* Codes and decodes 16-bit PCM from the standard input to the standard output. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "vocoder.h"

int main(int argc, char **argv)
{
    int bits = argc > 1 ? atoi(argv[1]) : 5;
    int16_t samples[VOCODER_FRAME];
    double frame[VOCODER_FRAME];
    size_t count, i;

    while ((count = fread(samples, sizeof *samples, VOCODER_FRAME, stdin)) > 0) {
        for (i = 0; i < count; i++)
            frame[i] = samples[i];
        vocoder_code(frame, (int)count, bits);
        for (i = 0; i < count; i++)
            samples[i] = (int16_t)(frame[i] > 32767 ? 32767 : frame[i] < -32768 ? -32768 : frame[i]);
        fwrite(samples, sizeof *samples, count, stdout);
    }
    fprintf(stderr, "%d frames\n", vocoder_frames);
    return 0;
}
