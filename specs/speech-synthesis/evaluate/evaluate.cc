// How far apart two recordings are: the mean distance of their frames' spectral envelopes, in dB.
//
// Envelopes are those of the vocoder's predictors. Needs <numbers>, which is C++20: GCC 10.

#include <cmath>
#include <complex>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "vocoder.h"

static std::vector<double> samples(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + path);
    std::vector<double> found;
    for (std::int16_t sample; file.read(reinterpret_cast<char *>(&sample), sizeof sample);)
        found.push_back(sample);
    return found;
}

static std::vector<double> envelope(const double *frame)
{
    double predictor[VOCODER_ORDER];
    const double energy = vocoder_predictor(frame, VOCODER_FRAME, predictor);
    std::vector<double> level(64);
    for (std::size_t bin = 0; bin < level.size(); bin++) {
        std::complex<double> inverse = 1;
        for (int i = 0; i < VOCODER_ORDER; i++)
            inverse -= predictor[i] * std::polar(1.0, -std::numbers::pi * double(bin) * (i + 1) / 64);
        level[bin] = 10 * std::log10((energy + 1) / std::norm(inverse));
    }
    return level;
}

int main(int argc, char **argv)
try {
    if (argc != 3)
        throw std::runtime_error("two files, please");
    const auto left = samples(argv[1]), right = samples(argv[2]);
    if (left.size() != right.size())
        throw std::runtime_error("the recordings are not of one length");
    double sum = 0;
    std::size_t frames = 0;
    for (std::size_t at = 0; at + VOCODER_FRAME <= left.size(); at += VOCODER_FRAME, frames++) {
        const auto a = envelope(&left[at]), b = envelope(&right[at]);
        double square = 0;
        for (std::size_t bin = 0; bin < a.size(); bin++)
            square += (a[bin] - b[bin]) * (a[bin] - b[bin]);
        sum += std::sqrt(square / double(a.size()));
    }
    std::cout << frames << " frames, " << std::fixed << std::setprecision(1) << sum / double(frames) << " dB\n";
} catch (const std::exception &problem) {
    std::cerr << "evaluate: " << problem.what() << '\n';
    return 1;
}
