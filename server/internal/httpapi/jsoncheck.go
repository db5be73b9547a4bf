package httpapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// maxJSONDepth is how deep objects and arrays of a body may nest. The contract
// needs four; attributes of entities may hold more.
const maxJSONDepth = 32

// checkJSON refuses bodies that two readers could understand differently, or
// that cannot be stored: anything that is not exactly one JSON value (RFC 8259)
// in valid UTF-8, member names that repeat, NUL characters, halves of surrogate
// pairs, nesting beyond maxJSONDepth.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return kgl.Errorf(kgl.CodeInvalid, "The body is not valid UTF-8.")
	}
	if jsonDepth(data) > maxJSONDepth {
		return kgl.Errorf(kgl.CodeInvalid, "The body is nested more than %d levels deep.", maxJSONDepth)
	}
	if !json.Valid(data) {
		return kgl.Errorf(kgl.CodeInvalid, "The body is not one valid JSON value.")
	}
	if err := checkEscapes(data); err != nil {
		return err
	}
	return checkMemberNames(data)
}

// jsonDepth returns the greatest number of open brackets outside of strings.
func jsonDepth(data []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}

// checkEscapes looks at the \u escapes of a valid JSON text.
func checkEscapes(data []byte) error {
	for i := 0; ; i++ {
		next := bytes.IndexByte(data[i:], '\\')
		if next < 0 {
			return nil
		}
		if i += next + 1; data[i] != 'u' {
			continue
		}
		r := escaped(data[i+1:])
		i += 4
		switch {
		case r == 0:
			return kgl.Errorf(kgl.CodeInvalid, "The body holds a NUL character.")
		case r >= 0xdc00 && r <= 0xdfff:
			return kgl.Errorf(kgl.CodeInvalid, "The body holds half of a surrogate pair.")
		case r >= 0xd800 && r <= 0xdbff:
			if !bytes.HasPrefix(data[i+1:], []byte(`\u`)) {
				return kgl.Errorf(kgl.CodeInvalid, "The body holds half of a surrogate pair.")
			}
			if low := escaped(data[i+3:]); low < 0xdc00 || low > 0xdfff {
				return kgl.Errorf(kgl.CodeInvalid, "The body holds half of a surrogate pair.")
			}
			i += 6
		}
	}
}

// escaped returns the code unit that four hexadecimal digits spell.
func escaped(digits []byte) uint64 {
	r, err := strconv.ParseUint(string(digits[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return r
}

// checkMemberNames refuses a valid JSON text in which an object has two members
// of the same name.
func checkMemberNames(data []byte) error {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token of an object is a value
	}
	var open []*level
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil // the end: the text is valid
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			if top := open[len(open)-1]; top.names != nil {
				if name, ok := token.(string); ok && !top.value {
					if top.names[name] {
						return kgl.Errorf(kgl.CodeInvalid, "The body repeats a member name in one object.")
					}
					top.names[name], top.value = true, true
					continue
				}
				top.value = false
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &level{})
		}
	}
}
