package telemetry

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// redacted stands for what is not shown.
const redacted = "[redacted]"

// secretKeys are the names of attributes whose values are never logged.
var secretKeys = map[string]bool{
	"password": true, "passwd": true, "secret": true, "token": true, "authorization": true, "cookie": true,
	"set-cookie": true, "credentials": true, "api_key": true, "apikey": true, "master_key": true,
	"private_key": true, "jwt": true, "bearer": true,
}

// secretSuffixes end the names of further such attributes, as in refresh_token.
var secretSuffixes = []string{"_password", "_secret", "_token", "-token", "-key", "password_hash", "_authorization"}

func secretKey(key string) bool {
	key = strings.ToLower(key)
	if secretKeys[key] {
		return true
	}
	for _, suffix := range secretSuffixes {
		if strings.HasSuffix(key, suffix) {
			return true
		}
	}
	return false
}

// redactAttr returns the attribute without secrets. It is the last line of
// defence: code must not log secrets in the first place.
func redactAttr(a slog.Attr) slog.Attr {
	if secretKey(a.Key) {
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			return slog.String(a.Key, redact(v.Error()))
		case fmt.Stringer: // such as *url.URL
			return slog.String(a.Key, redact(v.String()))
		}
	}
	return a
}

// What secrets look like inside a text: the password of a URL, a JSON web
// token, the scheme of an Authorization header, and parameters of a query.
var (
	urlPassword = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
	webToken    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?`)
	authScheme  = regexp.MustCompile(`(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{8,}`)
	querySecret = regexp.MustCompile(`(?i)([?&](?:access_token|refresh_token|token|api_?key|key|auth|password|secret|sig|signature)=)[^&\s"']+`)
)

// redact returns a text without what looks like a secret. The cheap tests keep
// the expressions away from nearly all texts.
func redact(text string) string {
	if strings.Contains(text, "://") {
		text = urlPassword.ReplaceAllString(text, "${1}"+redacted+"@")
	}
	if strings.Contains(text, "eyJ") {
		text = webToken.ReplaceAllString(text, redacted)
	}
	if strings.ContainsAny(text, "?&") {
		text = querySecret.ReplaceAllString(text, "${1}"+redacted)
	}
	if strings.ContainsAny(text, " ") && strings.ContainsAny(text, "bB") {
		text = authScheme.ReplaceAllString(text, "${1} "+redacted)
	}
	return text
}
