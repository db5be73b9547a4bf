package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// The extensions of the contract that stand beside deprecated: true.
const (
	extensionDeprecatedAt = "x-deprecated-at" // day of the announcement, such as 2027-01-15; required
	extensionSunset       = "x-sunset"        // day from which the operation may be gone; required
	extensionSuccessor    = "x-successor"     // path that takes its place; optional
)

// deprecation is what an operation that is on its way out says on each answer.
type deprecation struct {
	deprecation string   // value of Deprecation: @ and Unix seconds (RFC 9745)
	sunset      string   // value of Sunset: an HTTP date (RFC 8594)
	links       []string // values of Link
}

// deprecationOf reads the end of an operation from the contract; nil when it is
// not deprecated. A deprecated operation without both days is an error.
func deprecationOf(op *openapi3.Operation) (*deprecation, error) {
	if !op.Deprecated {
		return nil, nil
	}
	announced, err := extensionDay(op, extensionDeprecatedAt)
	if err != nil {
		return nil, err
	}
	end, err := extensionDay(op, extensionSunset)
	if err != nil {
		return nil, err
	}
	if !end.After(announced) {
		return nil, fmt.Errorf("%s is not after %s", extensionSunset, extensionDeprecatedAt)
	}
	d := &deprecation{deprecation: "@" + strconv.FormatInt(announced.Unix(), 10), sunset: end.Format(http.TimeFormat)}
	if op.ExternalDocs != nil {
		d.links = append(d.links, fmt.Sprintf("<%s>; rel=%q", op.ExternalDocs.URL, "deprecation"))
	}
	if successor, ok := op.Extensions[extensionSuccessor].(string); ok {
		d.links = append(d.links, fmt.Sprintf("<%s>; rel=%q", successor, "successor-version"))
	}
	return d, nil
}

// extensionDay returns the beginning, in UTC, of the day that an extension names.
func extensionDay(op *openapi3.Operation, name string) (time.Time, error) {
	text, _ := op.Extensions[name].(string)
	day, err := time.ParseInLocation(time.DateOnly, text, time.UTC)
	if err != nil {
		return time.Time{}, fmt.Errorf("a deprecated operation needs %s as a day such as 2027-01-15: %w", name, err)
	}
	return day, nil
}

// announceEnd tells the callers of a deprecated operation, refused ones too,
// since when and until when it is.
func (s *server) announceEnd(c echo.Context, op *operation, next echo.HandlerFunc) error {
	if d := op.deprecation; d != nil {
		h := c.Response().Header()
		h.Set("Deprecation", d.deprecation)
		h.Set("Sunset", d.sunset)
		for _, link := range d.links {
			h.Add("Link", link)
		}
	}
	return next(c)
}
