/* The library. */
#include <math.h>
#include <string.h>
#include "vocoder.h"

double vocoder_predictor(const double *frame, int length, double *predictor)
{
    double r[VOCODER_ORDER + 1], previous[VOCODER_ORDER], energy;
    int i, j;

    for (i = 0; i <= VOCODER_ORDER; i++) {
        r[i] = 0;
        for (j = i; j < length; j++)
            r[i] += frame[j] * frame[j - i];
    }
    memset(predictor, 0, VOCODER_ORDER * sizeof *predictor);
    energy = r[0] * 1.0001 + 1e-9;
    for (i = 0; i < VOCODER_ORDER; i++) {
        double k = r[i + 1];
        for (j = 0; j < i; j++)
            k -= predictor[j] * r[i - j];
        k /= energy;
        memcpy(previous, predictor, sizeof previous);
        for (j = 0; j < i; j++)
            predictor[j] = previous[j] - k * previous[i - 1 - j];
        predictor[i] = k;
        energy *= 1 - k * k;
    }
    return energy;
}

void vocoder_code(double *frame, int length, int bits)
{
    double predictor[VOCODER_ORDER], past[VOCODER_ORDER] = {0};
    double step = 8 * sqrt(vocoder_predictor(frame, length, predictor) / length) / (1 << bits);
    int i, j;

    if (step < 1e-6)
        step = 1e-6;
    for (i = 0; i < length; i++) {
        double expected = 0;
        for (j = 0; j < VOCODER_ORDER; j++)
            expected += predictor[j] * past[j];
        frame[i] = expected + step * floor((frame[i] - expected) / step + 0.5);
        memmove(past + 1, past, sizeof past - sizeof *past);
        past[0] = frame[i];
    }
    vocoder_frames++;
}
