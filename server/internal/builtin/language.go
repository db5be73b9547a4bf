package builtin

import (
	"strings"
	"unicode"
)

// How much of a text decides what language it is in.
const languageWords = 400

// english reports whether a text is English prose, to which the rules of
// capitals apply. What the feed says counts less than what the text's small
// words say: feeds name the language of their software.
func (l *lexicon) english(tokens []token, declared string) bool {
	counts := map[string]int{}
	words, latin := 0, 0
	for _, t := range tokens {
		if t.kind != word {
			continue
		}
		if words++; words > languageWords {
			break
		}
		for _, r := range t.text {
			if unicode.Is(unicode.Latin, r) {
				latin++
			}
			break
		}
		for _, language := range languages {
			if l.is(t.lower, language) {
				counts[language]++
			}
		}
	}
	if latin*10 < words*6 {
		return false
	}
	best := 0
	for _, language := range languages[1:] {
		best = max(best, counts[language])
	}
	declared, _, _ = strings.Cut(strings.ToLower(declared), "-")
	switch {
	case counts["english"] > best:
		return true
	case best > counts["english"]:
		return false
	}
	return declared == "" || declared == "en"
}

// languages are the sets of small words in words.txt, English first.
var languages = [...]string{"english", "german", "french", "spanish", "italian", "portuguese", "dutch", "swedish", "polish"}
