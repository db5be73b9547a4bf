package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// versionTag returns the strong ETag of a resource's version. Reads add a digest
// behind a dot, because counters and times change without a new version.
func versionTag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// conditional answers reads with an ETag, and with 304 when If-None-Match names
// it (RFC 9110 section 13.1.2). A handler that sets no ETag gets a weak one of
// the whole answer.
func (s *server) conditional(c echo.Context, op *operation, next echo.HandlerFunc) error {
	if !op.conditional {
		return next(c)
	}
	answer := s.recorders.get()
	if err := answer.record(c, next); err != nil {
		return err
	}
	defer s.recorders.put(answer)
	if answer.status != http.StatusOK {
		return answer.send(c)
	}
	tag := readTag(answer)
	answer.header.Set("ETag", tag)
	cache := "private, no-cache"
	if op.open {
		cache = "no-cache"
	}
	answer.header.Set("Cache-Control", cache)
	if !matchesAny(strings.Join(c.Request().Header.Values(headerIfNoneMatch), ","), tag) {
		return answer.send(c)
	}
	h := c.Response().Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", cache)
	return c.NoContent(http.StatusNotModified)
}

// readTag returns the validator of a whole answer: that of the handler for fixed
// bytes, version and digest for a resource, a weak digest for a list.
func readTag(answer *recorder) string {
	tag := answer.header.Get("ETag")
	if tag != "" && !strings.HasPrefix(tag, `"v`) {
		return tag
	}
	sum := sha256.Sum256(answer.body.Bytes())
	digest := base64.RawURLEncoding.EncodeToString(sum[:9])
	if tag == "" {
		return `W/"` + digest + `"`
	}
	return strings.TrimSuffix(tag, `"`) + "." + digest + `"`
}

// matchesAny compares an If-None-Match header with a tag, weakly.
func matchesAny(header, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, candidate := range entityTags(header) {
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// entityTags splits a list of entity tags (RFC 9110 section 8.8.3). Tags may
// hold commas, so it does not split inside quotes.
func entityTags(header string) []string {
	var tags []string
	for rest := strings.TrimLeft(header, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		start := strings.IndexByte(rest, '"')
		comma := strings.IndexByte(rest, ',')
		if start < 0 || (comma >= 0 && comma < start) {
			tag, tail, _ := strings.Cut(rest, ",")
			tags, rest = append(tags, strings.TrimSpace(tag)), tail
			continue
		}
		end := strings.IndexByte(rest[start+1:], '"')
		if end < 0 {
			break
		}
		end += start + 2
		tags, rest = append(tags, rest[:end]), rest[end:]
	}
	return tags
}

// expectedVersion returns the version that an If-Match header demands; nil when
// any will do. A tag that never was one of ours matches nothing:
// CodePreconditionFailed.
func expectedVersion(header *string) (*int64, error) {
	if header == nil {
		return nil, nil
	}
	tags := entityTags(*header)
	if len(tags) != 1 {
		return nil, kgl.Invalid("If-Match", "must hold one entity tag")
	}
	if tags[0] == "*" {
		return nil, nil
	}
	text, ok := strings.CutPrefix(strings.TrimSuffix(tags[0], `"`), `"v`)
	text, _, _ = strings.Cut(text, ".")
	version, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || version < 1 {
		return nil, kgl.Errorf(kgl.CodePreconditionFailed, "The resource has changed since it was read.")
	}
	return &version, nil
}
