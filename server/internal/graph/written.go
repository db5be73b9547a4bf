package graph

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// written returns a name as it is stored: trimmed and with composed characters
// (NFC), so that what looks the same is the same.
func written(name string) string {
	name = strings.TrimSpace(name)
	if composed := norm.NFC.String(name); utf8.RuneCountInString(composed) <= MaxNameRunes {
		return composed
	}
	return name // a few characters become more
}

// nameKey returns the form by which a name that somebody asks for is compared.
func nameKey(name string) string { return kgl.NormalizeName(written(name)) }
