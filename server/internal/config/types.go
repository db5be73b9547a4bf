package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// Secret is a text that no log line and no error shows.
type Secret struct{ text string }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != "" }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error {
	s.text = string(text)
	return nil
}

// String says only whether the secret is set.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer, so that %#v leaks nothing either.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// MarshalText implements encoding.TextMarshaler, and so covers JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// list splits a text at commas and trims the parts.
func list(text []byte) []string {
	var parts []string
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// choice checks that a text is one of a few.
func choice[T ~string](text []byte, choices ...T) (T, error) {
	value := T(strings.ToLower(strings.TrimSpace(string(text))))
	if !slices.Contains(choices, value) {
		words := make([]string, len(choices))
		for i, c := range choices {
			words[i] = string(c)
		}
		return "", fmt.Errorf("must be one of %s", strings.Join(words, ", "))
	}
	return value, nil
}

// Networks are address ranges in CIDR form, or single addresses.
type Networks []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for _, part := range list(text) {
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			addr, alone := netip.ParseAddr(part)
			if alone != nil {
				return fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", part)
			}
			prefix = netip.PrefixFrom(addr.WithZone(""), addr.BitLen())
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("%q has bits behind its mask, did you mean %s?", part, prefix.Masked())
		}
		*n = append(*n, prefix)
	}
	return nil
}

// String returns the form in which it is written.
func (n Networks) String() string { return join(n, netip.Prefix.String) }

// Ports are TCP ports.
type Ports []uint16

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Ports) UnmarshalText(text []byte) error {
	*p = nil
	for _, part := range list(text) {
		port, err := strconv.ParseUint(part, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("%q is not a port, a number from 1 to 65535", part)
		}
		*p = append(*p, uint16(port))
	}
	return nil
}

// String returns the form in which it is written.
func (p Ports) String() string {
	return join(p, func(port uint16) string { return strconv.Itoa(int(port)) })
}

// Origins are web origins as browsers send them (RFC 6454), such as
// http://localhost:3000.
type Origins []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Origins) UnmarshalText(text []byte) error {
	*o = nil
	for _, part := range list(text) {
		if part == "*" {
			return errors.New("* would let every web page use the API: name the origins")
		}
		u, err := httpURL(part)
		if err != nil || u.Path != "" || u.RawQuery != "" {
			return fmt.Errorf("%q is not an origin such as http://localhost:3000, without a path", part)
		}
		*o = append(*o, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return nil
}

// String returns the form in which it is written.
func (o Origins) String() string { return strings.Join(o, ",") }

// BaseURL is an http or https URL without query and without a slash at its end.
type BaseURL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *BaseURL) UnmarshalText(text []byte) error {
	u, err := httpURL(strings.TrimSpace(string(text)))
	if err != nil || u.RawQuery != "" {
		return errors.New("must be a URL such as https://kgl.example.org, without user, query and fragment")
	}
	*b = BaseURL(strings.TrimRight(u.String(), "/"))
	return nil
}

func httpURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("not a plain http or https URL")
	}
	return u, nil
}

// Size is a number of bytes, written as 1048576, 512KiB, 1MiB or 1GiB.
type Size int64

// sizeUnits are the units of a Size, in bytes.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > (1<<40)/unit {
		return errors.New("must be a size such as 1048576, 512KiB or 10MiB")
	}
	*s = Size(n * unit)
	return nil
}

// String returns the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Role is a part of the server that a process runs.
type Role string

// The roles.
const (
	RoleAPI     Role = "api"
	RoleIngest  Role = "ingest"
	RoleEnrich  Role = "enrich"
	RoleDeliver Role = "deliver"
)

// Roles are the parts of the server that this process runs.
type Roles []Role

// ParseRoles reads roles separated by commas.
func ParseRoles(text string) (Roles, error) {
	var roles Roles
	for _, part := range list([]byte(text)) {
		role, err := choice([]byte(part), RoleAPI, RoleIngest, RoleEnrich, RoleDeliver)
		if err != nil {
			return nil, fmt.Errorf("%q: each role %w", part, err)
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return nil, errors.New("names no role")
	}
	return roles, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Roles) UnmarshalText(text []byte) error {
	roles, err := ParseRoles(string(text))
	if err == nil {
		*r = roles
	}
	return err
}

// Has reports whether the process runs a role.
func (r Roles) Has(role Role) bool { return slices.Contains(r, role) }

// String returns the form in which it is written.
func (r Roles) String() string { return join(r, func(role Role) string { return string(role) }) }

func join[T any](values []T, text func(T) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = text(v)
	}
	return strings.Join(parts, ",")
}

// Auto is yes, no, or what suits the rest of the configuration.
type Auto string

// The values of Auto.
const (
	Automatic Auto = "auto"
	Yes       Auto = "true"
	No        Auto = "false"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Auto) UnmarshalText(text []byte) (err error) {
	switch strings.ToLower(string(text)) {
	case "yes", "on", "1":
		*a = Yes
	case "no", "off", "0":
		*a = No
	default:
		*a, err = choice(text, Automatic, Yes, No)
	}
	return err
}

// LogFormat is the form of the log.
type LogFormat string

// The forms.
const (
	LogAuto LogFormat = "auto" // text on a terminal, else JSON
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *LogFormat) UnmarshalText(text []byte) (err error) {
	*f, err = choice(text, LogAuto, LogJSON, LogText)
	return err
}

// Level is the least severe level that is logged.
type Level struct{ slog.Level }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	if err := l.Level.UnmarshalText([]byte(strings.TrimSpace(string(text)))); err != nil {
		return errors.New("must be one of debug, info, warn, error")
	}
	return nil
}

// String returns the form in which it is written.
func (l Level) String() string { return strings.ToLower(l.Level.String()) }
