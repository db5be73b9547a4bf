package cli

import (
	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The values of the flags about consents.
const (
	consentAllow = "allow"
	consentDeny  = "deny"
)

// consentFlags say what may be done with the items of sources.
type consentFlags struct{ aiProcessing, publication string }

func (f *consentFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.aiProcessing, "ai-processing", "", "allow or deny that items are given to extractors and the AI module")
	cmd.Flags().StringVar(&f.publication, "publication", "", "allow or deny that items are published")
}

// choice returns what the flags decide; nil: nothing.
func (f *consentFlags) choice() (*ingest.ConsentChoice, error) {
	if f.aiProcessing == "" && f.publication == "" {
		return nil, nil
	}
	ai, err := consentOf("--ai-processing", f.aiProcessing)
	if err != nil {
		return nil, err
	}
	publication, err := consentOf("--publication", f.publication)
	return &ingest.ConsentChoice{AIProcessing: ai, Publication: publication}, err
}

func consentOf(flag, value string) (*bool, error) {
	switch value {
	case "":
		return nil, nil
	case consentAllow, consentDeny:
		allowed := value == consentAllow
		return &allowed, nil
	}
	return nil, usagef("%s must be %s or %s", flag, consentAllow, consentDeny)
}

// consentText says whether something is allowed, since when, and who decided.
func consentText(c kgl.Consent) string {
	text := "denied"
	if c.Allowed {
		text = "allowed"
	}
	if c.DecidedAt == nil {
		return text + " (nobody decided)"
	}
	return text + " since " + when(c.DecidedAt) + " by " + c.DecidedBy
}
