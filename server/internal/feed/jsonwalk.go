package feed

import (
	"bytes"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON that is known to be valid is walked over here without being checked
// again for every value, as encoding/json does.

var errNotJSON = errors.New("not the JSON that was expected")

// jsonMembers calls visit for the members of an object, in their order. The
// error is that of visit, or errNotJSON when src is no object.
func jsonMembers(src []byte, visit func(key string, value []byte) error) error {
	i := jsonBlank(src, 0)
	if i >= len(src) || src[i] != '{' {
		return errNotJSON
	}
	for i = jsonBlank(src, i+1); i < len(src) && src[i] == '"'; {
		end := jsonStringEnd(src, i)
		key := jsonUnquote(src[i:end])
		if i = jsonBlank(src, end); i >= len(src) || src[i] != ':' {
			return errNotJSON
		}
		i = jsonBlank(src, i+1)
		end = jsonEnd(src, i)
		if err := visit(key, src[i:end]); err != nil {
			return err
		}
		if i = jsonBlank(src, end); i < len(src) && src[i] == ',' {
			i = jsonBlank(src, i+1)
		}
	}
	if i >= len(src) || src[i] != '}' {
		return errNotJSON
	}
	return nil
}

// jsonElements calls visit for the elements of a list, in their order. The
// error is that of visit, or errNotJSON when src is no list.
func jsonElements(src []byte, visit func(value []byte) error) error {
	i := jsonBlank(src, 0)
	if i >= len(src) || src[i] != '[' {
		return errNotJSON
	}
	for i = jsonBlank(src, i+1); i < len(src) && src[i] != ']'; {
		end := jsonEnd(src, i)
		if end == i {
			return errNotJSON
		}
		if err := visit(src[i:end]); err != nil {
			return err
		}
		if i = jsonBlank(src, end); i < len(src) && src[i] == ',' {
			i = jsonBlank(src, i+1)
		}
	}
	if i >= len(src) {
		return errNotJSON
	}
	return nil
}

func jsonBlank(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\n' || src[i] == '\r') {
		i++
	}
	return i
}

// jsonEnd returns where the value ends that begins at i.
func jsonEnd(src []byte, i int) int {
	depth := 0
	for i < len(src) {
		switch src[i] {
		case '"':
			i = jsonStringEnd(src, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(src)
}

// jsonStringEnd returns where the string ends that begins at i, behind its
// quotation mark.
func jsonStringEnd(src []byte, i int) int {
	from := i + 1
	for i = from; i < len(src); i++ {
		n := bytes.IndexByte(src[i:], '"')
		if n < 0 {
			break
		}
		i += n
		escapes := i
		for escapes > from && src[escapes-1] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			return i + 1
		}
	}
	return len(src)
}

// jsonUnquote returns the text of a string with its quotation marks.
func jsonUnquote(src []byte) string {
	if len(src) < 2 {
		return ""
	}
	src = src[1 : len(src)-1]
	i := bytes.IndexByte(src, '\\')
	if i < 0 {
		return string(src)
	}
	out := make([]byte, 0, len(src))
	for i >= 0 && i+1 < len(src) {
		out = append(out, src[:i]...)
		c := src[i+1]
		src = src[i+2:]
		switch c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n := jsonRune(src)
			out = utf8.AppendRune(out, r)
			src = src[n:]
		default: // a quotation mark or a slash
			out = append(out, c)
		}
		i = bytes.IndexByte(src, '\\')
	}
	return string(append(out, src...))
}

// jsonRune reads the digits of \u, and the second half of a pair behind them.
func jsonRune(src []byte) (r rune, n int) {
	first := hexRune(src)
	if !utf16.IsSurrogate(first) {
		return first, min(4, len(src))
	}
	if len(src) >= 10 && src[4] == '\\' && src[5] == 'u' {
		if r := utf16.DecodeRune(first, hexRune(src[6:])); r != utf8.RuneError {
			return r, 10
		}
	}
	return utf8.RuneError, min(4, len(src))
}

func hexRune(src []byte) rune {
	if len(src) < 4 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range src[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case isHex(c):
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}
