package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/url"
	"slices"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// cursorVersion is the form of a cursor. A cursor of another version is refused,
// and its holder begins again.
const cursorVersion = 1

// maxCursorLength is the limit of the contract.
const maxCursorLength = 8192

// cursor is a position in one list. It holds nothing that its reader does not
// see in the list anyway, so it is opaque by convention and not sealed.
type cursor struct {
	Version  int     `json:"v"`
	Query    string  `json:"q"` // queryHash of the list it belongs to
	Text     string  `json:"t,omitempty"`
	Number   float64 `json:"n,omitempty"`
	Int      int64   `json:"i,omitempty"`
	Resource string  `json:"id,omitempty"`
}

type queryHashKey struct{}

// hashQuery returns what identifies a list: its operation, the ids in its path
// and its filters and order, whatever the order in which they are written.
func hashQuery(operationID string, path map[string]string, query url.Values) string {
	filters := url.Values{}
	for name, values := range query {
		if name == "limit" || name == "cursor" {
			continue
		}
		filters[name] = slices.Sorted(slices.Values(values))
	}
	h := sha256.New()
	write := func(text string) {
		// A hash never fails to write.
		_, _ = io.WriteString(h, text+"\x00")
	}
	write(operationID)
	for _, name := range slices.Sorted(maps.Keys(path)) {
		write(name)
		write(path[name])
	}
	write(filters.Encode())
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

func queryHash(ctx context.Context) string {
	hash, _ := ctx.Value(queryHashKey{}).(string)
	return hash
}

// encodeCursor returns the cursor of a position in the list with that hash.
func encodeCursor(query string, p kgl.Position) (string, error) {
	data, err := json.Marshal(cursor{Version: cursorVersion, Query: query, Text: p.Text, Number: p.Number, Int: p.Int, Resource: p.ID})
	if err != nil {
		return "", kgl.Wrap(err, kgl.CodeInternal, "encode a cursor")
	}
	return base64.RawURLEncoding.EncodeToString(data), nil
}

// decodeCursor returns the position of a cursor. CodeInvalid: it is broken, or
// belongs to another query.
func decodeCursor(query, text string) (kgl.Position, error) {
	broken := kgl.Invalid("cursor", "is not a cursor of this list")
	if len(text) > maxCursorLength {
		return kgl.Position{}, broken
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || checkJSON(data) != nil {
		return kgl.Position{}, broken
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var c cursor
	if err := decoder.Decode(&c); err != nil || c.Version != cursorVersion || c.Query != query {
		return kgl.Position{}, broken
	}
	if c.Resource != "" && !uuidForm.MatchString(c.Resource) {
		return kgl.Position{}, broken
	}
	return kgl.Position{Text: c.Text, Number: c.Number, Int: c.Int, ID: c.Resource}, nil
}

// pageOf returns the page that a list request asks for.
func pageOf(ctx context.Context, limit *int, text *string) (kgl.Page, error) {
	page := kgl.Page{Limit: valueOr(limit, kgl.DefaultPageLimit)}
	if page.Limit < 1 || page.Limit > kgl.MaxPageLimit {
		return kgl.Page{}, kgl.Invalid("limit", "must be between 1 and %d", kgl.MaxPageLimit)
	}
	if text == nil {
		return page, nil
	}
	position, err := decodeCursor(queryHash(ctx), *text)
	if err != nil {
		return kgl.Page{}, err
	}
	page.After = &position
	return page, nil
}

// paginationOf describes a page for the answer.
func paginationOf(ctx context.Context, page kgl.Page, next *kgl.Position) (api.Pagination, error) {
	p := api.Pagination{Limit: page.Limit, NextCursor: nullable.NewNullNullable[string]()}
	if next == nil {
		return p, nil
	}
	text, err := encodeCursor(queryHash(ctx), *next)
	if err != nil {
		return p, err
	}
	p.HasMore = true
	p.NextCursor = nullable.NewNullableWithValue(text)
	return p, nil
}

// valueOr returns what p points at, or fallback.
func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}
