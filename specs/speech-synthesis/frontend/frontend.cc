// Text in, phones out: one a line, with its length in milliseconds and its pitch in hertz.
//
// Words come from a pronouncing lexicon; what it lacks is read letter by letter.
// Needs C++20's ranges and <span>: GCC 10 is the first to have them.

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <map>
#include <ranges>
#include <span>
#include <sstream>
#include <string>
#include <vector>

using Lexicon = std::map<std::string, std::vector<std::string>>;

static Lexicon read(const std::string &path)
{
    std::ifstream file(path);
    if (!file)
        throw std::runtime_error("no lexicon at " + path);
    Lexicon lexicon;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string word;
        if (!(words >> word) || word.front() == '#')
            continue;
        for (std::string phone; words >> phone;)
            lexicon[word].push_back(phone);
    }
    return lexicon;
}

static int length(const std::string &phone)
{
    static const std::string vowels = "AEIOU";
    return vowels.find(phone.front()) != std::string::npos ? 120 : 70;
}

// Pitch falls over a statement.
static void say(std::span<const std::string> phones)
{
    const auto count = static_cast<double>(phones.size());
    for (double place = 0; const std::string &phone : phones)
        std::cout << phone << ' ' << length(phone) << ' ' << static_cast<int>(130 - 40 * place++ / count) << '\n';
}

int main(int argc, char **argv)
try {
    const Lexicon lexicon = read("/home/maria/speech/frontend/share/lexicon.txt");
    std::vector<std::string> phones;
    auto letter = [](unsigned char c) { return std::isalpha(c) != 0; };
    for (std::string word : std::span(argv + 1, argv + argc)) {
        std::string plain;
        for (unsigned char c : word | std::views::filter(letter))
            plain.push_back(static_cast<char>(std::tolower(c)));
        auto known = lexicon.find(plain);
        if (known != lexicon.end()) {
            std::ranges::copy(known->second, std::back_inserter(phones));
        } else {
            for (char c : plain)
                if (auto spelt = lexicon.find(std::string(1, c)); spelt != lexicon.end())
                    std::ranges::copy(spelt->second, std::back_inserter(phones));
        }
        phones.emplace_back("_");
    }
    say(phones);
} catch (const std::exception &problem) {
    std::cerr << "frontend: " << problem.what() << '\n';
    return 1;
}
