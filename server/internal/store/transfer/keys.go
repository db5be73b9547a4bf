package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// copyKeys gives the target the signing keys of Options.Keys and reads them
// back.
func (c *copier) copyKeys(ctx context.Context) error {
	if c.keys == nil {
		return nil
	}
	if err := c.opts.fault("keys"); err != nil {
		return err
	}
	keys, err := c.opts.Keys(ctx)
	if err != nil {
		return err
	}
	var h summer
	var want counted
	rows := make([][]any, len(keys))
	for i, k := range keys {
		if rows[i], err = keyRow(*c.keys, k); err != nil {
			return err
		}
		sum, _ := h.row(rows[i])
		want.add(sum)
	}
	if err := c.to.replace(ctx, *c.keys, rows, c.state); err != nil {
		return err
	}
	have, err := c.sum(ctx, c.to, *c.keys, span{}, &reporter{tell: func(Progress) {}}, want.Rows)
	if err == nil && have != want {
		err = errors.New("what was written is not what is read back")
	}
	return err
}

// keyRow returns a signing key as a row of its table.
func keyRow(t table, k kgl.SigningKey) ([]any, error) {
	values := map[string]any{
		"id": k.ID, "algorithm": k.Algorithm, "public_key": k.PublicKey, "private_key": k.PrivateKey,
		"created_at": k.CreatedAt.UnixMicro(), "active_at": k.ActiveAt.UnixMicro(),
		"retired_at": micros(k.RetiredAt), "expires_at": micros(k.ExpiresAt),
	}
	row := make([]any, len(t.columns))
	for i, c := range t.columns {
		value, ok := values[c.name]
		if !ok {
			return nil, fmt.Errorf("the column %s of %s is not known", c.name, t.name)
		}
		row[i] = value
	}
	return row, nil
}

// micros returns a time as databases hold it, and NULL for none.
func micros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}
