/* Linear predictive coding of speech: frames, predictors, residuals. */
#ifndef VOCODER_H
#define VOCODER_H
#ifdef __cplusplus
extern "C" {
#endif

#define VOCODER_ORDER 16
#define VOCODER_FRAME 320

/* The predictor of a frame (Levinson and Durbin); gives the energy of what it leaves. */
double vocoder_predictor(const double *frame, int length, double *predictor);

/* Codes and decodes a frame in place, with 2**bits steps of the residual. */
void vocoder_code(double *frame, int length, int bits);

#ifndef __cplusplus
/* Defined by whoever includes this, which GCC took as one and the same before version 10 (-fcommon). */
int vocoder_frames;
#endif

#ifdef __cplusplus
}
#endif
#endif
