package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// auditBatch is how many audit rows are verified at a time.
const auditBatch = 1000

func newAudit(env *Env) *cobra.Command {
	return group("audit", "Check the audit log", "",
		&cobra.Command{
			Use: "verify", Short: "Verify the hash chain of the audit log", Args: noArgs,
			Example: "  kgl audit verify",
			Long: `Verify reads the whole audit log and names the first row that was edited, deleted or
reordered. It prints the number and the hash of the last row: kept elsewhere, they
show later that the end of the log was not cut off.`,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return env.withApp(cmd.Context(), func(ctx context.Context, a *app.App) error {
					return env.verifyAudit(ctx, a.Store)
				})
			},
		})
}

func (e *Env) verifyAudit(ctx context.Context, store kgl.AuditStore) error {
	headSeq, headHash, err := store.AuditHead(ctx)
	if err != nil {
		return err
	}
	var verifier kgl.AuditVerifier
	for {
		seq, _ := verifier.Head()
		rows, err := store.AuditEventsFrom(ctx, seq+1, auditBatch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := verifier.Check(row); err != nil {
				return err
			}
			if row.Seq == headSeq && row.Hash != headHash {
				return kgl.Errorf(kgl.CodeConflict, "audit row %d is not the one that was written last", headSeq)
			}
		}
		if len(rows) < auditBatch {
			break
		}
	}
	seq, hash := verifier.Head()
	if seq < headSeq {
		return kgl.Errorf(kgl.CodeConflict, "the audit log ends at row %d, and row %d was written: its end was cut off", seq, headSeq)
	}
	_, err = fmt.Fprintf(e.Stdout, "audit log is intact: %d rows, last hash %s\n", seq, hash)
	return err
}
