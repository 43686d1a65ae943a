package schema

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Suggest returns the candidate that a person who wrote given most likely meant, or "". Of equally near ones the first wins.
func Suggest(given string, candidates []string) string {
	best, bestDistance := "", allowedDistance(given)+1
	for _, c := range candidates {
		if d := levenshtein.Distance(fold(given), fold(c), nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// allowedDistance grows with the word: in a short word two other letters make another word.
func allowedDistance(word string) int {
	switch n := len(word); {
	case n <= 1:
		return 0
	case n <= 3:
		return 1
	case n <= 8:
		return 2
	default:
		return 3
	}
}

// fold removes what people mix up when they remember a name: case, and the sign between words.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}
