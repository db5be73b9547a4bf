package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// content is an item as the API shows it.
type content struct {
	ID           string          `json:"id"`
	SourceID     string          `json:"source_id"`
	GUID         string          `json:"guid"`
	URL          string          `json:"url"`
	CanonicalURL string          `json:"canonical_url"`
	Title        string          `json:"title"`
	Summary      string          `json:"summary"`
	HTML         string          `json:"content_html,omitempty"`
	Text         string          `json:"content_text,omitempty"`
	Authors      json.RawMessage `json:"authors"`
	Categories   json.RawMessage `json:"categories"`
	Enclosures   json.RawMessage `json:"enclosures"`
	Language     string          `json:"language"`
	PublishedAt  time.Time       `json:"published_at"`
	Inferred     bool            `json:"published_at_inferred"`
	FetchedAt    time.Time       `json:"fetched_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	Status       string          `json:"status"`
	Revision     int64           `json:"revision"`
	DuplicateOf  *string         `json:"duplicate_of"`
	WordCount    int64           `json:"word_count"`
}

type contentList struct {
	Data       []content  `json:"data"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Limit      int    `json:"limit"`
	HasMore    bool   `json:"has_more"`
	NextCursor string `json:"next_cursor"`
}

// scan reads one row of the statements in sql/, which select what the answer
// shows and nothing else.
func scan(row func(dest ...any) error, withBody bool) (content, error) {
	var c content
	var authors, categories, enclosures string
	var fetched, updated, published int64
	fields := []any{&c.ID, &c.SourceID, &c.GUID, &c.URL, &c.CanonicalURL, &c.Title, &c.Summary, &authors, &categories, &enclosures, &c.Language,
		&published, &c.Inferred, &fetched, &updated, &c.Status, &c.Revision, &c.DuplicateOf, &c.WordCount}
	if withBody {
		fields = append(fields, &c.HTML, &c.Text)
	}
	err := row(fields...)
	c.FetchedAt, c.UpdatedAt, c.PublishedAt = time.UnixMicro(fetched).UTC(), time.UnixMicro(updated).UTC(), time.UnixMicro(published).UTC()
	c.Authors, c.Categories, c.Enclosures = json.RawMessage(authors), json.RawMessage(categories), json.RawMessage(enclosures)
	return c, err
}

// reader runs the statements.
type reader interface {
	list(ctx context.Context, summary bool, until int64) ([]content, error)
	get(ctx context.Context, id string) (content, error)
}

// limit is the only size of a page: the statements hold it, with one row more, as
// a number, because Postgres would plan each page anew for a parameter.
const limit = 20

func listContent(r reader) echo.HandlerFunc {
	return func(c echo.Context) error {
		if n, err := strconv.Atoi(c.QueryParam("limit")); err != nil || n != limit {
			return echo.NewHTTPError(http.StatusBadRequest)
		}
		until, err := time.Parse(time.RFC3339, c.QueryParam("until"))
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest)
		}
		rows, err := r.list(c.Request().Context(), c.QueryParam("view") == "summary", until.UnixMicro())
		if err != nil {
			return err
		}
		list := contentList{Data: rows, Pagination: pagination{Limit: limit, HasMore: len(rows) > limit}}
		if list.Pagination.HasMore {
			list.Data = rows[:limit]
			list.Pagination.NextCursor = list.Data[limit-1].ID
		}
		return c.JSON(http.StatusOK, list)
	}
}

func getContent(r reader) echo.HandlerFunc {
	return func(c echo.Context) error {
		item, err := r.get(c.Request().Context(), c.Param("id"))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, item)
	}
}
