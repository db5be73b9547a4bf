package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// decodeObject reads one JSON object and nothing behind it. Names are compared
// exactly and may not repeat: two readers of the same token must never see
// different values.
func decodeObject(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errors.New("not a JSON object")
		}
		if _, repeated := fields[name]; repeated {
			return nil, errors.New("a name is repeated")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errors.New("not a JSON object")
		}
		fields[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return fields, nil
}

// jsonString reads a JSON text. Unlike encoding/json it does not take null for
// an empty one.
func jsonString(value json.RawMessage) (string, error) {
	var text *string
	if err := json.Unmarshal(value, &text); err != nil || text == nil {
		return "", errors.New("not a JSON text")
	}
	return *text, nil
}

// hasAudience reads an aud claim, a text or a list of texts (RFC 7519 section
// 4.1.3), and reports whether it names want exactly.
func hasAudience(value json.RawMessage, want string) bool {
	if one, err := jsonString(value); err == nil {
		return one == want
	}
	var many []string
	return json.Unmarshal(value, &many) == nil && slices.Contains(many, want)
}

// lastNumericDate is the end of the year 9999.
const lastNumericDate = 253402300799

// numericDate reads a NumericDate (RFC 7519 section 2): seconds since 1970, a
// JSON number that may have a fraction.
func numericDate(value json.RawMessage) (time.Time, error) {
	var number json.Number
	if len(value) == 0 || value[0] == '"' || json.Unmarshal(value, &number) != nil {
		return time.Time{}, errors.New("missing or not a number")
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 || seconds > lastNumericDate {
		return time.Time{}, errors.New("out of range")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC().Truncate(time.Microsecond), nil
}
