package store

import "context"

// TextRows returns the rows of a query of one column of text.
func (db *DB) TextRows(ctx context.Context, query string, args ...any) ([]string, error) {
	var out []string
	err := db.read(ctx, func(c *conn) error {
		rs, err := c.query(ctx, query, args)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var text string
			if err := rs.Scan(&text); err != nil {
				return err
			}
			out = append(out, text)
		}
		return rs.Err()
	})
	return out, err
}

// EdgesQuery is the query of the relationships of one entity.
var EdgesQuery = edgesQuery
