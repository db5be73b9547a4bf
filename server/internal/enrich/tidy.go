package enrich

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// tidied returns an extraction with names and facts as they are stored, which
// leaves the one it was given as it is.
func tidied(x kgl.Extraction) kgl.Extraction {
	x.Entities = slices.Clone(x.Entities)
	for i := range x.Entities {
		e := &x.Entities[i]
		e.Name, e.Aliases = tidyName(e.Name), slices.Clone(e.Aliases)
		for k, a := range e.Aliases {
			e.Aliases[k] = tidyName(a)
		}
	}
	x.Relationships = slices.Clone(x.Relationships)
	for i := range x.Relationships {
		x.Relationships[i].Fact = stored(x.Relationships[i].Fact)
	}
	return x
}

// tidyName returns a name without control characters, with single blanks and
// with composed characters (NFC), so that what looks the same is the same.
func tidyName(name string) string {
	name = stored(name)
	if composed := norm.NFC.String(name); utf8.RuneCountInString(composed) <= maxNameRunes {
		return composed
	}
	return name // a few characters become more
}
