package demo

import "hash/fnv"

// dice makes choices that look random and are the same for the same seed.
type dice struct{ seed uint64 }

// roll returns a number below n for one question.
func (d dice) roll(question string, n int) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(question)) // a hash never fails
	// SplitMix64's finaliser: neighbouring seeds give unlike numbers.
	// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014.
	x := d.seed*0x9e3779b97f4a7c15 ^ h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % uint64(n))
}

func pick[T any](d dice, question string, list []T) T { return list[d.roll(question, len(list))] }

// pickTwo returns two different elements.
func pickTwo[T any](d dice, question string, list []T) (T, T) {
	i := d.roll(question, len(list))
	return list[i], list[(i+1+d.roll(question+"2", len(list)-1))%len(list)]
}

// mod is the remainder that is never negative.
func mod(a, n int) int { return (a%n + n) % n }
