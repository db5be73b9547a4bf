package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Items are what this service is asked for most, and the largest answers that
// it gives. They are written by hand, straight from the domain's type into the
// buffer of the answer: by reflection it took a third of the time of a list. A
// test holds the bytes equal to those of the generated types.

// contentPage answers ListContent.
type contentPage struct {
	items      []kgl.Content
	withBody   bool
	pagination api.Pagination
}

// VisitListContentResponse implements api.ListContentResponseObject.
func (p contentPage) VisitListContentResponse(w http.ResponseWriter) error {
	return writeJSON(w, func(b []byte) []byte {
		b = append(b, `{"data":[`...)
		for i := range p.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendContent(b, &p.items[i], p.withBody)
		}
		b = append(b, `],"pagination":`...)
		b = appendPagination(b, p.pagination)
		return append(b, "}\n"...)
	})
}

// contentItem answers GetContent.
type contentItem struct{ item kgl.Content }

// VisitGetContentResponse implements api.GetContentResponseObject.
func (r contentItem) VisitGetContentResponse(w http.ResponseWriter) error {
	w.Header().Set("ETag", versionTag(r.item.Version))
	return writeJSON(w, func(b []byte) []byte { return append(appendContent(b, &r.item, true), '\n') })
}

// writeJSON answers 200 with what appendBody adds to a buffer: that of the
// recorder, when one stands in place of the writer.
func writeJSON(w http.ResponseWriter, appendBody func([]byte) []byte) error {
	var b []byte
	if response, ok := w.(*echo.Response); ok {
		if r, ok := response.Writer.(*recorder); ok {
			b = r.body.AvailableBuffer()
		}
	}
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(appendBody(b))
	return err
}

// appendContent appends api.Content as JSON; withBody false leaves HTML and text
// out.
func appendContent(b []byte, c *kgl.Content, withBody bool) []byte {
	b = appendList(append(b, `{"authors":`...), c.Authors, appendAuthor)
	b = appendText(append(b, `,"canonical_url":`...), c.CanonicalURL)
	b = appendList(append(b, `,"categories":`...), c.Categories, appendText)
	b = appendTime(append(b, `,"changed_at":`...), c.ChangedAt)
	b = appendTextOrNull(append(b, `,"comments_url":`...), c.Details.CommentsURL)
	if withBody {
		b = appendText(append(b, `,"content_html":`...), c.HTML)
		b = appendText(append(b, `,"content_text":`...), c.Text)
	}
	b = strconv.AppendInt(append(b, `,"duplicate_count":`...), c.Duplicates, 10)
	b = appendTextOrNull(append(b, `,"duplicate_of":`...), c.DuplicateOf)
	b = appendList(append(b, `,"enclosures":`...), c.Enclosures, appendEnclosure)
	b = appendTime(append(b, `,"fetched_at":`...), c.FetchedAt)
	b = appendText(append(b, `,"guid":`...), c.GUID)
	b = appendHeld(append(b, `,"held":`...), c.Details.Held)
	b = appendText(append(b, `,"id":`...), c.ID)
	b = appendTextOrNull(append(b, `,"image_url":`...), c.Details.ImageURL)
	b = appendTextOrNull(append(b, `,"language":`...), c.Language)
	b = appendMedia(append(b, `,"media":`...), c.Details.Media)
	b = appendTimeOrNull(append(b, `,"modified_at":`...), c.Details.ModifiedAt)
	b = appendTime(append(b, `,"published_at":`...), c.PublishedAt)
	b = strconv.AppendBool(append(b, `,"published_at_inferred":`...), c.PublishedInferred)
	b = appendText(append(b, `,"published_at_source":`...), c.PublishedSource())
	b = strconv.AppendBool(append(b, `,"repaired":`...), len(c.Details.Repairs) > 0)
	b = appendList(append(b, `,"repairs":`...), c.Details.Repairs, appendWarning)
	b = strconv.AppendInt(append(b, `,"revision":`...), c.Revision, 10)
	b = appendText(append(b, `,"source_id":`...), c.SourceID)
	b = appendText(append(b, `,"status":`...), string(c.Status))
	b = appendText(append(b, `,"summary":`...), c.Summary)
	b = appendText(append(b, `,"title":`...), c.Title)
	b = appendTime(append(b, `,"updated_at":`...), c.UpdatedAt)
	b = appendText(append(b, `,"url":`...), c.URL)
	b = strconv.AppendInt(append(b, `,"word_count":`...), c.WordCount, 10)
	return append(b, '}')
}

