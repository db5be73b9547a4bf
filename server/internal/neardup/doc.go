// Package neardup tells whether two texts are the same article: a copy with
// another frame, a shortened one, an edited one. It is pure: text in, keys and
// verdicts out; it knows no store and no network.
//
// It works in two steps. [Text.Keys] gives a few keys of a text, of which two
// copies of an article share at least one with high probability: an index over
// them finds the candidates. [Compare] then decides over the two texts word by
// word, because a resemblance alone cannot tell an edited article from two
// announcements that were made from one template with other names and numbers.
//
// evaluate_test.go measures both steps and the choices behind them.
package neardup
