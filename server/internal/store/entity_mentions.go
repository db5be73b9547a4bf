package store

import (
	"context"
	"math"

	"github.com/peermesh/kgl-backend/gen/sqlitedb"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// EntityMentions implements kgl.EntityStore.
func (db *DB) EntityMentions(ctx context.Context, entityID string, minConfidence float64, p kgl.Page) (kgl.List[kgl.EntityMention], error) {
	p.Limit = pageLimit(p)
	arg := sqlitedb.MentionsOfEntityParams{
		EntityID: entityID, MinConfidence: minConfidence, AfterAt: math.MaxInt64, RowLimit: int64(p.Limit) + 1,
	}
	if p.After != nil {
		arg.AfterAt, arg.AfterContent, arg.AfterID = p.After.Int, p.After.Text, p.After.ID
	}
	var out []kgl.EntityMention
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.MentionsOfEntity(ctx, arg)
		if err != nil {
			return err
		}
		out = make([]kgl.EntityMention, len(rows))
		for i, row := range rows {
			out[i] = entityMention(row)
		}
		return nil
	})
	if err != nil {
		return kgl.List[kgl.EntityMention]{}, err
	}
	return pageOf(out, p, func(m kgl.EntityMention) kgl.Position {
		return kgl.Position{Int: micros(m.Mention.PublishedAt), Text: m.Content.ID, ID: m.Mention.ID}
	}), nil
}

func entityMention(row sqlitedb.MentionsOfEntityRow) kgl.EntityMention {
	return kgl.EntityMention{
		Content: kgl.ContentBrief{
			ID: row.ContentID, SourceID: row.SourceID, Title: row.Title, URL: row.URL, Language: row.Language,
			PublishedAt: timeOf(row.ContentPublishedAt),
		},
		Mention: kgl.Mention{
			ID: row.ID, ContentID: row.ContentID, Revision: row.Revision, EntityID: row.EntityID,
			Start: row.StartOffset, End: row.EndOffset, Quote: row.Quote, Confidence: row.Confidence,
			Extractor: row.Extractor, CreatedAt: timeOf(row.CreatedAt),
			Type: row.Type, Salience: row.Salience, RunID: row.RunID, PublishedAt: timeOf(row.PublishedAt),
		},
	}
}

// EntityContents implements kgl.EntityStore.
func (db *DB) EntityContents(ctx context.Context, entityID string, p kgl.Page) (kgl.List[kgl.EntityContent], error) {
	p.Limit = pageLimit(p)
	arg := sqlitedb.ContentsOfEntityParams{EntityID: entityID, AfterAt: math.MaxInt64, RowLimit: int64(p.Limit) + 1}
	if p.After != nil {
		arg.AfterAt, arg.AfterContent = p.After.Int, p.After.ID
	}
	var out []kgl.EntityContent
	var at []int64
	err := db.read(ctx, func(c *conn) error {
		rows, err := c.ContentsOfEntity(ctx, arg)
		if err != nil {
			return err
		}
		out, at = make([]kgl.EntityContent, len(rows)), make([]int64, len(rows))
		for i, row := range rows {
			out[i] = kgl.EntityContent{
				Content: kgl.ContentBrief{
					ID: row.ContentID, SourceID: row.SourceID, Title: row.Title, URL: row.URL, Language: row.Language,
					PublishedAt: timeOf(row.PublishedAt),
				},
				MentionCount: row.MentionCount,
			}
			at[i] = row.At
		}
		return nil
	})
	if err != nil {
		return kgl.List[kgl.EntityContent]{}, err
	}
	list := pageOf(out, p, func(c kgl.EntityContent) kgl.Position { return kgl.Position{ID: c.Content.ID} })
	if list.Next != nil {
		list.Next.Int = at[p.Limit-1]
	}
	return list, nil
}
