package builtin

import (
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// FuzzExtract: whatever the text, the result keeps the rules of the contract.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		"Patreon launched the Creator Relief Fund (CRF) on March 3, 2025. It offers $2 million.",
		"“Always On”, said Dr. J. K. Rowling's friend, is 20th Century Fox & Sons, Inc.",
		"Der Verein in Wien hat 5.000 € gezahlt.",
		"A's B’s C.D. 3-4 to 5 May, 2025-08-14 C$12m €3 – 5m\u2028X\x00\xff",
		"İstanbul ẞ ǅ YouTube’s Über",
	} {
		f.Add(seed, seed, "en")
	}
	x := New()
	f.Fuzz(func(t *testing.T, title, text, language string) {
		extract(t, x, kgl.ContentBody{Title: title, Text: text, Language: language})
	})
}
