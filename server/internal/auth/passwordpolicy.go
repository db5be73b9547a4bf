package auth

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"golang.org/x/text/unicode/norm"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The length of a password in characters, after normalisation. Ten and the
// check against guessing are above the eight that ASVS 5.0 (6.2.1) demands;
// the upper bound is far above the 64 that must be accepted, and no password is
// ever cut.
const (
	MinPasswordLength = 10
	MaxPasswordLength = 256
)

const (
	// maxPasswordBytes refuses absurd input before any work is done on it.
	maxPasswordBytes = 4096
	// minGuesses is where zxcvbn's score 2 begins: a password below it falls
	// to an online attack in spite of throttling.
	minGuesses = 1e6
	// estimatedLength bounds the estimate, whose cost grows with the square of
	// the length. A long password is judged by its beginning.
	estimatedLength = 64
)

// CheckPassword tells whether password may be the new password of the account
// with this email and name: long enough, not a common one or a slight variation
// of one, not the account's own words. There are no rules of composition (NIST
// SP 800-63B section 3.1.1.2). A CodeInvalid error names field and says what is
// wrong; it never repeats the password.
func CheckPassword(field, password, email, name string) error {
	if len(password) > maxPasswordBytes {
		return kgl.Invalid(field, "must have at most %d characters", MaxPasswordLength)
	}
	if !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl) {
		return kgl.Invalid(field, "must not contain control characters or invalid UTF-8")
	}
	normal := norm.NFC.String(password)
	if n := utf8.RuneCountInString(normal); n < MinPasswordLength || n > MaxPasswordLength {
		return kgl.Invalid(field, "must have %d to %d characters", MinPasswordLength, MaxPasswordLength)
	}
	if own := kgl.NormalizeEmail(email); own != "" && strings.Contains(strings.ToLower(normal), own) {
		return kgl.Invalid(field, "must not contain the email address")
	}
	if guesses(normal, email, name) < minGuesses {
		return kgl.Invalid(field, "is too easy to guess: it is, or is close to, a common password")
	}
	return nil
}

// guesses estimates how many tries an attacker needs (zxcvbn 4.4.2, whose word
// lists hold the 30,000 most common passwords).
func guesses(password, email, name string) float64 {
	mailbox, _, _ := strings.Cut(kgl.NormalizeEmail(email), "@")
	own := []string{"kgl", "knowledge", "graph", "peermesh", mailbox}
	own = append(own, strings.FieldsFunc(kgl.NormalizeEmail(email), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})...)
	own = append(own, strings.Fields(strings.ToLower(name))...)
	if len(own) > 32 {
		own = own[:32]
	}
	for i, word := range own {
		own[i] = latinForm(word)
	}
	return zxcvbn.PasswordStrength(latinForm(password), own).Guesses
}

// latinForm returns the beginning of a text in ASCII, for the estimate only:
// the word lists are ASCII, and the estimator counts repeated characters of
// several bytes as nothing (RepeatCount of its repeat matcher). Compatibility
// forms and letters with accents become the plain ones. Other characters become
// letters that keep their order, so that repetitions and alphabets still show.
func latinForm(text string) string {
	form := make([]byte, 0, estimatedLength)
	latin := false // the last base character is ASCII
	for _, r := range norm.NFKD.String(text) {
		if len(form) == estimatedLength {
			break
		}
		if latin && unicode.Is(unicode.Mn, r) {
			continue // an accent
		}
		if latin = r < utf8.RuneSelf; latin {
			form = append(form, byte(r))
		} else {
			form = append(form, 'a'+byte(r%26))
		}
	}
	return string(form)
}

// passwordAlphabet leaves out what is confused when read aloud or copied: 0 O
// o, 1 l I. Its 32 characters carry five bits each without bias.
const passwordAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// GeneratePassword returns a random password of 120 bits in six groups of four
// characters, such as the first admin gets.
func GeneratePassword(random io.Reader) (string, error) {
	raw := make([]byte, 24)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(passwordAlphabet[c&31])
	}
	return b.String(), nil
}