func appendWarning(b []byte, w kgl.Warning) []byte {
	b = appendText(append(b, `{"code":`...), w.Code)
	b = appendText(append(b, `,"message":`...), w.Message)
	return append(b, '}')
}

// appendHeld appends api.HeldEdits; null for nil.
func appendHeld(b []byte, h *kgl.Held) []byte {
	if h == nil {
		return append(b, "null"...)
	}
	b = appendText(append(b, `{"reason":`...), string(h.Reason))
	b = appendTime(append(b, `,"since":`...), h.Since.UTC())
	return append(b, '}')
}

// appendMedia appends api.Media; null for nil.
func appendMedia(b []byte, m *kgl.Media) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = appendTextOrNull(append(b, `{"chapters_url":`...), m.ChaptersURL)
	b = appendIntOrNull(append(b, `,"duration_seconds":`...), m.Duration)
	b = appendIntOrNull(append(b, `,"episode":`...), m.Episode)
	b = appendTextOrNull(append(b, `,"episode_type":`...), m.EpisodeType)
	b = append(b, `,"explicit":`...)
	if m.Explicit == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendBool(b, *m.Explicit)
	}
	b = appendList(append(b, `,"keywords":`...), m.Keywords, appendText)
	b = appendList(append(b, `,"persons":`...), m.Persons, appendPerson)
	b = appendIntOrNull(append(b, `,"season":`...), m.Season)
	b = appendList(append(b, `,"transcripts":`...), m.Transcripts, appendTranscript)
	return append(b, '}')
}

func appendPerson(b []byte, p kgl.Person) []byte {
	b = appendText(append(b, `{"name":`...), p.Name)
	b = appendTextOrNull(append(b, `,"role":`...), p.Role)
	b = appendTextOrNull(append(b, `,"url":`...), p.URL)
	return append(b, '}')
}

func appendTranscript(b []byte, t kgl.Transcript) []byte {
	b = appendTextOrNull(append(b, `{"language":`...), t.Language)
	b = appendTextOrNull(append(b, `,"type":`...), t.Type)
	b = appendText(append(b, `,"url":`...), t.URL)
	return append(b, '}')
}

// appendIntOrNull appends a number that is not known when it is 0.
func appendIntOrNull(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}

func appendTimeOrNull(b []byte, t *time.Time) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return appendTime(b, t.UTC())
}

func appendAuthor(b []byte, a kgl.Author) []byte {
	b = appendText(append(b, `{"name":`...), a.Name)
	b = appendTextOrNull(append(b, `,"url":`...), a.URL)
	return append(b, '}')
}

func appendEnclosure(b []byte, e kgl.Enclosure) []byte {
	b = appendIntOrNull(append(b, `{"length":`...), e.Length)
	b = appendTextOrNull(append(b, `,"type":`...), e.Type)
	b = appendText(append(b, `,"url":`...), e.URL)
	return append(b, '}')
}

func appendPagination(b []byte, p api.Pagination) []byte {
	b = strconv.AppendBool(append(b, `{"has_more":`...), p.HasMore)
	b = strconv.AppendInt(append(b, `,"limit":`...), int64(p.Limit), 10)
	b = appendNullable(append(b, `,"next_cursor":`...), p.NextCursor)
	return append(b, '}')
}

func appendNullable(b []byte, text nullable.Nullable[string]) []byte {
	if !text.IsSpecified() || text.IsNull() {
		return append(b, "null"...)
	}
	return appendText(b, text.MustGet())
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, v)
	}
	return append(b, ']')
}
