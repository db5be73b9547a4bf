package neardup

import (
	"flag"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"
)

var documents = flag.Int("documents", 0, "compare ways to find candidates over this many generated documents")

// scheme is a way to find candidates: texts that share a key are.
type scheme struct {
	name string
	keys func(Text) []uint64
}

// part is a number of bands over the first words of a text, 0 for all.
type part struct{ words, bands, rows int }

// minHash returns the banded MinHash over shingles of k words.
func minHash(k int, parts ...part) scheme {
	var name []string
	for _, p := range parts {
		name = append(name, fmt.Sprintf("%d bands of %d over %s", p.bands, p.rows, map[bool]string{true: "all", false: fmt.Sprint(p.words)}[p.words == 0]))
	}
	return scheme{fmt.Sprintf("MinHash, %d words: %s", k, strings.Join(name, ", ")), func(t Text) (keys []uint64) {
		first := 0
		for n, p := range parts {
			minima := slices.Repeat([]uint64{^uint64(0)}, p.bands*p.rows)
			units := 0
			for i := range t.body {
				h, ok := shingle(t.body[i:], k*unitsPerWord)
				if !ok || p.words > 0 && units >= p.words*unitsPerWord {
					break
				}
				for m := range minima {
					minima[m] = min(minima[m], h*mix(uint64(first+m+1))|1)
				}
				units += t.body[i].units()
			}
			for band := range p.bands {
				keys = append(keys, uint64(bandKey(100*n+band, minima[band*p.rows:(band+1)*p.rows])))
			}
			first += len(minima)
		}
		return keys
	}}
}

// simHash returns a SimHash of 64 bits (Charikar 2002) in bands of equal size:
// texts that differ in fewer bits than there are bands share one.
func simHash(k, words, bands int) scheme {
	over := "all"
	if words > 0 {
		over = fmt.Sprint(words)
	}
	return scheme{fmt.Sprintf("SimHash, %d words: %d bands over %s", k, bands, over), func(t Text) (keys []uint64) {
		var sums [64]int
		units := 0
		for i := range t.body {
			h, ok := shingle(t.body[i:], k*unitsPerWord)
			if !ok || words > 0 && units >= words*unitsPerWord {
				break
			}
			for bit := range sums {
				sums[bit] += int(h>>bit&1)*2 - 1
			}
			units += t.body[i].units()
		}
		var hash uint64
		for bit, sum := range sums {
			if sum > 0 {
				hash |= 1 << bit
			}
		}
		size := 64 / bands
		for band := range bands {
			keys = append(keys, mix(bits.RotateLeft64(hash, -band*size)&(1<<size-1)+uint64(band)<<56))
		}
		return keys
	}}
}

// TestCandidates compares ways to find candidates:
//
//	go test ./server/internal/neardup -run TestCandidates -v -documents 100000
func TestCandidates(t *testing.T) {
	if *documents == 0 {
		*documents = 1000
	}
	docs := newCorpus(3, *documents).docs
	texts := make([]Text, len(docs))
	for i, d := range docs {
		texts[i] = Read(d.title, d.text)
	}
	ours := scheme{"as built", func(t Text) (keys []uint64) {
		ks, _ := t.Keys()
		for _, k := range ks {
			keys = append(keys, uint64(k))
		}
		return keys
	}}
	for _, s := range []scheme{
		ours,
		minHash(2, part{0, 8, 2}), minHash(3, part{0, 8, 2}), minHash(3, part{0, 8, 3}), minHash(4, part{0, 8, 2}),
		minHash(2, part{48, 4, 2}, part{0, 4, 2}), minHash(3, part{48, 4, 2}, part{0, 4, 2}), minHash(3, part{48, 4, 2}, part{0, 4, 3}), minHash(3, part{48, 4, 3}, part{0, 4, 3}),
		minHash(3, part{48, 4, 2}, part{0, 2, 2}), minHash(3, part{48, 4, 2}, part{0, 2, 3}), minHash(3, part{48, 4, 2}), minHash(3, part{48, 3, 2}, part{0, 3, 2}), minHash(3, part{48, 4, 1}, part{0, 2, 2}),
		minHash(3, part{64, 4, 2}, part{0, 2, 2}), minHash(3, part{36, 4, 2}, part{0, 2, 2}),
		minHash(4, part{48, 4, 2}, part{0, 2, 2}),
		simHash(1, 0, 4), simHash(3, 0, 4), simHash(2, 0, 8), simHash(3, 48, 8),
	} {
		reportScheme(t, s, docs, texts)
	}
}

func reportScheme(t *testing.T, s scheme, docs []doc, texts []Text) {
	index := map[uint64][]int32{}
	firsts := map[int]int{} // document by story
	byKind := map[string]*count{}
	var all count
	var heads, most, alone, aloneHeads int
	var took time.Duration
	for i, d := range docs {
		if texts[i].units < minCommon {
			continue
		}
		begin := time.Now()
		keys := s.keys(texts[i])
		took += time.Since(begin)
		found := map[int32]bool{}
		for _, k := range keys {
			list := index[k]
			for _, j := range list[max(0, len(list)-8):] {
				found[j] = true
			}
			index[k] = append(list, int32(i))
		}
		heads, most = heads+len(found), max(most, len(found))
		if d.family == 0 || d.family > len(templates) {
			alone, aloneHeads = alone+1, aloneHeads+len(found)
		}
		first, seen := firsts[d.story]
		if !seen {
			firsts[d.story] = i
			continue
		}
		if byKind[d.kind] == nil {
			byKind[d.kind] = &count{}
		}
		if found[int32(first)] {
			all.right++
			byKind[d.kind].right++
			continue
		}
		all.missed++
		byKind[d.kind].missed++
	}
	line := fmt.Sprintf("%-62s found %.4f, candidates %.2f (%.2f without those of templates, most %d), %4d ns a text", s.name, ratio(all.right, all.right+all.missed),
		float64(heads)/float64(len(docs)), float64(aloneHeads)/float64(max(alone, 1)), most, took.Nanoseconds()/int64(len(docs)))
	for _, k := range []string{"teaser", "teaser in a frame", "copy-edited", "paragraph rewritten", "syndicated"} {
		if c := byKind[k]; c != nil {
			line += fmt.Sprintf("; %s %.3f", k, ratio(c.right, c.right+c.missed))
		}
	}
	t.Log(line)
}
