package neardup

// Keys are what an index finds a text by: texts that share one are candidates
// for the same article.
type Keys [Bands]int64

// The banded MinHash of a text (Broder 1997; banding as in Leskovec, Rajaraman,
// Ullman: Mining of Massive Datasets, chapter 3): each key is made of rows
// minima of hash functions over the shingles of a part of the text.
const (
	Bands     = leadBands + bodyBands
	leadBands = 4 // over the lead: they find a shortened copy beside the whole one
	leadRows  = 2
	bodyBands = 2 // over the whole text
	bodyRows  = 2

	// leadWords is the length of the lead, which even a teaser holds.
	leadWords = 48

	// shingleUnits is the length of a shingle: three words, or six characters of
	// a script without spaces.
	shingleUnits = 3 * unitsPerWord
	minimaCount  = leadBands*leadRows + bodyBands*bodyRows
)

// KeysVersion changes whenever the keys of a text do: keys of another version
// do not find those of this one.
const KeysVersion = 1

// MinWords is the shortest text, in words, that is compared: what is shorter
// is boilerplate too often.
const MinWords = 30

// Keys returns the keys of a text; false when it is too short to have any.
func (t Text) Keys() (Keys, bool) {
	var keys Keys
	if t.units < MinWords*unitsPerWord {
		return keys, false
	}
	var lead [leadBands * leadRows]uint64
	var body [bodyBands * bodyRows]uint64
	for i := range lead {
		lead[i] = ^uint64(0)
	}
	for i := range body {
		body[i] = ^uint64(0)
	}
	units := 0
	for i := range t.body {
		h, ok := shingle(t.body[i:], shingleUnits)
		if !ok {
			break
		}
		if units < leadWords*unitsPerWord {
			lower(lead[:], h, 0)
		}
		lower(body[:], h, len(lead))
		units += t.body[i].units()
	}
	for k := range leadBands {
		keys[k] = bandKey(k, lead[k*leadRows:(k+1)*leadRows])
	}
	for k := range bodyBands {
		keys[leadBands+k] = bandKey(leadBands+k, body[k*bodyRows:(k+1)*bodyRows])
	}
	return keys, true
}

// shingle hashes the tokens at the start of a list that are together as long as
// a shingle; false when there are too few.
func shingle(tokens []token, length int) (uint64, bool) {
	var h uint64
	for _, t := range tokens {
		h = (h ^ t.hash) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		if length -= t.units(); length <= 0 {
			return mix(h), true
		}
	}
	return 0, false
}

// lower keeps, for each hash function, the least value of the shingles so far.
// The functions are h*m+c modulo 2^64, numbered from first.
func lower(minima []uint64, h uint64, first int) {
	for i := range minima {
		minima[i] = min(minima[i], h*multipliers[first+i])
	}
}

// multipliers are odd, and fixed: keys are stored.
var multipliers = func() (list [minimaCount]uint64) {
	for i := range list {
		list[i] = mix(uint64(i+1)*0x9e3779b97f4a7c15) | 1
	}
	return list
}()

func bandKey(band int, minima []uint64) int64 {
	h := uint64(band + 1)
	for _, m := range minima {
		h = mix(h*0x9e3779b97f4a7c15 + m)
	}
	return int64(h)
}
