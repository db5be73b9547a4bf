package httpapi

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// negotiate checks that the caller accepts what the operation answers and sends
// what it takes, and bounds the body before anyone reads it.
func (s *server) negotiate(c echo.Context, op *operation, next echo.HandlerFunc) error {
	req := c.Request()
	if !accepts(req.Header.Values("Accept"), op.produces) {
		return kgl.Errorf(kgl.CodeNotAcceptable, "This resource is available as %s.", strings.Join(op.produces, ", "))
	}
	if op.consumes == "" {
		return next(c)
	}
	limit := max(s.cfg.MaxBodyBytes, op.maxBody)
	if req.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	req.Body = http.MaxBytesReader(c.Response(), req.Body, limit)
	if hasBody(req) {
		if op.raw() {
			asXML(req.Header)
		}
		if err := checkContentType(req.Header, op.consumes); err != nil {
			return err
		}
	}
	return next(c)
}

// hasBody reports whether the request announces a body. An unknown length
// counts as one.
func hasBody(req *http.Request) bool {
	return req.ContentLength != 0 || len(req.TransferEncoding) > 0
}

// asXML gives the other names of XML the one of the contract. The charset goes:
// the document knows better.
func asXML(h http.Header) {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	switch mediaType {
	case echo.MIMEApplicationXML, echo.MIMETextXML, "text/x-opml", "application/x-opml", "text/x-opml+xml", "application/x-opml+xml":
		if err == nil {
			h.Set("Content-Type", echo.MIMEApplicationXML)
		}
	}
}

func checkContentType(h http.Header, want string) error {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || mediaType != want || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return kgl.Errorf(kgl.CodeUnsupportedMediaType, "Send %s in UTF-8.", want)
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return kgl.Errorf(kgl.CodeUnsupportedMediaType, "Send the body without a content encoding.")
	}
	return nil
}

// accepts reports whether Accept headers (RFC 9110 section 12.5.1) allow one of
// the offered media types. The most specific range decides about a type; no
// header allows all.
func accepts(headers, offered []string) bool {
	ranges := strings.Split(strings.Join(headers, ","), ",")
	if strings.TrimSpace(strings.Join(ranges, "")) == "" {
		return true
	}
	for _, offer := range offered {
		if quality(ranges, offer) > 0 {
			return true
		}
	}
	return false
}

// quality returns the weight that the most specific matching range gives to a
// media type; 0 when none matches. A range that cannot be read is left out.
func quality(ranges []string, offer string) float64 {
	weight, specificity := 0.0, 0
	major, _, _ := strings.Cut(offer, "/")
	for _, r := range ranges {
		mediaType, params, err := mime.ParseMediaType(r)
		if err != nil {
			continue
		}
		rank := 0
		switch mediaType {
		case offer:
			rank = 3
		case major + "/*":
			rank = 2
		case "*/*":
			rank = 1
		}
		if rank <= specificity {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				q = 0
			}
		}
		weight, specificity = q, rank
	}
	return weight
}
