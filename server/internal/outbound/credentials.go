package outbound

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Bounds of what one source may ask to be sent along.
const (
	MaxCredentialHeaders = 20
	MaxCredentialBytes   = 8 << 10 // names and values together
)

// Credentials are what one server alone should see: headers that were
// configured for a source, and a user name with its password. They go to the
// origin of the first URL. A redirect takes them along within that origin and
// from http to https on the same host (both on their default ports), and
// drops them for the rest of the request everywhere else.
//
// Its text forms name the headers and never show a value.
type Credentials struct {
	Header http.Header // they win over those of the request
	// User and Password are sent as basic authentication (RFC 7617); both
	// empty means none.
	User     string
	Password string
}

// Check reports whether the credentials can be sent. Errors are CodeInvalid
// about headerField or userField, which are the names that the caller's users
// know; they never repeat a value.
func (cr Credentials) Check(headerField, userField string) error {
	size, count := 0, 0
	for _, name := range slices.Sorted(maps.Keys(cr.Header)) {
		if err := checkCredentialName(headerField, name); err != nil {
			return err
		}
		values := cr.Header[name]
		count += len(values)
		for _, v := range values {
			size += len(name) + len(v)
			if strings.TrimSpace(v) == "" || !httpguts.ValidHeaderFieldValue(v) {
				return kgl.Invalid(headerField, "the value of %q must be one line of text", name)
			}
		}
	}
	switch {
	case count > MaxCredentialHeaders:
		return kgl.Invalid(headerField, "must not be more than %d", MaxCredentialHeaders)
	case size > MaxCredentialBytes:
		return kgl.Invalid(headerField, "must not be longer than %d bytes in all", MaxCredentialBytes)
	}
	return cr.checkUser(headerField, userField)
}

// checkCredentialName refuses names that are no header, or not the source's to
// set.
func checkCredentialName(field, name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return kgl.Invalid(field, "%.64q is not the name of a header", name)
	}
	if canonical := http.CanonicalHeaderKey(name); reservedHeader(canonical) || reservedForSources(canonical) {
		return kgl.Invalid(field, "%.64q cannot be set", name)
	}
	return nil
}

func (cr Credentials) checkUser(headerField, userField string) error {
	if cr.User == "" && cr.Password == "" {
		return nil
	}
	for name := range cr.Header {
		if http.CanonicalHeaderKey(name) == "Authorization" {
			return kgl.Invalid(headerField, "must not hold Authorization beside a user name")
		}
	}
	switch {
	case strings.Contains(cr.User, ":"): // RFC 7617 section 2: it ends the name
		return kgl.Invalid(userField, "the user name must not contain a colon")
	case strings.ContainsFunc(cr.User+cr.Password, isControl):
		return kgl.Invalid(userField, "must not contain control characters")
	case len(cr.User)+len(cr.Password) > MaxCredentialBytes:
		return kgl.Invalid(userField, "must not be longer than %d bytes in all", MaxCredentialBytes)
	}
	return nil
}

// reservedForSources reports whether a header is the server's own word: what
// it is, what it has already, what it wants changed, or whom it speaks for.
// The names that metadata services insist on are among them, so that no
// source can be made to speak to one.
func reservedForSources(name string) bool {
	switch name {
	case "Content-Encoding", "Content-Type", "Date", "Expect", "Forwarded", "From", "Http2-Settings", "Metadata", "Origin",
		"True-Client-Ip", "User-Agent", "Via", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Url",
		"X-Real-Ip", "X-Rewrite-Url":
		return true
	}
	return slices.ContainsFunc([]string{
		"Access-Control-", "Cf-Connecting-", "If-", "Metadata-", "Sec-", "X-Aws-Ec2-Metadata-", "X-Forwarded-",
		"X-Google-Metadata-", "X-Http-Method", "X-Method-Override",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// empty reports whether there is nothing to send.
func (cr Credentials) empty() bool {
	return len(cr.Header) == 0 && cr.User == "" && cr.Password == ""
}

// apply returns header with the credentials in it; header stays as it is.
func (cr Credentials) apply(header http.Header) http.Header {
	if cr.empty() {
		return header
	}
	out := header.Clone()
	for name, values := range cr.Header {
		out[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if cr.User != "" || cr.Password != "" {
		pair := base64.StdEncoding.EncodeToString([]byte(cr.User + ":" + cr.Password))
		out.Set("Authorization", "Basic "+pair)
	}
	return out
}

// keepCredentials reports whether what the origin from may see is also for the
// origin to: itself, or the same host once it turned to https.
func keepCredentials(from, to origin) bool {
	return to == from ||
		to.host == from.host && from.scheme == "http" && from.port == 80 && to.scheme == "https" && to.port == 443
}

// String names what is there.
func (cr Credentials) String() string {
	names := slices.Sorted(maps.Keys(cr.Header))
	if cr.User != "" || cr.Password != "" {
		names = append(names, "basic authentication")
	}
	return fmt.Sprintf("credentials%q", names)
}

// GoString implements fmt.GoStringer, so that %#v shows no value either.
func (cr Credentials) GoString() string { return cr.String() }

// LogValue implements slog.LogValuer.
func (cr Credentials) LogValue() slog.Value { return slog.StringValue(cr.String()) }

// MarshalJSON keeps the values out of logs that encode what they are given.
func (cr Credentials) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", "credentials"), nil
}
